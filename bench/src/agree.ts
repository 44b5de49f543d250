/**
 * Checks the results of the engines (Unroll and other libraries) before timing, for one row of the benchmark (a network with its
 * sizes). Outputs of the first and the last example are compared with those of oracle.ts (plain float64 loops); all outputs, and
 * the losses of three training steps, are compared between engines.
 */
import type { RowData } from './data.js';
import { oracle } from './oracle.js';
import type { LoadReply } from './protocol.js';
import type { Row, Variant } from './rows.js';

/** The largest relative difference that counts as agreement. */
export const TOLERANCE = 1e-4;

/** Returns the largest |a - b| divided by the largest |b|; infinity if a value is NaN or the lengths differ. */
export function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  let scale = 0;
  for (let i = 0; i < a.length; i++) {
    const distance = Math.abs(a[i] - b[i]);
    if (Number.isNaN(distance)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, distance);
    scale = Math.max(scale, Math.abs(b[i]));
  }
  return largest === 0 ? 0 : largest / scale;
}

/** Decodes base64-encoded float32 values. */
export function decodeFloat32(text: string): Float32Array {
  const buffer = Buffer.from(text, 'base64');
  const values = new Float32Array(buffer.length / 4);
  new Uint8Array(values.buffer).set(buffer);
  return values;
}

/** Compares the results of the engines for one row. The first correct results of a variant become its reference. */
export class Agreement {
  readonly #row: Row;
  readonly #data: RowData;
  /** Outputs of the oracle for the compared examples. */
  readonly #oracleOutputs = new Map<Variant, Float64Array[]>();
  /** The outputs of the first engine that agreed with the oracle, and its name. */
  readonly #outputs = new Map<Variant, { values: Float32Array; engine: string }>();
  /** The losses of the first engine, and its name. */
  readonly #losses = new Map<Variant, { values: number[]; engine: string }>();

  constructor(row: Row, data: RowData) {
    this.#row = row;
    this.#data = data;
  }

  /** Returns whether there are reference losses for this variant. */
  hasLosses(variant: Variant): boolean {
    return this.#losses.has(variant);
  }

  /**
   * Compares the results of an engine with the reference, or stores them as the reference if there is none.
   * @returns the difference as text; null if the results agree or have become the reference
   */
  compareOrStore(engine: string, { variant = 'standard', outputs, losses }: LoadReply): string | null {
    if (outputs !== undefined) return this.#compareOrStoreOutputs(engine, decodeFloat32(outputs), variant);
    if (losses === undefined) return null;
    const reference = this.#losses.get(variant);
    if (reference) return mismatchText(relativeDifference(losses, reference.values), reference.engine);
    this.#losses.set(variant, { values: losses, engine });
    return null;
  }

  #compareOrStoreOutputs(engine: string, outputs: Float32Array, variant: Variant): string | null {
    const examples = this.#row.B === 1 ? [0] : [0, this.#row.B - 1];
    const expected = this.#oracleOutputs.get(variant) ?? oracle(this.#row, this.#data, examples, variant);
    this.#oracleOutputs.set(variant, expected);
    const width = outputs.length / this.#row.B;
    const differences = examples.map((example, i) =>
      relativeDifference(outputs.subarray(example * width, (example + 1) * width), expected[i]),
    );
    const mismatch = mismatchText(Math.max(...differences), 'the float64 oracle');
    if (mismatch) return mismatch;
    const reference = this.#outputs.get(variant);
    if (reference) return mismatchText(relativeDifference(outputs, reference.values), reference.engine);
    this.#outputs.set(variant, { values: outputs, engine });
    return null;
  }
}

/** Describes a relative difference from the reference; null if it is within the tolerance. */
function mismatchText(relative: number, reference: string): string | null {
  return relative <= TOLERANCE ? null : `disagrees with ${reference} by ${relative.toExponential(1)}`;
}
