/**
 * The protocol between the coordinator and the engines. A process (Node or Python) exchanges messages over stdin and
 * stdout, one line of JSON each. A worker of a page exchanges them through the page (chromium.ts).
 */
import type { DataFile } from './data.js';
import type { Mode, Row, Variant } from './rows.js';

export type Command =
  | { do: 'hello' }
  /** Builds the row. Answers with its results, or with the reason why the engine cannot run it. */
  | { do: 'load'; row: Row; mode: Mode; data: DataFile; variant?: Variant }
  /** Runs untimed calls for the given time. Answers with milliseconds per call. */
  | { do: 'warm'; milliseconds: number }
  /** Times the given number of calls. Answers with milliseconds per call. */
  | { do: 'round'; calls: number }
  /** Frees the row. */
  | { do: 'drop' }
  /** Unroll only: the share of a training step that is spent outside kernels. */
  | { do: 'share' }
  /** workers/peak.ts only: GFLOP/s of independent multiply-adds. */
  | { do: 'peak' };

export interface Hello {
  /** Name and version, for the report. */
  version: string;
  /** The backend, for the report. */
  description: string;
  /** The browser of an engine in a page. */
  browser?: BrowserHost;
}

export interface BrowserHost {
  version: string;
  /** Always true, as an engine does not start otherwise. Recorded in the JSON result. */
  crossOriginIsolated: boolean;
}

export interface Loaded {
  /** The reason why the engine cannot run the row. If set, all other fields are absent. */
  unavailable?: string;
  variant?: Variant;
  /** infer, stream: the last outputs [B, outputs], base64-encoded float32. */
  outputs?: string;
  /** train: the loss before the first update, and after one and two. */
  losses?: number[];
}

export interface Warmed {
  milliseconds: number;
  /** The name of the alternative that was fastest and will be timed. */
  note?: string;
}

export interface Round {
  milliseconds: number;
}

/**
 * GFLOP/s by vector width. Widths that the machine lacks are absent. WebAssembly in Chromium also has 128 bits, but is
 * listed separately: it may support fused multiply-add where an older Node does not.
 */
export interface Peaks {
  simd128?: number;
  simd128Chromium?: number;
  avx2?: number;
  avx512?: number;
}

export interface Replies {
  hello: Hello;
  load: Loaded;
  warm: Warmed;
  round: Round;
  drop: Record<string, never>;
  share: { share: number };
  peak: Peaks;
}

export type Request = Command & { id: number };
/** An answer. `error` is set if the command failed. */
export interface Answer {
  id: number;
  ok?: unknown;
  error?: string;
}

/** A message from the server to the page: start an engine's worker, forward a request to it, or stop it. */
export type Order = { engine: number } & ({ start: string } | { request: Request } | { stop: true });
/** A message from a worker to the page, which forwards it to the server with the engine's number. */
export type Report = { answer: Answer } | { lost: string };
