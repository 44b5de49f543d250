/**
 * The reference that decides which results are correct: the recurrences in plain float64 loops, written from the
 * equations without code from any engine. It is slow and therefore runs only a few examples of a batch.
 */
import type { NamedTensor, RowData } from './data.js';
import { GATES, type Row, type Variant } from './rows.js';

type Vector = Float64Array<ArrayBuffer>;

interface State {
  h: Vector;
  c: Vector;
}

interface Weights {
  W: Float32Array;
  U: Float32Array;
  b: Float32Array;
}

const sigmoid = (a: number): number => 1 / (1 + Math.exp(-a));

/** The last outputs [examples, outputs] of the given examples. */
export function oracle(row: Row, data: RowData, examples: readonly number[], variant: Variant): Vector[] {
  return examples.map((example) => {
    const weights = data.weights.values();
    const next = (): Float32Array => (weights.next().value as NamedTensor).values;
    const cell = (steps: readonly Vector[], state?: State): { outputs: Vector[]; state: State } => {
      const [W, U, b] = [next(), next(), next()];
      return runCell(row, steps, { W, U, b }, variant, state);
    };
    const rows = ({ shape, values }: NamedTensor): Vector[] => {
      const [, T, I = 1] = shape as [number, number, number?];
      return Array.from({ length: T }, (_, t) => {
        const offset = (example * T + t) * I;
        return Float64Array.from(values.subarray(offset, offset + I));
      });
    };
    const embedded = (tokens: NamedTensor): Vector[] => {
      const table = next();
      return rows(tokens).map(([token]) =>
        Float64Array.from(table.subarray(token * row.I, (token + 1) * row.I)),
      );
    };
    const dense = (x: Vector): Vector => {
      const W = next();
      const y = Float64Array.from(next());
      addProduct(x, W, y, 0, y.length);
      return y;
    };
    if (row.whole?.model === 'classifier') {
      const { h } = cell(embedded(data.inputs[0])).state;
      return dense(dense(h).map((value) => Math.max(0, value)));
    }
    if (row.whole?.model === 'translator') {
      const { state } = cell(embedded(data.inputs[0]));
      return dense(cell(embedded(data.inputs[1]), state).state.h);
    }
    let steps = rows(data.inputs[0]);
    let last = new Float64Array();
    for (const layer of row.layers) {
      const directions = [cell(steps).outputs];
      if (layer.bidirectional) directions.push(cell(steps.toReversed()).outputs);
      last = join(directions.map((outputs) => outputs[outputs.length - 1]));
      directions[1]?.reverse();
      steps = steps.map((_, t) => join(directions.map((outputs) => outputs[t])));
    }
    return last;
  });
}

function join(parts: readonly Vector[]): Vector {
  return Float64Array.from(parts.flatMap((part) => [...part]));
}

/** Runs a cell over all steps. @returns h of every step, and the last state */
function runCell(
  row: Row,
  steps: readonly Vector[],
  weights: Weights,
  variant: Variant,
  /** Default: zeros. */
  initial?: State,
): { outputs: Vector[]; state: State } {
  const { H } = row;
  const state: State = { h: new Float64Array(H), c: new Float64Array(H), ...initial };
  const outputs = steps.map((x) => {
    const previous = state.h;
    const h = new Float64Array(H);
    if (row.kind === 'lstm') {
      state.c = lstmStep(x, previous, variant === 'no-cell' ? previous : state.c, h, weights);
    } else if (row.kind === 'gru') gruStep(x, previous, h, weights, variant === 'reset-before');
    else {
      const a = products(x, previous, weights, H);
      for (let u = 0; u < H; u++) h[u] = variant === 'relu' ? Math.max(0, a[u]) : Math.tanh(a[u]);
    }
    return (state.h = h);
  });
  return { outputs, state };
}

/** x W + h U + b for all gates. */
function products(x: Vector, h: Vector, { W, U, b }: Weights, width: number): Vector {
  const a = Float64Array.from(b.subarray(0, width));
  addProduct(x, W, a, 0, width);
  addProduct(h, U, a, 0, width);
  return a;
}

/** a += x M in the columns `from` (inclusive) to `to` (exclusive). M has as many columns as a. */
function addProduct(x: Vector, M: Float32Array, a: Vector, from: number, to: number): void {
  for (let i = 0; i < x.length; i++) {
    const factor = x[i];
    const base = i * a.length;
    for (let u = from; u < to; u++) a[u] += factor * M[base + u];
  }
}

function lstmStep(x: Vector, hBefore: Vector, cBefore: Vector, h: Vector, weights: Weights): Vector {
  const H = h.length;
  const a = products(x, hBefore, weights, GATES.lstm * H);
  const c = new Float64Array(H);
  for (let u = 0; u < H; u++) {
    const [i, f, g, o] = [a[u], a[H + u], a[2 * H + u], a[3 * H + u]];
    c[u] = sigmoid(f) * cBefore[u] + sigmoid(i) * Math.tanh(g);
    h[u] = sigmoid(o) * Math.tanh(c[u]);
  }
  return c;
}

/**
 * The gates are z r n. The second row of b is the bias of the recurrent product. It is unused if `resetBefore` is set.
 */
function gruStep(x: Vector, hBefore: Vector, h: Vector, { W, U, b }: Weights, resetBefore: boolean): void {
  const H = h.length;
  const width = GATES.gru * H;
  const inputs = Float64Array.from(b.subarray(0, width));
  addProduct(x, W, inputs, 0, width);
  const states = resetBefore ? new Float64Array(width) : Float64Array.from(b.subarray(width));
  addProduct(hBefore, U, states, 0, resetBefore ? 2 * H : width);
  const gate = (g: number, u: number): number => sigmoid(inputs[g * H + u] + states[g * H + u]);
  if (resetBefore) {
    const reset = hBefore.map((value, u) => gate(1, u) * value);
    addProduct(reset, U, states, 2 * H, width);
  }
  for (let u = 0; u < H; u++) {
    const z = gate(0, u);
    const candidate = resetBefore ? states[2 * H + u] : gate(1, u) * states[2 * H + u];
    h[u] = z * hBefore[u] + (1 - z) * Math.tanh(inputs[2 * H + u] + candidate);
  }
}
