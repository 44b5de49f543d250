/**
 * Checks that the engines compute the same. Outputs are compared with the oracle in float64 at the first and the last
 * example of the batch, and between engines over the whole of it; losses of three training steps between
 * engines. What disagrees is not timed.
 */
import type { RowData } from './data.js';
import { oracle } from './oracle.js';
import type { Loaded } from './protocol.js';
import type { Row, Variant } from './rows.js';

/** Largest relative difference that passes. */
export const TOLERANCE = 1e-4;

/** Largest |a - b| over the largest |b|; infinite where a NaN hides. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let most = 0;
  let scale = 0;
  for (let i = 0; i < a.length; i++) {
    const distance = Math.abs(a[i] - b[i]);
    if (Number.isNaN(distance)) return Number.POSITIVE_INFINITY;
    most = Math.max(most, distance);
    scale = Math.max(scale, Math.abs(b[i]));
  }
  return most === 0 ? 0 : most / scale;
}

function decode(text: string): Float32Array {
  const buffer = Buffer.from(text, 'base64');
  const values = new Float32Array(buffer.length / 4);
  new Uint8Array(values.buffer).set(buffer);
  return values;
}

/** Compares the results of each engine for one row. */
export class Agreement {
  readonly #row: Row;
  readonly #data: RowData;
  readonly #truth = new Map<Variant, Float64Array[]>();
  /** What the first engine that passed has computed, and its name. */
  readonly #outputs = new Map<Variant, { values: Float32Array; engine: string }>();
  readonly #losses = new Map<Variant, { values: number[]; engine: string }>();

  constructor(row: Row, data: RowData) {
    this.#row = row;
    this.#data = data;
  }

  /** Whether there is something to hold losses of these equations against. */
  knows(variant: Variant): boolean {
    return this.#losses.has(variant);
  }

  /** Why what an engine computed is wrong; null where it agrees, or is the first of its kind. */
  judge(engine: string, { variant = 'standard', outputs, losses }: Loaded): string | null {
    if (outputs !== undefined) return this.#judgeOutputs(engine, decode(outputs), variant);
    if (losses === undefined) return null;
    const known = this.#losses.get(variant);
    if (known) return complaint(difference(losses, known.values), known.engine);
    this.#losses.set(variant, { values: losses, engine });
    return null;
  }

  #judgeOutputs(engine: string, outputs: Float32Array, variant: Variant): string | null {
    const examples = this.#row.B === 1 ? [0] : [0, this.#row.B - 1];
    const truth = this.#truth.get(variant) ?? oracle(this.#row, this.#data, examples, variant);
    this.#truth.set(variant, truth);
    const width = outputs.length / this.#row.B;
    const apart = examples.map((example, i) =>
      difference(outputs.subarray(example * width, (example + 1) * width), truth[i]),
    );
    const wrong = complaint(Math.max(...apart), 'the float64 loops');
    if (wrong) return wrong;
    const known = this.#outputs.get(variant);
    if (known) return complaint(difference(outputs, known.values), known.engine);
    this.#outputs.set(variant, { values: outputs, engine });
    return null;
  }
}

function complaint(apart: number, reference: string): string | null {
  return apart <= TOLERANCE ? null : `disagrees with ${reference} by ${apart.toExponential(1)}`;
}
