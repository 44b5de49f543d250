/**
 * unrolljs/classify: trains classifiers of texts, numeric sequences, sounds and video clips, like `unroll train classify`.
 *
 *     import { parseCsv, trainClassifier } from 'unrolljs/classify';
 *
 *     const { model, scores } = await trainClassifier(parseCsv(text), { text: 'review', label: 'stars' });
 *     const { rows } = await model.predict({ texts: ['a wonderful film'] });
 */
// biome-ignore-all assist/source/organizeImports: grouped by subject

// Training, prediction and evaluation
export {
  type ClassifyCell,
  ClassifyModel,
  type ClassifyOptions,
  type ClassifyPipeline,
  type ClassifyResult,
  type ClassifyScores,
  type ClassScore,
  type Clip,
  type ClipArray,
  type ClipFile,
  type EpochRecord,
  type FileNormalization,
  type Frame,
  type FrameConfig,
  type FrameOptions,
  type NetworkTraining,
  classifyEvents,
  classifyReport,
  classifyScores,
  multiLabelScores,
  type Pixels,
  type PreparedClassifier,
  prepareClassifier,
  prepareWithVectors,
  type RunEvent,
  type RunStore,
  type Sound,
  type SoundPair,
  trainClassifier,
} from '@unroll/tasks';

// Tables
export {
  type CsvOptions,
  makeTable,
  parseCsv,
  parseJsonLines,
  parseTsFile,
  readVectors,
  type Table,
  type Vectors,
} from '@unroll/data';
