/**
 * unrolljs/tag: trains taggers, for example for named entities or parts of speech, like the command `unroll train tag`.
 *
 *     import { parseConll, trainTagger } from 'unrolljs/tag';
 *
 *     const { model, scores } = await trainTagger(parseConll(text, { source: 'train.conll' }));
 *     const { json } = await model.predict({ texts: ['Ada Lovelace was born in London'] });
 */
// biome-ignore-all assist/source/organizeImports: grouped by subject

// Training, prediction and evaluation
export {
  type EpochRecord,
  type NetworkTraining,
  type PredictedTags,
  type PreparedTagger,
  prepareTagger,
  type RunEvent,
  type RunStore,
  scoreTags,
  type TagCell,
  type TagEntity,
  TagModel,
  type TagOffset,
  type TagOptions,
  type TagPipeline,
  type TagRunResult,
  type TagScheme,
  type TagScoresReport,
  type TagTypeScore,
  tagEvents,
  tagReport,
  trainTagger,
} from '@unroll/tasks';

// Files with one token per line
export {
  type ConlluColumn,
  type ConllOptions,
  parseConll,
  type TaggedSentence,
  type TaggedSentences,
} from '@unroll/data';
