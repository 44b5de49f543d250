/**
 * The recurrent forecaster: the mean of two networks with different views. Both see the changes of the window relative to
 * the last one; the second also sees their absolute size. Their errors differ, so the mean is more accurate.
 *
 * Without future covariates, a network has recurrent layers and one dense layer for all horizon steps. With them, an encoder
 * reads the window, and a decoder that starts from the encoder's states reads the covariates of the horizon.
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
import type { CheckpointedTrainings } from '../shared/resume.js';
import { type EncodedRows, type NetworkPlan, PanelEncoder } from './encoder.js';
import type { Head } from './heads.js';
import type { Panel } from './panel.js';
import type { ForecastPlan } from './plan.js';

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
  /** Trains models and stores their checkpoints. */
  trainings: CheckpointedTrainings;
}

/** A trained network with its encoder. */
export interface FittedNetwork {
  model: Functional;
  encoder: PanelEncoder;
  plan: NetworkPlan;
  head: Head;
  /** Epochs of the training. */
  epochs: number;
}

/** For each network of the forecaster: whether it sees the absolute size of changes. */
export const VIEWS: readonly boolean[] = [false, true];
/** The plan of one of these networks. */
export const viewOf = (plan: Omit<ForecastPlan, 'cut' | 'origins'>, absolute: boolean): NetworkPlan => ({
  ...plan,
  horizon: plan.chunk,
  absolute,
});

/** More training pairs than this are subsampled, since they overlap almost completely. */
const MOST_PAIRS = 40_000;

/** Batch size: small for few pairs, so that an epoch has several steps. */
export function batchSizeFor(pairs: number): number {
  if (pairs > 8000) return 128;
  return pairs > 1500 ? 64 : 16;
}

/**
 * Forecasts and validation use a moving average of the weights over about one epoch (Polyak & Juditsky 1992). It is more
 * accurate than the weights of a single step, and its validation loss is smooth enough to choose the number of epochs.
 * @returns the momentum of the moving average
 */
const averageOver = (stepsPerEpoch: number): number => 1 - 1 / Math.max(2, stepsPerEpoch);

export function makeModel(encoder: PanelEncoder, plan: NetworkPlan, options: NetworkOptions): Functional {
  const { cell, units, layers, head, seed } = options;
  if (!Object.hasOwn(CELLS, cell)) {
    throw valueError(`cell must be one of ${CELL_NAMES.join(', ')}, got "${cell}".`, { cell });
  }
  // Layer names start with the view, so both networks fit into one artifact.
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

/** Stacked recurrent layers; all but the last return sequences. Returns [output, ...states] of each. */
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

/** Encoded rows as the model's inputs: x [N, window, I], and [N, horizon, F] with future covariates. */
export function inputTensors(
  rows: EncodedRows,
  encoder: PanelEncoder,
  { window, horizon }: NetworkPlan,
): Tensor[] {
  const x = hostTensor(rows.inputs, [rows.count, window, encoder.inputWidth]);
  if (encoder.futureWidth === 0) return [x];
  return [x, hostTensor(rows.future, [rows.count, horizon, encoder.futureWidth])];
}

/** Training pairs for `train`; targets [N, horizon, 1], for counts [N, horizon, 2]. */
const examples = (rows: EncodedRows, encoder: PanelEncoder, plan: NetworkPlan) => ({
  x: inputTensors(rows, encoder, plan),
  y: hostTensor(rows.targets, [rows.count, plan.horizon, encoder.targetWidth]),
});

/** Training rows before grid index `cut`, and validation rows from there to `validationEnd` (exclusive). */
export interface Split {
  cut: number;
  validationEnd?: number;
}

/**
 * Trains a network on all pairs before `cut` for a fixed number of epochs. With `validationEnd`, epoch events report the
 * validation loss.
 */
export async function* fitNetwork(
  panel: Panel,
  plan: NetworkPlan,
  { cut, validationEnd }: Split,
  options: NetworkOptions,
  epochs: number,
): AsyncGenerator<TrainEvent, FittedNetwork, void> {
  const encoder = PanelEncoder.fit(panel, plan, cut);
  const network = makeModel(encoder, plan, options);
  const { float } = currentBackend();
  const pairs = encoder.pairs({ from: Number.NEGATIVE_INFINITY, to: cut, most: MOST_PAIRS }, float);
  const validation =
    validationEnd === undefined
      ? null
      : encoder.pairs({ from: cut, to: validationEnd, most: MOST_PAIRS / 4 }, float);
  const { learningRate, head, seed, signal, trainings } = options;
  const batchSize = batchSizeFor(pairs.count);
  yield* trainings.train(network, {
    ...examples(pairs, encoder, plan),
    ...(validation === null ? {} : { validationData: examples(validation, encoder, plan) }),
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
