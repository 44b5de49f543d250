/**
 * Checks that the engines agree. The first and the last example's outputs are compared with the float64 oracle, and all
 * outputs are compared between engines. The losses of three training steps are compared between engines. An engine that
 * disagrees is not timed.
 */
import type { RowData } from './data.js';
import { oracle } from './oracle.js';
import type { Loaded } from './protocol.js';
import type { Row, Variant } from './rows.js';

/** The largest allowed relative difference. */
export const TOLERANCE = 1e-4;

/** Largest |a - b| divided by the largest |b|; infinity if there is a NaN. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
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

function decode(text: string): Float32Array {
  const buffer = Buffer.from(text, 'base64');
  const values = new Float32Array(buffer.length / 4);
  new Uint8Array(values.buffer).set(buffer);
  return values;
}

/** Compares the results of the engines for one row. */
export class Agreement {
  readonly #row: Row;
  readonly #data: RowData;
  /** Outputs of the oracle. */
  readonly #expected = new Map<Variant, Float64Array[]>();
  /** The outputs of the first engine that agreed, and its name. */
  readonly #outputs = new Map<Variant, { values: Float32Array; engine: string }>();
  readonly #losses = new Map<Variant, { values: number[]; engine: string }>();

  constructor(row: Row, data: RowData) {
    this.#row = row;
    this.#data = data;
  }

  /** Whether losses of this variant are known, so that others can be compared with them. */
  knows(variant: Variant): boolean {
    return this.#losses.has(variant);
  }

  /** The reason why an engine's results are wrong; null if they agree or are the first of their variant. */
  judge(engine: string, { variant = 'standard', outputs, losses }: Loaded): string | null {
    if (outputs !== undefined) return this.#judgeOutputs(engine, decode(outputs), variant);
    if (losses === undefined) return null;
    const known = this.#losses.get(variant);
    if (known) return disagreement(difference(losses, known.values), known.engine);
    this.#losses.set(variant, { values: losses, engine });
    return null;
  }

  #judgeOutputs(engine: string, outputs: Float32Array, variant: Variant): string | null {
    const examples = this.#row.B === 1 ? [0] : [0, this.#row.B - 1];
    const expected = this.#expected.get(variant) ?? oracle(this.#row, this.#data, examples, variant);
    this.#expected.set(variant, expected);
    const width = outputs.length / this.#row.B;
    const differences = examples.map((example, i) =>
      difference(outputs.subarray(example * width, (example + 1) * width), expected[i]),
    );
    const wrong = disagreement(Math.max(...differences), 'the float64 oracle');
    if (wrong) return wrong;
    const known = this.#outputs.get(variant);
    if (known) return disagreement(difference(outputs, known.values), known.engine);
    this.#outputs.set(variant, { values: outputs, engine });
    return null;
  }
}

/** The message for a relative difference; null if it is within the tolerance. */
function disagreement(relative: number, reference: string): string | null {
  return relative <= TOLERANCE ? null : `disagrees with ${reference} by ${relative.toExponential(1)}`;
}
