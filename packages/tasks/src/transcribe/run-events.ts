/** The plan and result events of the training of a transcriber. */
import type { PlanEvent, ResultEvent } from '../shared/events.js';
import type { PreparedTranscriber } from './plan.js';
import { metricsOf, type TranscribeScores } from './scores.js';

/** Returns the event that describes the data and the plan. */
export function planEvent(plan: PreparedTranscriber): PlanEvent {
  const { columns, tokens, training, validationRows, sizes, settings, frontEnd, lengths } = plan;
  const notes = notesOf(plan);
  const sounds = training.sounds.length + (plan.validationSource === null ? validationRows.length : 0);
  const { units, layers, cell, filters, reduction, streaming } = sizes;
  const { sampleRate, mels } = frontEnd.config.features;
  const { level } = tokens.config;
  const line = (label: string, text: string) => ({ label, text });
  const direction = streaming ? '' : 'bidirectional ';
  const decoder =
    plan.decoder === 'attention' ? `, decoder of ${cell} of ${2 * units} units with attention` : '';
  const augmentation = settings.augment ? '; augmented in training' : '';
  return {
    event: 'plan',
    sounds,
    training: training.sounds.length,
    validation: validationRows.length,
    ...{ level, tokens: tokens.config.tokens.length, seconds: plan.seconds, sampleRate, mels },
    lengths: { ...lengths, percentiles: { ...lengths.percentiles } },
    ...sizes,
    decoder: plan.decoder,
    ...{ batchSize: settings.batchSize, learningRate: settings.learningRate, epochs: settings.epochs },
    notes,
    lines: [
      line('data', `${sounds} sounds in "${columns.audio}", transcripts in "${columns.text}"`),
      ...notes.map((text) => line('', text)),
      line('sound', `${mels} log-mel features at ${sampleRate} Hz and their derivatives${augmentation}`),
      line('text', `${tokens.config.tokens.length} ${level}`),
      line(
        'network',
        `convolution of ${filters} filters, one step for ${reduction} frames, ${layers === 1 ? '' : `${layers} × `}` +
          `${direction}${cell} of ${units} units${decoder}, dropout ${sizes.dropout}`,
      ),
      line(
        'training',
        `batches of ${settings.batchSize}, learning rate ${settings.learningRate}, up to ${settings.epochs} epochs`,
      ),
    ],
  };
}

/** Returns the notes of the plan, one sentence each. */
function notesOf(plan: PreparedTranscriber): string[] {
  const { validationRows, validationSource, lengths, frontEnd, seconds, unknown, tokens } = plan;
  const split =
    validationSource === null
      ? `Validation: ${validationRows.length} of the sounds, drawn at random.`
      : `Validation: ${validationRows.length} sounds of ${validationSource}.`;
  const time = (frames: number): string => `${(frames / frontEnd.frameRate).toFixed(1)} s`;
  const { 50: median, 99: long } = lengths.percentiles;
  const length =
    `Length: ${time(median)} (median), ${time(long)} (99th percentile), ${time(lengths.longest)} (longest); ` +
    `${(seconds / 60).toFixed(1)} minutes of training data.`;
  const { level } = tokens.config;
  const missing = `Tokens of the validation transcripts that do not occur in the training transcripts (${level}): ${unknown}.`;
  return [split, length, ...(unknown === 0 ? [] : [missing])];
}

/** Returns the last event of a run. */
export function resultEvent(
  { sizes, settings }: PreparedTranscriber,
  scores: TranscribeScores,
  trained: { parameters: number; epochs: number; seconds: number },
): ResultEvent {
  const { cell, layers, units } = sizes;
  return {
    event: 'result',
    task: 'transcribe',
    metrics: metricsOf(scores),
    model: { cell, layers, units, parameters: trained.parameters },
    epochs: trained.epochs,
    seed: settings.seed,
    seconds: Number(trained.seconds.toFixed(3)),
  };
}
