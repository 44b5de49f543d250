/**
 * `trainTagger`: trains a tagger on sentences of tokens with tags. The run is planned by plan.ts; the network is built by
 * network.ts. Training ends when F1 (or the share of correct tags) on the validation sentences stops improving, and the weights of
 * the best epoch are kept. The validation loss starts to rise some epochs before that, because the network becomes too
 * confident of its wrong predictions.
 */
import { currentBackend, RandomStream, ready, valueError } from '@unroll/core';
import { checkOptions as checkNamesAndTypes, type OptionTypes } from '@unroll/core/internal';
import type { TaggedSentences } from '@unroll/data';
import { adamw, type TrainOptions } from '@unroll/train';
import type { RunEvent } from '../shared/events.js';
import { CELL_NAMES } from '../shared/recurrent-cells.js';
import { CheckpointedTrainer } from '../shared/resume.js';
import { RUN_CONTROL, type RunControl } from '../shared/run-control.js';
import { runToEnd } from '../shared/run-to-end.js';
import { paddedIds, textBatches } from '../shared/text-batches.js';
import { type NetworkTraining, trainNetwork } from '../shared/training.js';
import { chooseOffset, offsetsOf, type TagOffset, tagScores } from './decisions.js';
import { inputsOf } from './encoder.js';
import { goalName } from './goal.js';
import { goalMetric } from './metric.js';
import { type PredictedTags, TagModel } from './model.js';
import { joinScores, type TagCell, taggerNetworks } from './network.js';
import { TAG_FORMAT } from './pipeline.js';
import { type EncodedSentences, type PreparedTagger, prepare } from './plan.js';
import { planEvent, resultEvent } from './run-events.js';
import { scoreTags, summaryTable, type TagScoresReport, typeTable } from './scores.js';
import { TAG_SCHEMES, type TagScheme } from './tags.js';

const STAGE = { stage: 'train', title: 'training' };

export interface TagOptions extends RunControl {
  /** Sentences for validation. Default: a tenth of the sentences. */
  validation?: TaggedSentences;
  /** How tags mark entities. Default: inferred from the tags. */
  scheme?: TagScheme;
  /** With the scheme `none`: the tag that is scored by F1. Default: the rarer tag if there are exactly two. */
  positive?: string;
  /** The recurrent cell, see {@link RecurrentCellName}. Default `lstm`. */
  cell?: TagCell;
  /** Hidden units of each direction of each recurrent layer. Default 100. */
  units?: number;
  /** Recurrent layers. Default: 1, or 2 for 150,000 tokens or more. */
  layers?: number;
  /** Width of the word embedding. Default 100. */
  embedding?: number;
  /** Dropout rate, from 0 to below 1. The share of words replaced by the unknown word depends on it (see plan.ts). Default 0.5. */
  dropout?: number;
  /** Number of networks, whose scores are averaged. Default: 3, or 1 for 500,000 tokens or more. */
  networks?: number;
  /** Maximum number of epochs. Default 50. */
  epochs?: number;
  /** Sentences per training step. Default: from 8 to 32, by the number of sentences. */
  batchSize?: number;
  /** Learning rate of AdamW. Default 0.002. */
  learningRate?: number;
  /** Convert tokens to lower case. Default false: the characters of words keep their case. */
  lowercase?: boolean;
  /** Seed of the split, the initial weights, shuffling and dropout. Default 0. */
  seed?: number;
}

export interface TagRunResult {
  /** What was decided before the training. */
  plan: PreparedTagger;
  /** The training of each network. The metric of an epoch is `f1` or `accuracy`. */
  trainings: NetworkTraining[];
  /** The offset of the decisions; null if there is none. */
  offset: TagOffset | null;
  /** Scores on the validation sentences. */
  scores: TagScoresReport;
  /** Predicted tags of each validation sentence, with their probabilities. */
  predictions: PredictedTags[];
  /** The trained model. It can be saved, and can predict and evaluate. */
  model: TagModel;
  seconds: number;
}

/**
 * Plans the training, without training.
 * @throws UnrollError `data` or `value` for invalid sentences or options
 */
export function prepareTagger(data: TaggedSentences, options: TagOptions = {}): PreparedTagger {
  checkOptions(options);
  return prepare(data, options);
}

/** Trains a tagger and yields the events of the run; the return value is the result. */
export async function* tagEvents(
  data: TaggedSentences,
  options: TagOptions = {},
): AsyncGenerator<RunEvent, TagRunResult, void> {
  const start = performance.now();
  const plan = prepareTagger(data, options);
  await ready();
  yield { event: 'backend', backend: currentBackend().description };
  yield planEvent(plan);
  const { sizes, settings, encoder, goal, constraints, validationSentences } = plan;
  const seeds = [...new RandomStream(settings.seed, 'tag', 'networks').words(settings.networks)];
  const tagger = taggerNetworks({
    ...{ ...sizes, constraints, seeds, tags: goal.tags.length },
    ...{ vocabulary: encoder.words.size, alphabet: encoder.characters?.size ?? 0 },
  });
  const trainer = new CheckpointedTrainer(options.store ?? null, options.budget);
  const trainings: NetworkTraining[] = [];
  for (const [n, network] of tagger.networks.entries()) {
    const info = { ...STAGE, model: sizes.cell, training: n + 1, trainings: settings.networks };
    const training = trainingOptions(plan, seeds[n], options.signal);
    const run = { info, trainer, patience: settings.patience, metric: goalName(goal) };
    trainings.push(yield* trainNetwork(network, training, run));
  }
  joinScores(tagger, offsetsOf(goal, 0));
  const { validation } = plan;
  const pieceTags = validation.tags.map((ids) => Array.from(ids, (id) => goal.tags[id]));
  const joinedScores = await tagScores(tagger.joined, validation.sentences, constraints);
  const offset = chooseOffset(goal, joinedScores, pieceTags);
  if (offset !== null) joinScores(tagger, offsetsOf(goal, offset.value));
  const model = modelOf(tagger.joined, plan, offset);
  const predictions = await model.tag(validationSentences.map(({ tokens }) => tokens));
  const actual = validationSentences.map(({ tags }) => tags);
  const scores = scoreTags(
    goal,
    actual,
    predictions.map(({ tags }) => tags),
  );
  if (offset !== null && offset.value !== 0) yield { event: 'note', text: offsetNote(plan, offset) };
  yield { event: 'scores', ...summaryTable(scores, goal, sizes.cell) };
  yield { event: 'table', name: 'types', title: titleOf(plan), ...typeTable(scores, goal) };
  const seconds = (performance.now() - start) / 1000;
  const epochs = trainings.map(({ bestEpoch }) => bestEpoch);
  yield resultEvent(plan, scores, { parameters: tagger.joined.countParams(), epochs, seconds });
  return { plan, trainings, offset, scores, predictions, model, seconds };
}

/**
 * Trains a tagger.
 * @param data sentences with tags, such as those of `parseConll`
 * @param options options of the run; `onEvent` is called for every event
 * @throws UnrollError `data` or `value` for invalid sentences or options
 */
export async function trainTagger(
  data: TaggedSentences,
  { onEvent, ...options }: TagOptions & { onEvent?: (event: RunEvent) => void } = {},
): Promise<TagRunResult> {
  return runToEnd(tagEvents(data, options), onEvent);
}

const titleOf = ({ goal }: PreparedTagger): string =>
  goal.scheme === 'none' ? 'Scores by tag' : 'Scores by type';

function offsetNote({ goal }: PreparedTagger, { value, before, after }: TagOffset): string {
  const which = goal.scheme === 'none' ? `the tag ${goal.positive}` : 'entity tags';
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  return `Offset: ${value} is added to the scores of ${which}, which changes validation F1 from ${percent(before)} to ${percent(after)}.`;
}

/** Returns the options of the training run. Each epoch has its own random batches, the same in a resumed run. */
function trainingOptions(plan: PreparedTagger, seed: number, signal?: AbortSignal): TrainOptions {
  const { training, validation, settings, goal } = plan;
  const { batchSize, epochs, learningRate } = settings;
  const random = new RandomStream(seed, 'tag', 'batches');
  const batchesOf = (epoch: number) => textBatches(training.tags, batchSize, random.child(epoch));
  const stepsPerEpoch = batchesOf(1).length;
  return {
    *batches(epoch: number) {
      for (const rows of batchesOf(epoch)) yield batchOf(training, rows);
    },
    stepsPerEpoch,
    validationData: textBatches(validation.tags, 64).map((rows) => batchOf(validation, rows)),
    loss: 'crf',
    metrics: [goalMetric(goal)],
    optimizer: adamw({ learningRate, weightDecay: 0.01 }),
    average: { momentum: 1 - 1 / Math.max(2, stepsPerEpoch) },
    clip: { globalNorm: 5 },
    ...{ seed, epochs, ...(signal && { signal }) },
  };
}

const batchOf = ({ sentences, tags }: EncodedSentences, rows: Uint32Array) => ({
  x: inputsOf(sentences, rows),
  y: paddedIds(tags, rows),
});

function modelOf(network: TagModel['network'], plan: PreparedTagger, offset: TagOffset | null): TagModel {
  const { goal, sizes, settings, encoder, column } = plan;
  const { cell, layers, units } = sizes;
  const pipeline = {
    format: TAG_FORMAT,
    column: column ?? null,
    ...{ tags: goal.tags, scheme: goal.scheme, positive: goal.positive, offset: offset?.value ?? 0 },
    ...{ cell, layers, units, networks: settings.networks },
    ...encoder.config,
  } as const;
  return new TagModel(pipeline, network);
}

const OPTIONS: OptionTypes<TagOptions & { onEvent?: unknown }> = {
  validation: true,
  scheme: TAG_SCHEMES,
  positive: 'string',
  cell: CELL_NAMES,
  units: 'count',
  layers: 'count',
  embedding: 'count',
  dropout: 'fraction',
  networks: 'count',
  epochs: 'count',
  batchSize: 'count',
  learningRate: 'number',
  lowercase: 'boolean',
  seed: 'nonNegativeInteger',
  ...RUN_CONTROL,
};

function checkOptions(options: TagOptions): void {
  checkNamesAndTypes('trainTagger', options, OPTIONS);
  const { learningRate = 1 } = options;
  if (learningRate <= 0)
    throw valueError(`learningRate must be above 0, got ${learningRate}.`, { learningRate });
}
