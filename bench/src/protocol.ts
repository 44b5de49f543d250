/**
 * What the coordinator and the engines say to each other. To a process it goes as one line of JSON a message, over
 * stdin and stdout, in Node and in Python alike; to a worker of a page through the page (chromium.ts).
 */
import type { DataFile } from './data.js';
import type { Mode, Row, Variant } from './rows.js';

export type Command =
  | { do: 'hello' }
  /** Builds the row; answers what it computes, or why it cannot. */
  | { do: 'load'; row: Row; mode: Mode; data: DataFile; variant?: Variant }
  /** Calls untimed for so many milliseconds; answers milliseconds per call. */
  | { do: 'warm'; milliseconds: number }
  /** Calls so many times; answers milliseconds per call. */
  | { do: 'round'; calls: number }
  /** Forgets the row. */
  | { do: 'drop' }
  /** Unroll only: the share of a training step that is spent outside kernels. */
  | { do: 'share' }
  /** The peak's process only: GFLOP/s of independent multiply-adds. */
  | { do: 'peak' };

export interface Hello {
  /** Name and version, for the record. */
  version: string;
  /** What computes, for people. */
  description: string;
  /** Of an engine in a page. */
  browser?: BrowserHost;
}

export interface BrowserHost {
  version: string;
  /** Always true, as an engine does not start otherwise; for the record. */
  crossOriginIsolated: boolean;
}

export interface Loaded {
  /** Why there is no such row; all else is then absent. */
  unavailable?: string;
  variant?: Variant;
  /** infer, stream: the last outputs [B, outputs], base64 of float32. */
  outputs?: string;
  /** train: the loss before the first update, and after one and two. */
  losses?: number[];
}

export interface Warmed {
  milliseconds: number;
  /** Which of several ways was the fastest and will be timed. */
  note?: string;
}

export interface Round {
  milliseconds: number;
}

/**
 * GFLOP/s by width of the vectors; a width that this machine lacks is absent. WebAssembly in Chromium has 128 bits too
 * but a line of its own: it may have the fused multiply-add that an older Node lacks.
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
/** An answer; `error` where the command failed. */
export interface Answer {
  id: number;
  ok?: unknown;
  error?: string;
}

/** What the server tells the page about an engine: start its worker, pass a request on to it, end it. */
export type Order = { engine: number } & ({ start: string } | { request: Request } | { stop: true });
/** What a worker tells the page; the page passes it on with the engine's number. */
export type Report = { answer: Answer } | { lost: string };
