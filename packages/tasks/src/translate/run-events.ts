/** The plan and result events of the training of a translator. */
import type { PlanEvent, ResultEvent } from '../shared/events.js';
import { TOKEN_NAMES } from './model.js';
import type { PreparedTranslator, SideLengths } from './plan.js';
import { type ModelScores, metricsOf } from './scores.js';

/** Returns the event that describes the data and the plan. */
export function planEvent(plan: PreparedTranslator): PlanEvent {
  const { columns, training, validation, source, target, lengths, sizes, settings, level } = plan;
  const notes = notesOf(plan);
  const pairs = training.source.length + (plan.validationOrigin === null ? validation.source.length : 0);
  const { units, layers, cell } = sizes;
  const stack = layers === 1 ? '' : `${layers} × `;
  const line = (label: string, text: string) => ({ label, text });
  const origin = columns === null ? plan.origin : `"${columns.source}" and "${columns.target}"`;
  const summary = ({ percentiles, ...rest }: SideLengths) => ({ ...rest, percentiles: { ...percentiles } });
  return {
    event: 'plan',
    pairs,
    training: training.source.length,
    validation: validation.source.length,
    level,
    vocabulary: { source: source.vocabulary.size, target: target.vocabulary.size },
    lengths: { source: summary(lengths.source), target: summary(lengths.target) },
    ...sizes,
    ...{ batchSize: settings.batchSize, learningRate: settings.learningRate, epochs: settings.epochs },
    notes,
    lines: [
      line('data', `${pairs} pairs in ${origin}`),
      ...notes.map((text) => line('', text)),
      line(
        'text',
        `${source.vocabulary.size} source and ${target.vocabulary.size} target ${TOKEN_NAMES[level]}`,
      ),
      line(
        'network',
        `embeddings of ${sizes.embedding}, encoder of ${stack}bidirectional ${cell} of ${units} units, decoder of ` +
          `${stack}${cell} of ${units} units with attention, dropout ${sizes.dropout}`,
      ),
      line(
        'training',
        `batches of ${settings.batchSize}, learning rate ${settings.learningRate}, up to ${settings.epochs} epochs`,
      ),
    ],
  };
}

/** Returns the notes of the plan, one sentence each. */
function notesOf({ validation, validationOrigin, lengths, level, ...plan }: PreparedTranslator): string[] {
  const split =
    validationOrigin === null
      ? `Validation: ${validation.source.length} of the pairs.`
      : `Validation: ${validation.source.length} pairs of ${validationOrigin}.`;
  const sides = (['source', 'target'] as const).map((side) => {
    const { percentiles, longest, cut } = lengths[side];
    const count = plan.training.source.length;
    const cutText = cut === 0 ? '' : `; ${cut} of ${count} texts are cut to ${plan[side].length}`;
    return `${side} ${percentiles[50]} (median), ${percentiles[99]} (99th percentile), ${longest} (longest${cutText})`;
  });
  return [split, `Length in ${TOKEN_NAMES[level]}: ${sides.join('; ')}.`];
}

/** Returns the last event of a run. */
export function resultEvent(
  { sizes, settings }: PreparedTranslator,
  scores: ModelScores,
  trained: { parameters: number; epochs: number; seconds: number },
): ResultEvent {
  const { cell, layers, units } = sizes;
  return {
    event: 'result',
    task: 'translate',
    metrics: metricsOf(scores),
    model: { cell, layers, units, parameters: trained.parameters },
    epochs: trained.epochs,
    seed: settings.seed,
    seconds: Number(trained.seconds.toFixed(3)),
  };
}
