/**
 * The reference implementation of the benchmark, which decides which results are correct: plain float64 loops, written from
 * the equations and independent of the engines. Because it is slow, it computes only a few examples of a batch.
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

/** Computes the outputs of the last time step. @returns a vector of outputs for each entry of `examples` */
export function oracle(row: Row, data: RowData, examples: readonly number[], variant: Variant): Vector[] {
  return examples.map((example) => {
    const weights = data.weights.values();
    const nextWeight = (): Float32Array => (weights.next().value as NamedTensor).values;
    const cell = (steps: readonly Vector[], state?: State): { outputs: Vector[]; state: State } => {
      const [W, U, b] = [nextWeight(), nextWeight(), nextWeight()];
      return runCell(row, steps, { W, U, b }, variant, state);
    };
    const stepVectors = ({ shape, values }: NamedTensor): Vector[] => {
      const [, T, I = 1] = shape as [number, number, number?];
      return Array.from({ length: T }, (_, t) => {
        const offset = (example * T + t) * I;
        return Float64Array.from(values.subarray(offset, offset + I));
      });
    };
    const embedded = (tokens: NamedTensor): Vector[] => {
      const table = nextWeight();
      return stepVectors(tokens).map(([token]) =>
        Float64Array.from(table.subarray(token * row.I, (token + 1) * row.I)),
      );
    };
    const dense = (x: Vector): Vector => {
      const W = nextWeight();
      const y = Float64Array.from(nextWeight());
      addProduct(x, W, y, 0, y.length);
      return y;
    };
    if (row.textModel?.model === 'classifier') {
      const { h } = cell(embedded(data.inputs[0])).state;
      return dense(dense(h).map((value) => Math.max(0, value)));
    }
    if (row.textModel?.model === 'translator') {
      const { state } = cell(embedded(data.inputs[0]));
      return dense(cell(embedded(data.inputs[1]), state).state.h);
    }
    let steps = stepVectors(data.inputs[0]);
    let last = new Float64Array();
    for (const layer of row.layers) {
      const directions = [cell(steps).outputs];
      if (layer.bidirectional) directions.push(cell(steps.toReversed()).outputs);
      last = concatenate(directions.map((outputs) => outputs[outputs.length - 1]));
      directions[1]?.reverse();
      steps = steps.map((_, t) => concatenate(directions.map((outputs) => outputs[t])));
    }
    return last;
  });
}

function concatenate(vectors: readonly Vector[]): Vector {
  return Float64Array.from(vectors.flatMap((vector) => [...vector]));
}

/** Runs a cell over all steps. @returns h of every step, and the final state */
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
      const a = preactivations(x, previous, weights, H);
      for (let u = 0; u < H; u++) h[u] = variant === 'relu' ? Math.max(0, a[u]) : Math.tanh(a[u]);
    }
    return (state.h = h);
  });
  return { outputs, state };
}

/** Computes x W + h U + b for all gates. */
function preactivations(x: Vector, h: Vector, { W, U, b }: Weights, width: number): Vector {
  const a = Float64Array.from(b.subarray(0, width));
  addProduct(x, W, a, 0, width);
  addProduct(h, U, a, 0, width);
  return a;
}

/** Adds x M to `a`, only in the columns `from` (inclusive) to `to` (exclusive). M has as many columns as `a`. */
function addProduct(x: Vector, M: Float32Array, a: Vector, from: number, to: number): void {
  for (let i = 0; i < x.length; i++) {
    const factor = x[i];
    const base = i * a.length;
    for (let u = from; u < to; u++) a[u] += factor * M[base + u];
  }
}

/** Writes the new hidden state to `h`. @returns the new cell state */
function lstmStep(x: Vector, hBefore: Vector, cBefore: Vector, h: Vector, weights: Weights): Vector {
  const H = h.length;
  const a = preactivations(x, hBefore, weights, GATES.lstm * H);
  const c = new Float64Array(H);
  for (let u = 0; u < H; u++) {
    const [i, f, g, o] = [a[u], a[H + u], a[2 * H + u], a[3 * H + u]];
    c[u] = sigmoid(f) * cBefore[u] + sigmoid(i) * Math.tanh(g);
    h[u] = sigmoid(o) * Math.tanh(c[u]);
  }
  return c;
}

/**
 * Writes the new state to `h`. The gates are z r n. `b` has two rows: the bias of the inputs and the recurrent bias,
 * which is unused if `resetBefore` is set.
 */
function gruStep(x: Vector, hBefore: Vector, h: Vector, { W, U, b }: Weights, resetBefore: boolean): void {
  const H = h.length;
  const width = GATES.gru * H;
  const inputSums = Float64Array.from(b.subarray(0, width));
  addProduct(x, W, inputSums, 0, width);
  const stateSums = resetBefore ? new Float64Array(width) : Float64Array.from(b.subarray(width));
  addProduct(hBefore, U, stateSums, 0, resetBefore ? 2 * H : width);
  const gate = (g: number, u: number): number => sigmoid(inputSums[g * H + u] + stateSums[g * H + u]);
  if (resetBefore) {
    const reset = hBefore.map((value, u) => gate(1, u) * value);
    addProduct(reset, U, stateSums, 2 * H, width);
  }
  for (let u = 0; u < H; u++) {
    const z = gate(0, u);
    const candidate = resetBefore ? stateSums[2 * H + u] : gate(1, u) * stateSums[2 * H + u];
    h[u] = z * hBefore[u] + (1 - z) * Math.tanh(inputSums[2 * H + u] + candidate);
  }
}
