/**
 * The recurrent forecaster: the mean of two networks. One sees the changes of the window measured from the last one, the
 * other their absolute size too; where one of them errs the other errs differently.
 *
 * Without future covariates a network is recurrent layers and a dense layer for all rows ahead; with them an encoder
 * reads the window and a decoder, which begins with the encoder's states, reads the covariates of the rows ahead.
 */
import { currentBackend, type Tensor, valueError } from '@unroll/core';
import { hostTensor } from '@unroll/core/internal';
import {
  dense,
  type Functional,
  gru,
  input,
  lstm,
  model,
  type Recurrent,
  type RecurrentOptions,
  reshapeLayer,
  type SymbolicTensor,
  simpleRNN,
} from '@unroll/nn';
import { adam, type TrainEvent } from '@unroll/train';
import { type EncodedRows, type NetworkPlan, PanelEncoder } from './encoder.js';
import type { Head } from './heads.js';
import type { Panel } from './panel.js';
import type { ForecastPlan } from './plan.js';
import type { KeptTrainings } from '../shared/resume.js';

export type CellName = 'rnn' | 'lstm' | 'gru';
const CELLS: Readonly<Record<CellName, (options: RecurrentOptions & { units: number }) => Recurrent>> = {
  rnn: simpleRNN,
  lstm,
  gru,
};
export const CELL_NAMES = Object.keys(CELLS) as CellName[];

export interface NetworkOptions {
  cell: CellName;
  /** Hidden units of each recurrent layer. */
  units: number;
  /** Recurrent layers. */
  layers: number;
  head: Head;
  learningRate: number;
  seed: number;
  signal?: AbortSignal;
  /** What trains, and keeps checkpoints of it. */
  trainings: KeptTrainings;
}

/** A trained network with the encoder it was trained for. */
export interface FittedNetwork {
  model: Functional;
  encoder: PanelEncoder;
  plan: NetworkPlan;
  head: Head;
  /** Passes it was trained for. */
  epochs: number;
}

/** Whether each network of the forecaster sees the absolute size of changes. */
export const VIEWS: readonly boolean[] = [false, true];
/** What one of these networks is made for. */
export const viewOf = (plan: Omit<ForecastPlan, 'cut' | 'origins'>, absolute: boolean): NetworkPlan => ({
  ...plan,
  horizon: plan.reach,
  absolute,
});

/** Training pairs beyond this number are thinned out: they overlap nearly wholly anyway. */
const MOST_PAIRS = 40_000;

/** Examples of one step: few while there are few pairs, so that a pass has some steps. */
export function batchSizeFor(pairs: number): number {
  if (pairs > 8000) return 128;
  return pairs > 1500 ? 64 : 16;
}

/**
 * The weights that forecast, and that validation measures, are a moving average over about the last pass (Polyak &
 * Juditsky 1992): it errs less than the weights of any one step, and its loss falls smoothly enough to be searched.
 * @returns the share of the average that a step keeps
 */
const averageOver = (stepsOfPass: number): number => 1 - 1 / Math.max(2, stepsOfPass);

export function makeModel(encoder: PanelEncoder, plan: NetworkPlan, options: NetworkOptions): Functional {
  const { cell, units, layers, head, seed } = options;
  if (!Object.hasOwn(CELLS, cell)) {
    throw valueError(`There is no cell "${cell}". Choose one of ${CELL_NAMES.join(', ')}.`, { cell });
  }
  // Named by what they see, so that both networks fit into one artifact.
  const named = (name: string) => ({ name: `${plan.absolute ? 'absolute' : 'relative'}_${name}` });
  const rows = input({ shape: [plan.window, encoder.inputWidth], ...named('window') });
  const layersBelow = stack(rows, options, encoder.futureWidth > 0, named);
  if (encoder.futureWidth === 0) {
    const [last] = layersBelow[layersBelow.length - 1];
    const flat = dense({ units: plan.horizon * head.parts, ...named('head') }).apply(last);
    const shape = reshapeLayer({ targetShape: [plan.horizon, head.parts], ...named('rows') });
    return model({ inputs: rows, outputs: shape.apply(flat), seed });
  }
  const ahead = input({ shape: [plan.horizon, encoder.futureWidth], ...named('ahead') });
  const states = layersBelow.map((outputs) => outputs.slice(1));
  let decoded = ahead;
  for (let layer = 0; layer < layers; layer++) {
    const decoder = CELLS[cell]({ units, returnSequences: true, ...named(`decoder${layer + 1}`) });
    decoded = decoder.apply(decoded, { initialState: states[layer] });
  }
  const outputs = dense({ units: head.parts, ...named('head') }).apply(decoded);
  return model({ inputs: [rows, ahead], outputs, seed });
}

/** Recurrent layers one above the other; all but the last give whole sequences. [output, ...states] of each. */
function stack(
  rows: SymbolicTensor,
  { cell, units, layers }: NetworkOptions,
  returnState: boolean,
  named: (name: string) => { name: string },
): SymbolicTensor[][] {
  const outputs: SymbolicTensor[][] = [];
  let below = rows;
  for (let layer = 0; layer < layers; layer++) {
    const returnSequences = layer < layers - 1;
    const own = { units, returnSequences, returnState, ...named(`${cell}${layer + 1}`) };
    const made = CELLS[cell](own).apply(below);
    outputs.push([...made]);
    below = made;
  }
  return outputs;
}

/** Encoded rows as the model's inputs: x [N, window, I], and [N, horizon, F] where there are future covariates. */
export function inputTensors(
  rows: EncodedRows,
  encoder: PanelEncoder,
  { window, horizon }: NetworkPlan,
): Tensor[] {
  const x = hostTensor(rows.inputs, [rows.count, window, encoder.inputWidth]);
  if (encoder.futureWidth === 0) return [x];
  return [x, hostTensor(rows.future, [rows.count, horizon, encoder.futureWidth])];
}

/** Pairs as `train` takes them; targets [N, horizon, 1], of counts [N, horizon, 2]. */
const examples = (rows: EncodedRows, encoder: PanelEncoder, plan: NetworkPlan) => ({
  x: inputTensors(rows, encoder, plan),
  y: hostTensor(rows.targets, [rows.count, plan.horizon, encoder.targetWidth]),
});

/** Rows to train on, all before grid place `cut`, and the rows after it whose loss is to be measured. */
export interface Split {
  cut: number;
  heldTo?: number;
}

/**
 * Trains a network on all pairs before `cut` for a fixed number of passes. With `heldTo`, epoch events tell the loss on
 * pairs whose targets lie in between, for a point head in the unit of unscaled changes.
 */
export async function* fitNetwork(
  panel: Panel,
  plan: NetworkPlan,
  { cut, heldTo }: Split,
  options: NetworkOptions,
  epochs: number,
): AsyncGenerator<TrainEvent, FittedNetwork, void> {
  const encoder = PanelEncoder.fit(panel, plan, cut);
  const network = makeModel(encoder, plan, options);
  const { float } = currentBackend();
  const pairs = encoder.pairs({ from: Number.NEGATIVE_INFINITY, to: cut, most: MOST_PAIRS }, float);
  const held =
    heldTo === undefined ? null : encoder.pairs({ from: cut, to: heldTo, most: MOST_PAIRS / 4 }, float);
  const { learningRate, head, seed, signal, trainings } = options;
  const batchSize = batchSizeFor(pairs.count);
  yield* trainings.train(network, {
    ...examples(pairs, encoder, plan),
    ...(held === null ? {} : { validationData: examples(held, encoder, plan) }),
    ...(signal === undefined ? {} : { signal }),
    loss: head.loss(),
    optimizer: adam({ learningRate }),
    batchSize,
    average: { momentum: averageOver(Math.ceil(pairs.count / batchSize)) },
    shuffle: true,
    seed,
    clip: { globalNorm: 1 },
    epochs,
  });
  return { model: network, encoder, plan, head, epochs };
}
