/** Creates the plan and result events of the training of a classifier. */
import type { Json } from '@unroll/core/internal';
import type { Vectors } from '@unroll/data';
import type { PlanEvent, ResultEvent } from '../shared/events.js';
import { frameJson, frameText } from '../shared/frames/description.js';
import { ngramText } from './ngrams.js';
import type { PreparedClassifier } from './plan.js';
import { type ClassifyScores, metricsOf } from './scores.js';
import type { SoundConfig } from './sounds.js';

const UNITS = { characters: 'characters', words: 'words', whitespace: 'words', bytePairs: 'subwords' };
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Returns the unit in which the lengths of inputs are given: the kind of tokens, `steps` or `frames`. */
export const unitOf = ({ encoder }: PreparedClassifier): string =>
  encoder.kind === 'text' ? UNITS[encoder.tokenizer.kind] : encoder.kind === 'sequence' ? 'steps' : 'frames';

/** Returns the event that describes the data and the plan. */
export function planEvent(plan: PreparedClassifier): PlanEvent {
  const { columns, labels, separator, training, validation, encoder, lengths, sizes, settings } = plan;
  const notes = notesOf(plan);
  const rows = training.inputs.length + (plan.validationSource === null ? validation.inputs.length : 0);
  const labelList = labels.slice(0, 10).join(', ') + (labels.length > 10 ? ', ...' : '');
  const separated = separator === null ? '' : ` (several per ${encoder.kind}, separated by "${separator}")`;
  const line = (label: string, text: string) => ({ label, text });
  const { batchSize, learningRate, decay, epochs } = settings;
  const rate = `learning rate ${learningRate}${decay ? ', falling to 0' : ''}`;
  return {
    event: 'plan',
    rows,
    training: training.inputs.length,
    validation: validation.inputs.length,
    labels: [...labels],
    ...inputFields(plan),
    lengths: { ...lengths, percentiles: { ...lengths.percentiles } },
    classWeights: plan.classWeights,
    vectors: plan.vectors && { width: plan.vectors.width, coverage: { ...plan.vectors.coverage } },
    ...{ ...sizes, batchSize, learningRate, epochs },
    notes,
    lines: [
      line(
        'data',
        `${rows} ${encoder.kind}s in "${columns.input}", ${labels.length} labels in "${columns.label}"${separated}: ${labelList}`,
      ),
      ...notes.map((text) => line('', text)),
      line(encoder.kind, inputText(plan)),
      ...(plan.vectors === null ? [] : [line('vectors', vectorsText(plan.vectors))]),
      line('network', networkText(plan)),
      ...(encoder.kind === 'text' && encoder.ngrams !== null
        ? [line('', `and ${ngramText(encoder.ngrams)}`)]
        : []),
      line('training', `batches of ${batchSize}, ${rate}, up to ${epochs} epochs`),
    ],
  };
}

/** Returns the part of the plan event that describes how inputs are read. */
function inputFields({ encoder, missing }: PreparedClassifier): Record<string, Json> {
  if (encoder.kind === 'sequence') return { features: encoder.features, missing };
  if (encoder.kind === 'sound') {
    const { features, normalize } = encoder.config;
    return { sampleRate: features.sampleRate, mels: features.mels, normalize };
  }
  if (encoder.kind === 'clip') return frameJson(encoder.config);
  const { tokenizer, vocabulary, length, ngrams } = encoder;
  const { tokens = 0, characters = null, buckets = 0 } = ngrams ?? {};
  const ngramFields = ngrams && { tokens, characters: characters && [...characters], buckets };
  return { tokenizer: tokenizer.kind, vocabulary: vocabulary.size, length, ngrams: ngramFields };
}

function inputText(plan: PreparedClassifier): string {
  const { encoder, coverage } = plan;
  if (encoder.kind === 'sequence') {
    const { features } = encoder;
    return `${features} ${features === 1 ? 'feature' : 'features'}, standardised, and their changes from step to step`;
  }
  if (encoder.kind === 'sound') return soundText(encoder.config, plan.settings.augment);
  if (encoder.kind === 'clip') return frameText(encoder.config, plan.settings.augment);
  const unit = unitOf(plan);
  return `${encoder.vocabulary.size} ${unit}; ${percent(coverage ?? 1)} of the validation ${unit} are in the vocabulary`;
}

/** What is subtracted from the features, for each value of the option `normalize`. */
const NORMALIZATION_TEXTS = {
  level: 'with the mean level of each file subtracted',
  features: 'with the mean of each feature in the file subtracted',
  none: 'not normalised',
};

function soundText({ features, normalize }: SoundConfig, augment: boolean): string {
  const { sampleRate, mels, windowLength, hopLength } = features;
  const ms = (samples: number): string => `${Number(((1000 * samples) / sampleRate).toFixed(1))} ms`;
  const augmentation = augment ? '; augmented in training' : '';
  return (
    `${mels} log-mel features at ${sampleRate} Hz, frames of ${ms(windowLength)} every ${ms(hopLength)}, ` +
    `${NORMALIZATION_TEXTS[normalize]}, and their derivatives${augmentation}`
  );
}

function vectorsText({ width, coverage: { types, tokens } }: Vectors): string {
  return `width ${width}, for ${percent(types)} of the vocabulary and ${percent(tokens)} of the training tokens`;
}

function networkText({ sizes, settings, encoder }: PreparedClassifier): string {
  const { units, layers, cell, embedding, filters, dropout } = sizes;
  const mean = settings.networks === 1 ? '' : `mean of ${settings.networks} networks: `;
  const stepConvolutions = filters === 0 ? '' : `two convolutions of ${filters} filters, `;
  const convolutions = encoder.kind === 'clip' ? 'convolutions, ' : stepConvolutions;
  const first = embedding === null ? convolutions : `embedding of ${embedding}, `;
  const stack = `${layers === 1 ? '' : `${layers} × `}bidirectional ${cell} of ${units} units`;
  return `${mean}${first}${stack}, dropout ${dropout}`;
}

/** Returns the notes of the plan, one sentence each. */
function notesOf(plan: PreparedClassifier): string[] {
  const { validation, validationSource, training, encoder, lengths, cut, labels, separator } = plan;
  const unit = unitOf(plan);
  const inputs = `${encoder.kind}s`;
  const share = separator === null ? ', the same share of each label' : ', drawn at random';
  const split =
    validationSource === null
      ? `Validation: ${validation.inputs.length} of the ${inputs}${share}.`
      : `Validation: ${validation.inputs.length} ${inputs} of ${validationSource}.`;
  const { 50: median, 99: longest } = lengths.percentiles;
  const end =
    encoder.kind !== 'text' || cut === 0
      ? ''
      : ` ${percent(cut / training.inputs.length)} of the texts are cut to ${encoder.length} ${unit}.`;
  const length = `Length: ${median} ${unit} (median), ${longest} (99th percentile), ${lengths.longest} (longest).${end}`;
  const missing =
    plan.missing === 0
      ? []
      : [
          `Missing values: ${percent(plan.missing)}. Each is replaced by the previous value of the feature, or else by its mean.`,
        ];
  return [split, length, ...missing, ...weightNotes(plan.classWeights, labels)];
}

function weightNotes(classWeights: readonly number[] | null, labels: readonly string[]): string[] {
  if (classWeights === null) return [];
  const weights = classWeights.slice(0, 8).map((weight, k) => `${labels[k]} ${weight.toFixed(2)}`);
  const ellipsis = classWeights.length > 8 ? ', ...' : '';
  return [`The labels are unbalanced. Weights in the loss: ${weights.join(', ')}${ellipsis}.`];
}

/** Returns the last event of a run. */
export function resultEvent(
  { sizes, settings }: PreparedClassifier,
  scores: ClassifyScores,
  trained: { parameters: number; epochs: number[]; seconds: number },
): ResultEvent {
  const { cell, layers, units } = sizes;
  return {
    event: 'result',
    task: 'classify',
    metrics: metricsOf(scores),
    model: { cell, layers, units, parameters: trained.parameters },
    epochs: trained.epochs,
    seed: settings.seed,
    seconds: Number(trained.seconds.toFixed(3)),
  };
}
