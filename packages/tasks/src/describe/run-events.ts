/** The plan and result events of the training of a describer. */
import type { PlanEvent, ResultEvent } from '../shared/events.js';
import { frameJson, frameText } from '../shared/frames/description.js';
import { TOKEN_NAMES } from '../translate/model.js';
import type { PreparedDescriber } from './plan.js';
import { type DescribeScores, metricsOf } from './scores.js';

/** Returns the event that describes the data and the plan. */
export function planEvent(plan: PreparedDescriber): PlanEvent {
  const { columns, training, validation, target, lengths, sizes, settings, level, frames } = plan;
  const notes = notesOf(plan);
  const clips = training.clips.length + (plan.validationSource === null ? validation.clips.length : 0);
  const { units, layers, cell } = sizes;
  const stack = layers === 1 ? '' : `${layers} × `;
  const line = (label: string, text: string) => ({ label, text });
  const { batchSize, learningRate, epochs } = settings;
  return {
    event: 'plan',
    clips,
    training: training.clips.length,
    validation: validation.clips.length,
    level,
    vocabulary: target.vocabulary.size,
    ...frameJson(frames.config),
    lengths: {
      frames: { ...lengths.frames, percentiles: { ...lengths.frames.percentiles } },
      text: { ...lengths.text, percentiles: { ...lengths.text.percentiles } },
    },
    ...{ ...sizes, batchSize, learningRate, epochs },
    notes,
    lines: [
      line('data', `${clips} clips in "${columns.frames}", sentences in "${columns.text}"`),
      ...notes.map((text) => line('', text)),
      line('clip', frameText(frames.config, settings.augment)),
      line('text', `${target.vocabulary.size} ${TOKEN_NAMES[level]}`),
      line(
        'network',
        `convolutions, encoder of ${stack}bidirectional ${cell} of ${units} units, decoder of ${stack}${cell} of ${units} units with ` +
          `attention to the frames, dropout ${sizes.dropout}`,
      ),
      line('training', `batches of ${batchSize}, learning rate ${learningRate}, up to ${epochs} epochs`),
    ],
  };
}

/** Returns the notes of the plan, one sentence each. */
function notesOf({ validation, validationSource, lengths, level }: PreparedDescriber): string[] {
  const count = validation.clips.length;
  const split =
    validationSource === null
      ? `Validation: ${count} of the clips, drawn at random.`
      : `Validation: ${count} clips of ${validationSource}.`;
  const { frames, text } = lengths;
  return [
    split,
    `Length: clips ${frames.percentiles[50]} frames (median), ${frames.longest} (longest); sentences ${text.percentiles[50]} ` +
      `${TOKEN_NAMES[level]} (median), ${text.longest} (longest).`,
  ];
}

/** Returns the last event of a run. */
export function resultEvent(
  { sizes, settings }: PreparedDescriber,
  scores: DescribeScores,
  trained: { parameters: number; epochs: number; seconds: number },
): ResultEvent {
  const { cell, layers, units } = sizes;
  return {
    event: 'result',
    task: 'describe',
    metrics: metricsOf(scores),
    model: { cell, layers, units, parameters: trained.parameters },
    epochs: trained.epochs,
    seed: settings.seed,
    seconds: Number(trained.seconds.toFixed(3)),
  };
}
