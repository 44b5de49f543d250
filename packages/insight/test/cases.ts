/** Layers of every cell, masks, and a loop over single rows and steps that computes the expected gates and states. */
import {
  add,
  matmul,
  mul,
  type Parameter,
  scope,
  sigmoid,
  sub,
  type Tensor,
  tanh,
  tensor,
  zeros,
} from '@unroll/core';
import {
  type Cell,
  type CellState,
  coupledLstm,
  gru,
  gruCell,
  layerNormLstm,
  lstm,
  lstmCell,
  minGru,
  minLstm,
  type ParameterMaker,
  peepholeLstm,
  projectedLstm,
  type Recurrent,
  type RecurrentOptions,
  recurrent,
  StackedCells,
  type StepResult,
  simpleRNN,
  simpleRNNCell,
  stackedCells,
  zoneoutCell,
} from '@unroll/nn';

/** Numbers of sequences, steps, input features and hidden units in all cases. */
export const [B, T, I, H] = [3, 5, 3, 4];

/** Masks [B, T]: none, padding on the right or left, holes, and a row (a sequence) without valid steps. */
export const MASKS: Record<string, number[][] | null> = {
  none: null,
  right: [[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]],
  left: [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 1, 1]],
  holes: [[1, 0, 1, 0, 1], [0, 1, 0, 1, 1], [1, 1, 1, 1, 1]],
  row: [[0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [0, 1, 1, 0, 0]],
}; // biome-ignore format: patterns

/** A custom cell: a leaky integrator with one gate. It has no fused kernel. */
export class LeakyCell implements Cell<{ h: Tensor; s: Tensor }> {
  readonly className = 'LeakyCell';
  readonly units = H;
  readonly stateSizes = { h: H, s: H };
  readonly config = {};
  #W!: Parameter;
  #U!: Parameter;

  build(inputSize: number, make: ParameterMaker): void {
    this.#W = make('kernel', [inputSize, H], 'glorotUniform');
    this.#U = make('recurrent_kernel', [H, H], 'orthogonal');
  }

  step(x: Tensor, { h, s }: { h: Tensor; s: Tensor }): StepResult<{ h: Tensor; s: Tensor }> {
    const a = add(matmul(x, this.#W), matmul(h, this.#U));
    const leak = sigmoid(a);
    const next = add(mul(leak, s), mul(sub(1, leak), tanh(a)));
    const out = tanh(next);
    return { y: out, state: { h: out, s: next }, gates: { leak } };
  }

  clone(): LeakyCell {
    return new LeakyCell();
  }
}

/** Random biases; by default they are 0, except the forget bias of the LSTM, which is 1. */
const bias = { biasInitializer: 'randomUniform' } as const;

type MakeLayer = (options: RecurrentOptions) => Recurrent;

export const CELLS: Record<string, MakeLayer> = {
  lstm: (o) => lstm({ units: H, ...bias, ...o }),
  'lstm relu': (o) => lstm({ units: H, activation: 'relu', ...o }),
  'lstm softplus': (o) => lstm({ units: H, activation: 'softplus', ...o }),
  gru: (o) => gru({ units: H, ...bias, ...o }),
  'gru reset before': (o) => gru({ units: H, resetAfter: false, updateGate: 'candidate', ...o }),
  rnn: (o) => simpleRNN({ units: H, ...bias, ...o }),
  peephole: (o) => peepholeLstm({ units: H, peepholeInitializer: 'randomUniform', ...o }),
  coupled: (o) => coupledLstm({ units: H, ...o }),
  'layer norm': (o) => layerNormLstm({ units: H, ...o }),
  projected: (o) => projectedLstm({ units: H, projection: 2, ...o }),
  minGru: (o) => minGru({ units: H, ...bias, ...o }),
  minLstm: (o) => minLstm({ units: H, ...bias, ...o }),
  custom: (o) => recurrent(new LeakyCell(), o),
  stacked: (o) => recurrent(stackedCells([lstmCell({ units: H }), gruCell({ units: 2 })]), o),
  'stacked with a custom cell': (o) =>
    recurrent(stackedCells([simpleRNNCell({ units: H }), new LeakyCell()]), o),
  zoneout: (o) => recurrent(zoneoutCell(lstmCell({ units: H }), { h: 0.2, c: 0.3 }), o),
};

/** The expected gates and states of a run of one layer, as nested numbers [B][T][size]. */
export interface Expected {
  gates: Record<string, number[][][]>;
  states: Record<string, number[][][]>;
}

const CONTEXT = { recurrentDropoutMask: null, constants: {}, prepared: {} };

/** Returns the result of one step; for a stack, with the gates of the inner cells. */
function stepOf(cell: Cell, x: Tensor, state: CellState): StepResult {
  if (!(cell instanceof StackedCells)) return cell.step(x, state, CONTEXT);
  let y = x;
  const gates: Record<string, Tensor> = {};
  const next: CellState = {};
  cell.cells.forEach((inner, n) => {
    const innerState = Object.fromEntries(
      Object.keys(inner.stateSizes).map((name) => [name, state[`${n}.${name}`]!]),
    );
    const result = inner.step(y, innerState, CONTEXT);
    for (const name in result.gates) gates[`${n}.${name}`] = result.gates[name]!;
    for (const name in result.state) next[`${n}.${name}`] = result.state[name]!;
    y = result.y;
  });
  return { y, state: next, gates };
}

const rowOf = (values: Tensor): number[] => Array.from(values.dataSync());

/** Returns the gates and states of a layer, computed row by row and step by step. Masked steps do not change the states. */
export function stepByStep(
  layer: Recurrent,
  x: number[][][],
  mask: number[][] | null,
  reverse: boolean,
): Expected {
  const expected: Expected = { gates: {}, states: {} };
  const { cell } = layer;
  x.forEach((row, b) => {
    let state: CellState = Object.fromEntries(
      Object.entries(cell.stateSizes).map(([name, size]) => [name, zeros([1, size])]),
    );
    const order = row.map((_, t) => (reverse ? row.length - 1 - t : t));
    for (const t of order) {
      const isValid = mask?.[b]?.[t] !== 0;
      const result = scope(() => stepOf(cell, tensor([row[t]!]), state));
      if (isValid) state = result.state;
      for (const name in result.gates) {
        const values = rowOf(result.gates[name]!);
        ((expected.gates[name] ??= [])[b] ??= [])[t] = isValid ? values : values.map(() => 0);
      }
      for (const name in state) ((expected.states[name] ??= [])[b] ??= [])[t] = rowOf(state[name]!);
    }
  });
  return expected;
}
