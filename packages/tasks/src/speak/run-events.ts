/** The plan and result events of the training of a voice. */
import type { PlanEvent, ResultEvent } from '../shared/events.js';
import type { PreparedVoice } from './plan.js';
import { metricsOf, type SpeakScores } from './scores.js';

/** Returns the event that describes the data and the plan. */
export function planEvent(plan: PreparedVoice): PlanEvent {
  const { columns, characters, training, validation, sizes, settings, voice, lengths } = plan;
  const notes = notesOf(plan);
  const { sampleRate } = voice;
  const sounds = training.texts.length + (plan.validationSource === null ? validation.texts.length : 0);
  const { units, layers, cell, embedding, reduction } = sizes;
  const line = (label: string, text: string) => ({ label, text });
  return {
    event: 'plan',
    sounds,
    training: training.texts.length,
    validation: validation.texts.length,
    ...{
      characters: characters.config.characters.length,
      seconds: plan.seconds,
      sampleRate,
      mels: voice.mels,
    },
    lengths: { ...lengths, percentiles: { ...lengths.percentiles } },
    ...sizes,
    ...{ batchSize: settings.batchSize, learningRate: settings.learningRate, epochs: settings.epochs },
    sampling: settings.sampling,
    notes,
    lines: [
      line('data', `${sounds} texts in "${columns.text}", sounds in "${columns.audio}"`),
      ...notes.map((text) => line('', text)),
      line('text', `${characters.config.characters.length} characters`),
      line(
        'sound',
        `${voice.mels} log-mel features at ${sampleRate} Hz, ${reduction} frames of 12.5 ms per step`,
      ),
      line(
        'network',
        `embedding of ${embedding}, bidirectional ${cell} of ${Math.ceil(units / 2)} units, attention, decoder of ` +
          `${layers === 1 ? '' : `${layers} × `}${cell} of ${units} units, dropout ${sizes.dropout}`,
      ),
      line(
        'training',
        `batches of ${settings.batchSize}, learning rate ${settings.learningRate}, scheduled sampling up to ` +
          `${settings.sampling}, up to ${settings.epochs} epochs`,
      ),
    ],
  };
}

/** Returns the notes of the plan, one sentence each. */
function notesOf({ validation, validationSource, lengths, voice, seconds }: PreparedVoice): string[] {
  const count = validation.texts.length;
  const split =
    validationSource === null
      ? `Validation: ${count} of the texts, drawn at random.`
      : `Validation: ${count} texts of ${validationSource}.`;
  const time = (frames: number): string => `${(frames / voice.frameRate).toFixed(1)} s`;
  const { 50: median, 99: long } = lengths.percentiles;
  const length =
    `Length without silence: ${time(median)} (median), ${time(long)} (99th percentile), ${time(lengths.longest)} (longest); ` +
    `${(seconds / 60).toFixed(1)} minutes of training data.`;
  const unknown = new Set(validation.texts.flatMap((text) => text.unknown));
  const missing = `Characters of the validation texts that do not occur in the training texts: ${unknown.size}.`;
  return [split, length, ...(unknown.size === 0 ? [] : [missing])];
}

/** Returns the last event of a run. */
export function resultEvent(
  { sizes, settings }: PreparedVoice,
  scores: SpeakScores,
  trained: { parameters: number; epochs: number; seconds: number },
): ResultEvent {
  const { cell, layers, units } = sizes;
  return {
    event: 'result',
    task: 'speak',
    metrics: metricsOf(scores),
    model: { cell, layers, units, parameters: trained.parameters },
    epochs: trained.epochs,
    seed: settings.seed,
    seconds: Number(trained.seconds.toFixed(3)),
  };
}
