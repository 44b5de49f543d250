/**
 * `trainVoice`: reads a table of texts and recordings and trains a model that speaks texts. A network converts characters to
 * log-mel frames (Tacotron: Wang et al. 2017, Shen et al. 2018), and the Griffin-Lim algorithm converts frames to sound. The run is
 * planned by plan.ts; the network is built by network.ts and trained with teacher forcing and scheduled sampling. Training ends
 * when the validation loss stops improving, and the weights of the best epoch are kept.
 */
import { currentBackend, RandomStream, ready, tensor, valueError } from '@unroll/core';
import { checkOptions as checkNamesAndTypes, type OptionTypes } from '@unroll/core/internal';
import { padSequences, type Table } from '@unroll/data';
import { adam, type TrainOptions } from '@unroll/train';
import type { RunEvent } from '../shared/events.js';
import { batchesOf } from '../shared/length-batches.js';
import { CELL_NAMES } from '../shared/recurrent-cells.js';
import { RUN_CONTROL, type RunControl } from '../shared/run-control.js';
import { runToEnd } from '../shared/run-to-end.js';
import { type NetworkTraining, trainSingleNetwork } from '../shared/training.js';
import { frameSampling, type SynthesisedSpectrogram } from './decode.js';
import { SpeakModel } from './model.js';
import { type SpeakCell, type SpeakNetworks, speakNetworks } from './network.js';
import { MAX_REDUCTION, SPEAK_FORMAT } from './pipeline.js';
import { type EncodedSpeech, type PreparedVoice, prepare } from './plan.js';
import { planEvent, resultEvent } from './run-events.js';
import { type SpeakScores, scoreTable } from './scores.js';

/** Largest number of validation texts that are synthesised and scored. */
const MAX_SCORED = 50;
/** Weight of the loss of the stop token. */
const STOP_WEIGHT = 0.3;
/** Scheduled sampling reaches its largest probability after this fraction of the planned updates or after MAX_RAMP updates, whichever is less. */
const RAMP_SHARE = 0.25;
const MAX_RAMP = 3000;

export interface SpeakOptions extends RunControl {
  /** Name of the column with the texts. */
  text: string;
  /** Name of the column with the sounds: the bytes of WAV files, or objects { samples, sampleRate }. */
  audio: string;
  /** Rows for validation, with the same columns. Default: a tenth of the rows, at most 300. */
  validation?: Table;
  /** Frames of 12.5 ms per step of the decoder. Default 4. */
  reduction?: number;
  /** Number of mel filters. Default 80. */
  mels?: number;
  /** Sample rate of the synthesised speech in Hz. Default: the most frequent rate of the training sounds, at most 16,000. */
  sampleRate?: number;
  /**
   * Largest probability that a previous frame is replaced by one that the model generated (scheduled sampling), from 0 to below 1.
   * Default 0.3.
   */
  sampling?: number;
  /** The recurrent cell. Default `lstm`. */
  cell?: SpeakCell;
  /** Hidden units of the decoder; the encoder has half as many in each direction. Default 256. */
  units?: number;
  /** Layers of the decoder. Default 1. */
  layers?: number;
  /** Width of the embedding of characters. Default 128. */
  embedding?: number;
  /** Dropout rate of the encoder, from 0 to below 1. Default 0.2. */
  dropout?: number;
  /** Maximum number of epochs. Default: from 20 to 200, for about 8,000 training steps. */
  epochs?: number;
  /** Sounds per training step. Default 8 or 16, by the number of sounds; fewer for very long sounds. */
  batchSize?: number;
  /** Learning rate of Adam. Default 0.001. */
  learningRate?: number;
  /** Convert texts to lower case. Default false. */
  lowercase?: boolean;
  /** Seed of the split, the initial weights, shuffling and dropout. Default 0. */
  seed?: number;
}

export interface SpeakResult {
  /** What was decided before the training. */
  plan: PreparedVoice;
  /** The training of the network. */
  training: NetworkTraining;
  /** The spectrograms that the model generates for the first 50 validation texts. */
  spoken: SynthesisedSpectrogram[];
  /** The scores of `spoken`. */
  scores: SpeakScores;
  /** The trained model. It can be saved, and can speak and evaluate. */
  model: SpeakModel;
  seconds: number;
}

/**
 * Reads the tables and plans the training, without training.
 * @throws UnrollError `data` or `value` for invalid tables or options
 */
export function prepareVoice(table: Table, options: SpeakOptions): PreparedVoice {
  checkOptions(options);
  return prepare(table, options);
}

/** Trains a voice and yields the events of the run; the return value is the result. */
export async function* speakEvents(
  table: Table,
  options: SpeakOptions,
): AsyncGenerator<RunEvent, SpeakResult, void> {
  const start = performance.now();
  const plan = prepareVoice(table, options);
  await ready();
  yield { event: 'backend', backend: currentBackend().description };
  yield planEvent(plan);
  const { sizes, settings, characters, voice, validation } = plan;
  const [seed] = new RandomStream(settings.seed, 'speak', 'network').words(1);
  const networks = speakNetworks({ ...sizes, characters: characters.size, mels: voice.mels, seed });
  const training = yield* trainSingleNetwork(
    networks.training,
    trainingOptions(plan, networks, seed, options.signal),
    { ...{ model: sizes.cell, control: options, patience: settings.patience } },
  );
  const model = modelOf(plan, networks.inference);
  const spoken = await model.spectrograms(validation.texts.slice(0, MAX_SCORED).map(({ ids }) => ids));
  const scores = model.scoresOf(spoken, validation.spectrograms);
  yield { event: 'scores', ...scoreTable(scores, spoken.length, sizes.cell) };
  const seconds = (performance.now() - start) / 1000;
  const trained = { parameters: model.network.countParams(), epochs: training.bestEpoch, seconds };
  yield resultEvent(plan, scores, trained);
  return { plan, training, spoken, scores, model, seconds };
}

/**
 * Trains a voice.
 * @param table each row has a text and its recording
 * @param options options of the run; `onEvent` is called for every event
 * @throws UnrollError `data` or `value` for an invalid table or invalid options
 */
export async function trainVoice(
  table: Table,
  { onEvent, ...options }: SpeakOptions & { onEvent?: (event: RunEvent) => void },
): Promise<SpeakResult> {
  return runToEnd(speakEvents(table, options), onEvent);
}

/** Returns the options of the training run. Each epoch has its own random batches, the same in a resumed run. */
function trainingOptions(
  plan: PreparedVoice,
  networks: SpeakNetworks,
  seed: number,
  signal?: AbortSignal,
): TrainOptions {
  const { training, validation, settings, voice, sizes } = plan;
  const { batchSize, epochs, learningRate, sampling } = settings;
  const random = new RandomStream(seed, 'speak', 'batches');
  const rowsOf = (epoch: number) => batchesOf(training.spectrograms, batchSize, random.child(epoch));
  const stepsPerEpoch = rowsOf(1).length;
  const shape = { reduction: sizes.reduction, mels: voice.mels };
  const ramp = Math.min(MAX_RAMP, Math.ceil(RAMP_SHARE * stepsPerEpoch * epochs));
  return {
    *batches(epoch: number) {
      for (const rows of rowsOf(epoch)) yield batchOf(plan, training, rows);
    },
    stepsPerEpoch,
    validationData: batchesOf(validation.spectrograms, 32).map((rows) => batchOf(plan, validation, rows)),
    loss: [
      { name: 'mae', reduction: 'meanWithSampleWeight' },
      { name: 'binaryCrossentropy', fromLogits: true, reduction: 'meanWithSampleWeight' },
    ],
    lossWeights: [1, STOP_WEIGHT],
    ...(sampling > 0 && {
      prepareInputs: frameSampling(
        networks.training,
        shape,
        (updates) => sampling * Math.min(1, updates / ramp),
      ),
    }),
    optimizer: adam({ learningRate }),
    average: { momentum: 1 - 1 / Math.max(2, stepsPerEpoch) }, // over about one epoch
    clip: { globalNorm: 1 },
    ...{ seed, epochs, ...(signal && { signal }) },
  };
}

/**
 * Returns a batch for teacher forcing: x contains the characters [B, S] and the previous frames [B, T, mels], which begin with
 * zeros; y contains the frames [B, T, reduction * mels] and the stop tokens [B, T, 1], which are 1 in the last step of a sound. The
 * last frame is repeated until this step is full.
 */
function batchOf({ voice, sizes }: PreparedVoice, { texts, spectrograms }: EncodedSpeech, rows: Uint32Array) {
  const { mels } = voice;
  const { reduction } = sizes;
  const width = reduction * mels;
  const steps = Array.from(rows, (row) => Math.ceil(spectrograms[row].length / reduction));
  const [B, T] = [rows.length, steps.reduce((a, b) => Math.max(a, b))];
  const frames = new Float32Array(B * T * width);
  const previous = new Float32Array(B * T * mels);
  const stop = new Float32Array(B * T);
  const weights = new Float32Array(B * T);
  for (const [i, row] of rows.entries()) {
    const { values } = spectrograms[row];
    const target = frames.subarray(i * T * width, i * T * width + steps[i] * width);
    target.set(values);
    for (let end = values.length; end < target.length; end += mels) target.set(values.subarray(-mels), end);
    for (let t = 1; t < steps[i]; t++)
      previous.set(target.subarray(t * width - mels, t * width), (i * T + t) * mels);
    stop[i * T + steps[i] - 1] = 1;
    weights.fill(1, i * T, i * T + steps[i]);
  }
  const ids = padSequences(Array.from(rows, (row) => texts[row].ids)).values;
  return {
    x: [ids, tensor(previous, [B, T, mels])],
    y: [tensor(frames, [B, T, width]), tensor(stop, [B, T, 1])],
    sampleWeights: tensor(weights, [B, T]),
  };
}

function modelOf(plan: PreparedVoice, network: SpeakModel['network']): SpeakModel {
  const { columns, characters, voice, sizes, stepsPerCharacter } = plan;
  const { cell, layers, units, reduction } = sizes;
  const pipeline = {
    format: SPEAK_FORMAT,
    ...{ columns, text: characters.config, voice: voice.config, reduction, stepsPerCharacter },
    ...{ cell, layers, units },
  } as const;
  return new SpeakModel(pipeline, network);
}

const OPTIONS: OptionTypes<SpeakOptions & { onEvent?: unknown }> = {
  text: 'string',
  audio: 'string',
  validation: true,
  reduction: 'count',
  mels: 'count',
  sampleRate: 'count',
  sampling: 'fraction',
  cell: CELL_NAMES,
  units: 'count',
  layers: 'count',
  embedding: 'count',
  dropout: 'fraction',
  epochs: 'count',
  batchSize: 'count',
  learningRate: 'number',
  lowercase: 'boolean',
  seed: 'nonNegativeInteger',
  ...RUN_CONTROL,
};

function checkOptions(options: SpeakOptions): void {
  checkNamesAndTypes('trainVoice', options, OPTIONS);
  const { audio, text, learningRate = 1, reduction = 1 } = options;
  for (const [name, value] of Object.entries({ text, audio }))
    if (value === undefined)
      throw valueError(
        `The option ${name} is missing: pass the name of the column with the ${name === 'audio' ? 'sounds' : 'texts'}.`,
      );
  if (learningRate <= 0)
    throw valueError(`learningRate must be above 0, got ${learningRate}.`, { learningRate });
  if (audio === text) throw valueError(`text and audio must be different columns, got "${audio}" for both.`);
  if (reduction > MAX_REDUCTION)
    throw valueError(`reduction must be at most ${MAX_REDUCTION}, got ${reduction}.`);
}
