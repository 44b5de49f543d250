/** The plan and result events of the training of a classifier. */
import type { PlanEvent, ResultEvent } from '../shared/events.js';
import type { PreparedClassifier } from './plan.js';
import { type ClassifyScores, metricsOf } from './scores.js';

const UNITS = { characters: 'characters', words: 'words', whitespace: 'words', bytePairs: 'subwords' };
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Returns the event that describes the data and the plan. */
export function planEvent(plan: PreparedClassifier): PlanEvent {
  const { columns, labels, training, validation, encoder, lengths, sizes, settings, classWeights } = plan;
  const notes = notesOf(plan);
  const unit = UNITS[encoder.tokenizer.kind];
  const rows = training.ids.length + (plan.validationSource === null ? validation.ids.length : 0);
  const shown = labels.slice(0, 10).join(', ') + (labels.length > 10 ? ', ...' : '');
  const { units, layers, cell } = sizes;
  const stack = `${layers === 1 ? '' : `${layers} × `}bidirectional ${cell} of ${units} units`;
  const line = (label: string, text: string) => ({ label, text });
  return {
    event: 'plan',
    rows,
    training: training.ids.length,
    validation: validation.ids.length,
    labels: [...labels],
    tokenizer: encoder.tokenizer.kind,
    vocabulary: encoder.vocabulary.size,
    length: encoder.length,
    lengths: { ...lengths, percentiles: { ...lengths.percentiles } },
    classWeights,
    ...{
      ...sizes,
      batchSize: settings.batchSize,
      learningRate: settings.learningRate,
      epochs: settings.epochs,
    },
    notes,
    lines: [
      line(
        'data',
        `${rows} texts in "${columns.text}", ${labels.length} labels in "${columns.label}": ${shown}`,
      ),
      ...notes.map((text) => line('', text)),
      line(
        'text',
        `${encoder.vocabulary.size} ${unit}, known: ${percent(plan.coverage)} of the validation ${unit}`,
      ),
      line(
        'network',
        `${settings.networks === 1 ? '' : `mean of ${settings.networks} networks: `}embedding of ${sizes.embedding}, ${stack}, dropout ${sizes.dropout}`,
      ),
      line(
        'training',
        `batches of ${settings.batchSize}, learning rate ${settings.learningRate}, up to ${settings.epochs} epochs`,
      ),
    ],
  };
}

/** Returns the decisions about the data, one sentence each. */
function notesOf({ validation, validationSource, training, encoder, ...plan }: PreparedClassifier): string[] {
  const { lengths, cutTexts, classWeights, labels } = plan;
  const unit = UNITS[encoder.tokenizer.kind];
  const split =
    validationSource === null
      ? `Validation: ${validation.ids.length} of the texts, the same share of each label.`
      : `Validation: ${validation.ids.length} texts of ${validationSource}.`;
  const { 50: median, 99: longest } = lengths.percentiles;
  const cut =
    cutTexts === 0 ? '' : ` Texts are cut to ${encoder.length}: ${percent(cutTexts / training.ids.length)}.`;
  const length = `Length: ${median} ${unit} (median), ${longest} (99th percentile), ${lengths.longest} (longest).${cut}`;
  if (classWeights === null) return [split, length];
  const weights = classWeights.slice(0, 8).map((weight, k) => `${labels[k]} ${weight.toFixed(2)}`);
  const rest = classWeights.length > 8 ? ', ...' : '';
  return [split, length, `The labels are unbalanced. Weights in the loss: ${weights.join(', ')}${rest}.`];
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
