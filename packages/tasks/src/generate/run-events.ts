/** The plan and result events of the training of a language model. */
import type { PlanEvent, ResultEvent } from '../shared/events.js';
import { TOKEN_NAMES } from './codec.js';
import type { PreparedLanguageModel } from './plan.js';
import { type LanguageScores, metricsOf } from './scores.js';

/** Returns the event that describes the data and the plan. */
export function planEvent(plan: PreparedLanguageModel): PlanEvent {
  const { codec, training, validation, sizes, tied, settings } = plan;
  const { level, vocabulary } = codec;
  const notes = notesOf(plan);
  const { units, layers, cell } = sizes;
  const stack = `${layers === 1 ? '' : `${layers} × `}${cell} of ${units} units`;
  const tokens = training.ids.length;
  const line = (label: string, text: string) => ({ label, text });
  return {
    event: 'plan',
    level,
    characters: training.characters,
    training: tokens,
    validation: validation.ids.length,
    vocabulary: vocabulary.size,
    tied,
    ...sizes,
    streams: settings.streams,
    steps: settings.steps,
    learningRate: settings.learningRate,
    epochs: settings.epochs,
    notes,
    lines: [
      line(
        'data',
        `${training.characters + (plan.validationSource === null ? validation.characters : 0)} characters`,
      ),
      ...notes.map((text) => line('', text)),
      line(
        'text',
        `${level === 'char' ? '' : `${tokens} ${TOKEN_NAMES[level]} for training, `}vocabulary of ${vocabulary.size} ${TOKEN_NAMES[level]}`,
      ),
      line(
        'network',
        `embedding of ${sizes.embedding}${tied ? ' (tied to the output layer)' : ''}, ${stack}, dropout ${sizes.dropout}, weight drop ${sizes.weightDrop}`,
      ),
      line(
        'training',
        `${settings.streams} streams, batches of ${settings.steps} steps, learning rate ${settings.learningRate}, up to ${settings.epochs} epochs`,
      ),
    ],
  };
}

/** Returns the notes of the plan, one sentence each. */
function notesOf(plan: PreparedLanguageModel): string[] {
  const { codec, training, validation, validationSource, validationPieces } = plan;
  const { characters } = validation;
  const cut =
    validationPieces === 1
      ? `the last ${characters} characters`
      : `${characters} characters from ${validationPieces} parts of the text`;
  const split = `Validation: ${validationSource === null ? cut : `${characters} characters of ${validationSource}`}.`;
  const share = ({ ids, unknown }: { ids: Int32Array; unknown: number }): string =>
    `${((100 * unknown) / ids.length).toFixed(1)} %`;
  if (codec.level !== 'word') return [split, ...codec.tokenizer.notes];
  const unknown = `Words replaced by <unk>: ${share(training)} in training, ${share(validation)} in validation.`;
  return [split, unknown, ...codec.tokenizer.notes];
}

/** Returns the last event of a run. */
export function resultEvent(
  { codec, sizes, settings }: PreparedLanguageModel,
  scores: LanguageScores,
  trained: { parameters: number; epochs: number[]; seconds: number },
): ResultEvent {
  const { cell, layers, units } = sizes;
  return {
    event: 'result',
    task: 'generate',
    level: codec.level,
    metrics: metricsOf(scores),
    model: { cell, layers, units, parameters: trained.parameters },
    epochs: trained.epochs,
    seed: settings.seed,
    seconds: Number(trained.seconds.toFixed(3)),
  };
}
