/**
 * unrolljs/translate: trains translators and summarisers, like the command `unroll train translate`.
 *
 *     import { parseCsv, trainTranslator } from 'unrolljs/translate';
 *
 *     const { model, scores } = await trainTranslator({ table: parseCsv(text) }, { source: 'de', target: 'en' });
 *     const [{ text }] = await model.translate(['Ein kleines Haus.']);
 */
// biome-ignore-all assist/source/organizeImports: grouped by subject

// Training, prediction and evaluation
export {
  type EpochRecord,
  type NetworkTraining,
  type PairColumns,
  type PairData,
  type Pairs,
  type ParallelFiles,
  type PreparedTranslator,
  prepareTranslator,
  type RunEvent,
  type RunStore,
  type TextFile,
  type TokenLevel,
  trainTranslator,
  type TranslateCell,
  translateEvents,
  TranslateModel,
  type TranslateOptions,
  type TranslatePipeline,
  translateReport,
  type TranslateResult,
  type TranslateScores,
  translateScores,
  type Translation,
} from '@unroll/tasks';

// Tables
export { type CsvOptions, makeTable, parseCsv, parseJsonLines, type Table } from '@unroll/data';
