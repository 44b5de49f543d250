/**
 * What the coordinator and the engines' processes say to each other: one line of JSON a message, over stdin
 * and stdout. Engines in Node and the one in Python speak the same.
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

/** GFLOP/s by width of the vectors; a width that this machine lacks is absent. */
export interface Peaks {
  simd128?: number;
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
