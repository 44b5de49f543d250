/**
 * The engine brain.js. Its networks run one sequence at a time and compute variants of the equations: the simple RNN
 * uses ReLU, the GRU applies the reset gate before the matrix product, and the "LSTM" has no cell state (it multiplies
 * h by the forget gate). The oracle computes the same variants. Training is not compared: brain.js updates the weights
 * with its own RMSprop after every sequence, and has neither Adam nor batches.
 */
import { importPeer, peerVersion, threads } from '#host';
import type { RowData } from '../data.js';
import { type CellName, GATES, type Mode, type Row, type Variant } from '../rows.js';
import { type PreparedRow, serve, Unavailable } from './serve.js';

interface Matrix {
  weights: Float32Array | number[];
}
interface Network {
  initialize(): void;
  bindEquation(): void;
  run(sequence: readonly (number | Float32Array)[]): unknown;
  model: {
    hiddenLayers: Record<string, Matrix>[];
    equationConnections: Matrix[][];
  };
}
type NetworkClass = new (options: {
  inputSize: number;
  hiddenLayers: number[];
  outputSize: number;
}) => Network;
interface Brain {
  recurrent: Record<'RNNTimeStep' | 'LSTMTimeStep' | 'GRUTimeStep', NetworkClass>;
}

const CLASSES = { rnn: 'RNNTimeStep', lstm: 'LSTMTimeStep', gru: 'GRUTimeStep' } as const;
const VARIANTS: Record<CellName, Variant> = { rnn: 'relu', lstm: 'no-cell', gru: 'reset-before' };

/** The names of W, U and b of each gate in brain.js, in Unroll's gate order. */
const WEIGHT_NAMES: Record<CellName, [W: string, U: string, b: string][]> = {
  rnn: [['weight', 'transition', 'bias']],
  lstm: ['input', 'forget', 'cellActivation', 'output'].map((gate) => [
    `${gate}Matrix`,
    `${gate}Hidden`,
    `${gate}Bias`,
  ]),
  gru: ['updateGate', 'resetGate', 'cellWrite'].map((gate) => [
    `${gate}InputMatrix`,
    `${gate}HiddenMatrix`,
    `${gate}Bias`,
  ]),
};

const brain = await importPeer<Brain>('brain.js');

function setWeights(network: Network, { kind, H }: Row, { weights }: RowData): void {
  const G = GATES[kind];
  const layer = network.model.hiddenLayers[0];
  WEIGHT_NAMES[kind].forEach((names, gate) => {
    names.forEach((name, weight) => {
      const source = weights[weight].values;
      const target = layer[name].weights;
      // A matrix is [H, rows] in brain.js and [rows, G·H] in the data file.
      const rows = target.length / H;
      for (let r = 0; r < rows; r++) {
        for (let u = 0; u < H; u++) target[u * rows + r] = source[r * G * H + gate * H + u];
      }
    });
  });
}

async function prepare(row: Row, mode: Mode, data: RowData): Promise<PreparedRow> {
  if (mode === 'train') throw new Unavailable('trains on one sequence at a time and does not support Adam');
  if (mode === 'stream') throw new Unavailable('does not keep the state between calls');
  if (row.textModel) throw new Unavailable('does not support text models');
  if (row.cell === 'bilstm2') throw new Unavailable('does not support bidirectional layers');
  if (threads > 1) throw new Unavailable('does not support threads');
  const { I, H, B, T } = row;
  const network = new brain.recurrent[CLASSES[row.kind]]({
    inputSize: I,
    hiddenLayers: [H],
    outputSize: 1,
  });
  network.initialize();
  network.bindEquation(); // Without it, run() throws: brain.js takes the network for untrained.
  setWeights(network, row, data);
  const step = (b: number, t: number): number | Float32Array => {
    const values = data.inputs[0].values.subarray((b * T + t) * I, (b * T + t + 1) * I);
    return I === 1 ? values[0] : values;
  };
  const sequences = Array.from({ length: B }, (_, b) => Array.from({ length: T }, (_, t) => step(b, t)));
  return {
    variant: VARIANTS[row.kind],
    work: () => {
      for (const sequence of sequences) network.run(sequence);
    },
    outputs: () => {
      const out = new Float32Array(B * H);
      sequences.forEach((sequence, b) => {
        network.run(sequence);
        out.set(network.model.equationConnections[T - 1]!.at(-1)!.weights, b * H);
      });
      return out;
    },
  };
}

serve({
  hello: async () => ({
    version: await peerVersion('brain.js'),
    description: 'plain JavaScript, one thread',
  }),
  prepare,
});
