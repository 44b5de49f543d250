/** The plan and result events of the training of a tagger. */
import type { PlanEvent, ResultEvent } from '../shared/events.js';
import type { PreparedTagger } from './plan.js';
import { metricsOf, type TagScoresReport } from './scores.js';

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Returns the event that describes the data and the plan. */
export function planEvent(plan: PreparedTagger): PlanEvent {
  const { goal, counts, training, validation, encoder, lengths, sizes, settings, column } = plan;
  const notes = notesOf(plan);
  const tokenName = encoder.tokenizer.kind === 'characters' ? 'characters' : 'words';
  const { units, layers, cell } = sizes;
  const stack = `${layers === 1 ? '' : `${layers} × `}bidirectional ${cell} of ${units} units`;
  const spelling =
    sizes.characters > 0 ? `, characters by a bidirectional ${cell} of ${sizes.characters} units` : '';
  const line = (label: string, text: string) => ({ label, text });
  const networks = settings.networks === 1 ? '' : `mean of ${settings.networks} networks: `;
  return {
    event: 'plan',
    sentences: counts.sentences,
    training: training.sentences.length,
    validation: validation.sentences.length,
    column: column ?? null,
    scheme: goal.scheme,
    positive: goal.positive,
    tags: [...goal.tags],
    vocabulary: encoder.words.size,
    alphabet: encoder.characters?.size ?? 0,
    lengths: { ...lengths, percentiles: { ...lengths.percentiles } },
    ...{
      ...sizes,
      batchSize: settings.batchSize,
      learningRate: settings.learningRate,
      epochs: settings.epochs,
    },
    notes,
    lines: [
      line('data', `${counts.sentences} sentences, ${counts.tokens} tokens, ${tagsText(plan)}`),
      ...notes.map((text) => line('', text)),
      line(
        'text',
        `${encoder.words.size} ${tokenName}; ${percent(plan.coverage)} of the validation ${tokenName} are in the vocabulary`,
      ),
      line(
        'network',
        `${networks}embedding of ${sizes.embedding}${spelling}, ${stack}, CRF, dropout ${sizes.dropout}`,
      ),
      line(
        'training',
        `batches of ${settings.batchSize}, learning rate ${settings.learningRate}, up to ${settings.epochs} epochs`,
      ),
    ],
  };
}

/** Describes the tags: the types of entities, or the tags. */
function tagsText({ goal: { tags, scheme } }: PreparedTagger): string {
  const types =
    scheme === 'none'
      ? tags
      : [...new Set(tags.filter((tag) => tag !== 'O').map((tag) => tag.slice(2) || tag))];
  const typeList = types.slice(0, 12).join(', ') + (types.length > 12 ? ', ...' : '');
  return scheme === 'none'
    ? `${tags.length} tags: ${typeList}`
    : `${types.length} types (${scheme.toUpperCase()}): ${typeList}`;
}

/** Returns the notes of the plan, one sentence each. */
function notesOf(plan: PreparedTagger): string[] {
  const { lengths, validationSentences, validationSource, goal, repaired } = plan;
  const count = validationSentences.length;
  const split =
    validationSource === null
      ? `Validation: ${count} of the sentences, drawn at random.`
      : `Validation: ${count} sentences of ${validationSource}.`;
  const { 50: median, 99: long } = lengths.percentiles;
  const length = `Length: ${median} tokens (median), ${long} (99th percentile), ${lengths.longest} (longest).`;
  return [
    ...[split, length],
    ...(goal.positive === null
      ? []
      : [`F1 is computed for the tag ${goal.positive} and averaged over sentences.`]),
    ...(repaired === 0
      ? []
      : [`Tags that break the rules of the scheme and were changed for training: ${repaired}.`]),
  ];
}

/** Returns the last event of a run. */
export function resultEvent(
  { sizes, settings }: PreparedTagger,
  scores: TagScoresReport,
  trained: { parameters: number; epochs: number[]; seconds: number },
): ResultEvent {
  const { cell, layers, units } = sizes;
  return {
    event: 'result',
    task: 'tag',
    metrics: metricsOf(scores),
    model: { cell, layers, units, parameters: trained.parameters },
    epochs: trained.epochs,
    seed: settings.seed,
    seconds: Number(trained.seconds.toFixed(3)),
  };
}
