/**
 * The arbiter: the recurrences in plain loops and float64, written here from the equations and sharing no
 * code with any engine. It runs a few examples of a batch only, as it is slow.
 */
import type { RowData } from './data.js';
import { GATES, type Row, type Variant } from './rows.js';

const sigmoid = (a: number): number => 1 / (1 + Math.exp(-a));

interface Weights {
  W: Float32Array;
  U: Float32Array;
  b: Float32Array;
}

/** The last outputs [examples, outputs] of the given examples. */
export function oracle(
  row: Row,
  data: RowData,
  examples: readonly number[],
  variant: Variant,
): Float64Array[] {
  const [, T, I] = data.x.shape as [number, number, number];
  return examples.map((example) => {
    let steps: Float64Array[] = Array.from({ length: T }, (_, t) =>
      Float64Array.from(data.x.values.subarray((example * T + t) * I, (example * T + t + 1) * I)),
    );
    let weight = 0;
    let last = new Float64Array();
    const next = (): Weights => {
      const [W, U, b] = data.weights.slice(weight, (weight += 3)).map((tensor) => tensor.values);
      return { W: W!, U: U!, b: b! };
    };
    for (const layer of row.layers) {
      const outputs = [runCell(row, steps, next(), variant)];
      if (layer.bidirectional) outputs.push(runCell(row, steps.toReversed(), next(), variant));
      last = join(outputs.map((output) => output.at(-1)!));
      if (outputs.length === 2) outputs[1]!.reverse();
      steps = steps.map((_, t) => join(outputs.map((output) => output[t]!)));
    }
    return last;
  });
}

function join(parts: readonly Float64Array[]): Float64Array<ArrayBuffer> {
  return Float64Array.from(parts.flatMap((part) => [...part]));
}

/** h of every step, from zero states. */
function runCell(
  row: Row,
  steps: readonly Float64Array[],
  weights: Weights,
  variant: Variant,
): Float64Array[] {
  const { H } = row;
  let h = new Float64Array(H);
  let c = new Float64Array(H);
  return steps.map((x) => {
    const before = h;
    h = new Float64Array(H);
    if (row.kind === 'lstm') c = lstmStep(x, before, variant === 'no-cell' ? before : c, h, weights);
    else if (row.kind === 'gru') gruStep(x, before, h, weights, variant === 'reset-before');
    else {
      const a = products(x, before, weights, H);
      for (let u = 0; u < H; u++) h[u] = variant === 'relu' ? Math.max(0, a[u]!) : Math.tanh(a[u]!);
    }
    return h;
  });
}

/** x W + h U + b, over all gates. */
function products(x: Float64Array, h: Float64Array, { W, U, b }: Weights, width: number): Float64Array {
  const a = Float64Array.from(b.subarray(0, width));
  addProduct(x, W, a, 0, width);
  addProduct(h, U, a, 0, width);
  return a;
}

/** a += x M, in the columns from `from` of M, which has as many columns as a. */
function addProduct(x: Float64Array, M: Float32Array, a: Float64Array, from: number, to: number): void {
  for (let i = 0; i < x.length; i++) {
    const factor = x[i]!;
    const base = i * a.length;
    for (let u = from; u < to; u++) a[u]! += factor * M[base + u]!;
  }
}

function lstmStep(
  x: Float64Array,
  hBefore: Float64Array,
  cBefore: Float64Array,
  h: Float64Array,
  weights: Weights,
): Float64Array<ArrayBuffer> {
  const H = h.length;
  const a = products(x, hBefore, weights, GATES.lstm * H);
  const c = new Float64Array(H);
  for (let u = 0; u < H; u++) {
    const [i, f, g, o] = [a[u]!, a[H + u]!, a[2 * H + u]!, a[3 * H + u]!];
    c[u] = sigmoid(f) * cBefore[u]! + sigmoid(i) * Math.tanh(g);
    h[u] = sigmoid(o) * Math.tanh(c[u]!);
  }
  return c;
}

/**
 * Gates z r n; the bias of the recurrent product is the second row of b, and is unused where the reset comes
 * before.
 */
function gruStep(
  x: Float64Array,
  hBefore: Float64Array,
  h: Float64Array,
  weights: Weights,
  before: boolean,
): void {
  const H = h.length;
  const width = GATES.gru * H;
  const { W, U, b } = weights;
  const inputs = Float64Array.from(b.subarray(0, width));
  addProduct(x, W, inputs, 0, width);
  const states = before ? new Float64Array(width) : Float64Array.from(b.subarray(width));
  addProduct(hBefore, U, states, 0, before ? 2 * H : width);
  const gate = (g: number, u: number): number => sigmoid(inputs[g * H + u]! + states[g * H + u]!);
  if (before) {
    const reset = hBefore.map((value, u) => gate(1, u) * value);
    addProduct(reset, U, states, 2 * H, width);
  }
  for (let u = 0; u < H; u++) {
    const z = gate(0, u);
    const candidate = before ? states[2 * H + u]! : gate(1, u) * states[2 * H + u]!;
    h[u] = z * hBefore[u]! + (1 - z) * Math.tanh(inputs[2 * H + u]! + candidate);
  }
}
