/**
 * Builds and trains the networks of a recurrent forecaster. A forecast is the mean of the forecasts of two networks with different
 * inputs. Both receive the scaled window, by default relative to its last row (representation.ts). The second also receives the rows
 * of the window standardised by training statistics (transform.ts). Their errors differ, so the mean is more accurate.
 *
 * Without future covariates, a network has recurrent layers and one dense layer for all horizon steps. With them, it has an
 * encoder that reads the window, and a decoder that starts from the encoder's states and reads the future covariates.
 */
import { currentBackend, type Tensor } from '@unroll/core';
import { hostTensor } from '@unroll/core/internal';
import { dense, type Functional, input, model, reshapeLayer, type SymbolicTensor } from '@unroll/nn';
import { adam, type Callback, type TrainEvent } from '@unroll/train';
import { cellMakers, type RecurrentCellName } from '../shared/recurrent-cells.js';
import type { CheckpointedTrainer } from '../shared/resume.js';
import { type EncodedRows, type NetworkPlan, PanelEncoder } from './encoder.js';
import type { Head } from './heads.js';
import { levelledPanel } from './levelled.js';
import type { Panel } from './panel.js';
import type { StoredPlan } from './plan.js';

export type CellName = RecurrentCellName;

export interface NetworkOptions {
  cell: CellName;
  /** Hidden units of each recurrent layer. */
  units: number;
  /** Number of recurrent layers. */
  layers: number;
  head: Head;
  learningRate: number;
  seed: number;
  signal?: AbortSignal;
  /** Trains models and stores their checkpoints. */
  trainer: CheckpointedTrainer;
}

/** A trained network with its encoder. */
export interface FittedNetwork {
  model: Functional;
  encoder: PanelEncoder;
  plan: NetworkPlan;
  head: Head;
  /** Number of epochs of the training. */
  epochs: number;
}

/** How the target is represented in the inputs of one network. The networks of a forecaster differ only in this. */
export interface Representation extends Pick<NetworkPlan, 'lag' | 'reference'> {
  /** Whether there is a second input channel: the rows of the window, standardised, without the subtraction of the reference. */
  hasUnsubtractedChannel: boolean;
}

/** Returns the representations of a forecaster whose networks differ only in their second input channel. */
export const sameRepresentations = (
  representation: Pick<Representation, 'lag' | 'reference'>,
): Representation[] => [
  { ...representation, hasUnsubtractedChannel: false },
  { ...representation, hasUnsubtractedChannel: true },
];

/** Returns the plan of one network. Its horizon is one chunk. */
export function networkPlanOf(
  { scaler, log, window, chunk, season, calendar = [] }: Omit<StoredPlan, 'representations'>,
  representation: Representation,
): NetworkPlan {
  return { scaler, log, window, horizon: chunk, season, calendar, ...representation };
}

/** Maximum number of training pairs. If there are more, a sample is used: neighbouring pairs overlap almost completely. */
const MAX_PAIRS = 40_000;

/** Returns the batch size. It is smaller for few pairs, so that every epoch has several steps. */
function batchSizeFor(pairs: number): number {
  if (pairs > 8000) return 128;
  return pairs > 1500 ? 64 : 16;
}

/**
 * Returns the momentum of a moving average of the weights over about one epoch, but at least two steps. Forecasts and
 * validation use these averaged weights (Polyak & Juditsky 1992). They are more accurate than the weights of a single step,
 * and their validation loss is smooth enough to choose the number of epochs.
 */
const averageMomentum = (stepsPerEpoch: number): number => 1 - 1 / Math.max(2, stepsPerEpoch);

/** Builds an untrained network. */
function makeModel(encoder: PanelEncoder, plan: NetworkPlan, options: NetworkOptions): Functional {
  const { cell, units, layers, head, seed } = options;
  // Layer names differ between the two networks, because both are stored in one artifact.
  const named = (name: string) => ({
    name: `${plan.hasUnsubtractedChannel ? 'absolute' : 'relative'}_${name}`,
  });
  const window = input({ shape: [plan.window, encoder.inputWidth], ...named('window') });
  const first = withSeveralFeatures(window, encoder.inputWidth, cell, named('window_features'));
  const layerOutputs = stackLayers(first, options, encoder.futureWidth > 0, named);
  if (encoder.futureWidth === 0) {
    const [lastOutput] = layerOutputs[layerOutputs.length - 1];
    const flat = dense({ units: plan.horizon * head.outputs, ...named('head') }).apply(lastOutput);
    const reshape = reshapeLayer({ targetShape: [plan.horizon, head.outputs], ...named('rows') });
    return model({ inputs: window, outputs: reshape.apply(flat), seed });
  }
  const future = input({ shape: [plan.horizon, encoder.futureWidth], ...named('ahead') });
  const states = layerOutputs.map((outputs) => outputs.slice(1));
  let decoded = withSeveralFeatures(future, encoder.futureWidth, cell, named('ahead_features'));
  for (let layer = 0; layer < layers; layer++) {
    const decoder = cellMakers(cell).layer({ units, returnSequences: true, ...named(`decoder${layer + 1}`) });
    decoded = decoder.apply(decoded, { initialState: states[layer] });
  }
  const outputs = dense({ units: head.outputs, ...named('head') }).apply(decoded);
  return model({ inputs: [window, future], outputs, seed });
}

/**
 * Converts a single feature to several, for cells that normalise the products of weights and inputs. Such a cell would see only the
 * sign of a single feature, because all products are proportional to it.
 */
function withSeveralFeatures(
  sequence: SymbolicTensor,
  width: number,
  cell: CellName,
  named: { name: string },
): SymbolicTensor {
  return cell === 'layerNormLSTM' && width === 1 ? dense({ units: 8, ...named }).apply(sequence) : sequence;
}

/** Applies stacked recurrent layers, all but the last with `returnSequences`. Returns the output and the states of each layer. */
function stackLayers(
  window: SymbolicTensor,
  { cell, units, layers }: NetworkOptions,
  returnState: boolean,
  named: (name: string) => { name: string },
): SymbolicTensor[][] {
  const outputs: SymbolicTensor[][] = [];
  let layerInput = window;
  for (let layer = 0; layer < layers; layer++) {
    const returnSequences = layer < layers - 1;
    const layerOptions = { units, returnSequences, returnState, ...named(`${cell}${layer + 1}`) };
    const layerOutput = cellMakers(cell).layer(layerOptions).apply(layerInput);
    outputs.push([...layerOutput]);
    layerInput = layerOutput;
  }
  return outputs;
}

/** Converts encoded rows to the inputs of a network: [N, window, I] and, with future covariates, [N, horizon, F]. */
export function inputTensors(
  rows: EncodedRows,
  encoder: PanelEncoder,
  { window, horizon }: NetworkPlan,
): Tensor[] {
  const x = hostTensor(rows.inputs, [rows.count, window, encoder.inputWidth]);
  if (encoder.futureWidth === 0) return [x];
  return [x, hostTensor(rows.future, [rows.count, horizon, encoder.futureWidth])];
}

/** Converts training pairs to data for `train`. The targets are [N, horizon, 1], or [N, horizon, 2] for counts. */
const examples = (rows: EncodedRows, encoder: PanelEncoder, plan: NetworkPlan) => ({
  x: inputTensors(rows, encoder, plan),
  y: hostTensor(rows.targets, [rows.count, plan.horizon, encoder.targetWidth]),
});

/** A split into training rows before grid index `cut` and validation rows from `cut` to `validationEnd` (exclusive). */
export interface Split {
  cut: number;
  validationEnd?: number;
}

/** A network and the events of its training. Consuming the events trains the network; it is trained after the last one. */
interface NetworkTraining {
  network: FittedNetwork;
  events: AsyncGenerator<TrainEvent, void, void>;
}

/**
 * Prepares the training of a network on the pairs before `cut`. With `validationEnd`, epoch events report the validation loss.
 * @param epochs number of epochs, unless a callback stops the training earlier
 * @param callbacks callbacks of the training, given its number of steps per epoch. Default: none
 */
export function networkTraining(
  rawPanel: Panel,
  plan: NetworkPlan,
  { cut, validationEnd }: Split,
  options: NetworkOptions,
  epochs: number,
  callbacks: (stepsPerEpoch: number) => readonly Callback[] = () => [],
): NetworkTraining {
  const encoder = PanelEncoder.fit(levelledPanel(rawPanel, plan, cut), plan, cut);
  const network = makeModel(encoder, plan, options);
  const { float } = currentBackend();
  const range = { from: Number.NEGATIVE_INFINITY, to: cut };
  const pairs = encoder.pairs({ ...range, maxPairs: MAX_PAIRS, dropCategories: true }, float);
  const validation =
    validationEnd === undefined
      ? null
      : encoder.pairs({ from: cut, to: validationEnd, maxPairs: MAX_PAIRS / 4 }, float);
  const { learningRate, head, seed, signal, trainer } = options;
  const batchSize = batchSizeFor(pairs.count);
  const stepsPerEpoch = Math.ceil(pairs.count / batchSize);
  const trainOptions = {
    ...examples(pairs, encoder, plan),
    ...(validation === null ? {} : { validationData: examples(validation, encoder, plan) }),
    ...(signal === undefined ? {} : { signal }),
    loss: head.loss(),
    optimizer: adam({ learningRate }),
    batchSize,
    average: { momentum: averageMomentum(stepsPerEpoch) },
    shuffle: true,
    seed,
    clip: { globalNorm: 1 },
    epochs,
  };
  return {
    network: { model: network, encoder, plan, head, epochs },
    events: thenRelease(trainer.train(network, trainOptions, callbacks(stepsPerEpoch)), [pairs, validation]),
  };
}

/**
 * Yields the events of a training run, then frees the memory of its examples. The garbage collector would free it much later,
 * because V8 keeps large arrays of the last training run alive during the next one.
 */
async function* thenRelease(
  events: AsyncGenerator<TrainEvent, void, void>,
  examples: readonly (EncodedRows | null)[],
): AsyncGenerator<TrainEvent, void, void> {
  try {
    yield* events;
  } finally {
    for (const rows of examples)
      for (const { buffer } of rows === null ? [] : [rows.inputs, rows.future, rows.targets])
        structuredClone(buffer, { transfer: [buffer] }); // The copy is a young object, which is soon collected.
  }
}

/** Trains a network on the pairs before `cut` for a fixed number of epochs. */
export async function* fitNetwork(
  panel: Panel,
  plan: NetworkPlan,
  split: Split,
  options: NetworkOptions,
  epochs: number,
): AsyncGenerator<TrainEvent, FittedNetwork, void> {
  const { network, events } = networkTraining(panel, plan, split, options, epochs);
  yield* events;
  return network;
}
