/**
 * The messages between the benchmark and its engines (Unroll, or a library that it is compared with). An engine in a process
 * (Node or Python) reads and writes one JSON object per line on stdin and stdout. An engine in a worker of a page sends and
 * receives the messages through the page (chromium.ts).
 */
import type { DataFile } from './data.js';
import type { Mode, Row, Variant } from './rows.js';
import type { SequenceMode, SequenceRow } from './sequences/rows.js';

/** A command to an engine. */
export type Command =
  /** Answers with version and backend. */
  | { do: 'hello' }
  /** Builds the model of a row (rows.ts). Answers with its results, or with the reason why the engine cannot run the row. */
  | { do: 'load'; row: Row; mode: Mode; data: DataFile; variant?: Variant }
  /** Builds a row of `npm run bench:sequences`. */
  | { do: 'loadSequence'; row: SequenceRow; mode: SequenceMode; data: DataFile }
  /** Runs untimed calls for the given time. Answers with milliseconds per call. */
  | { do: 'warm'; milliseconds: number }
  /** Times the given number of calls. Answers with milliseconds per call. */
  | { do: 'round'; calls: number }
  /** Frees the model and its data. */
  | { do: 'drop' }
  /** Unroll only: the share of a training step that is spent in JavaScript, outside kernels. */
  | { do: 'javascriptShare' }
  /** workers/peak.ts only: GFLOP/s of independent multiply-adds. */
  | { do: 'peak' };

export interface HelloReply {
  /** Name and version, for the report. */
  version: string;
  /** The backend, for the report. */
  description: string;
  /** The browser, if the engine runs in a page. */
  browser?: BrowserHost;
}

export interface BrowserHost {
  version: string;
  /** Always true, because engines start only in isolated pages. Recorded in the JSON result. */
  crossOriginIsolated: boolean;
}

/** The answer to `load`. */
export interface LoadReply {
  /** The reason why the engine cannot run the row. If set, all other fields are absent. */
  unavailable?: string;
  /** The equations that the engine computes; default standard. */
  variant?: Variant;
  /** infer, stream: the outputs of the last time step [B, outputs] as base64-encoded float32. */
  outputs?: string;
  /** train: the losses before the first update, after the first, and after the second. */
  losses?: number[];
}

/** The answer to `loadSequence`. */
export interface LoadSequenceReply {
  /** infer: the last outputs; gradient: the loss and all gradients; search: the tokens [B, length]. Base64-encoded float32. */
  outputs?: string;
  /** train: the losses before the first update, after the first, and after the second. */
  losses?: number[];
  /** The implementations that are not timed, by name, with the reason. */
  excluded?: Record<string, string>;
}

export interface WarmUpReply {
  /** Milliseconds per call. */
  milliseconds: number;
  /** Name of the implementation that was fastest and will be timed; absent if it is the default. */
  note?: string;
}

export interface RoundReply {
  /** Milliseconds per call. */
  milliseconds: number;
}

/**
 * Peak GFLOP/s by vector width. Widths that the machine lacks are absent. Chromium has a separate key, because
 * WebAssembly may support fused multiply-add in Chromium but not in an older Node.
 */
export interface Peaks {
  simd128?: number;
  simd128Chromium?: number;
  avx2?: number;
  avx512?: number;
}

export interface Replies {
  hello: HelloReply;
  load: LoadReply;
  loadSequence: LoadSequenceReply;
  warm: WarmUpReply;
  round: RoundReply;
  drop: Record<string, never>;
  javascriptShare: { share: number };
  peak: Peaks;
}

export type Request = Command & { id: number };
/** The answer to the request with the same id: `ok` is the reply, or `error` the message of a failed command. */
export interface Answer {
  id: number;
  ok?: unknown;
  error?: string;
}

/** A message from the server to the page: start the worker of an engine, forward a request to it, or stop it. */
export type Order = { engine: number } & ({ start: string } | { request: Request } | { stop: true });
/** A message from a worker, which the page forwards to the server: an answer, or the reason why the worker ended. */
export type Report = { answer: Answer } | { ended: string };
