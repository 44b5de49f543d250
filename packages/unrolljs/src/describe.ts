/**
 * unrolljs/describe: trains models that describe video clips in sentences, like the command `unroll train describe`.
 *
 *     import { trainDescriber } from 'unrolljs/describe';
 *
 *     const { model } = await trainDescriber(table, { frames: 'clip', text: 'sentence' });
 *     const [{ generatedText }] = await model.pipe([image, image, image]); // 'a box moves left'
 */
// biome-ignore-all assist/source/organizeImports: grouped by subject

// Training, prediction and evaluation
export {
  type Clip,
  type ClipArray,
  type ClipFile,
  type DescribeCell,
  type DescribedClip,
  describeEvents,
  DescribeModel,
  type DescribeOptions,
  type DescribePipeline,
  describeReport,
  type DescribeResult,
  type DescribeScores,
  describeScores,
  type Description,
  type EpochRecord,
  type Frame,
  type FrameConfig,
  type FrameOptions,
  type NetworkTraining,
  type Pixels,
  type PreparedDescriber,
  prepareDescriber,
  type RunEvent,
  type RunStore,
  trainDescriber,
} from '@unroll/tasks';

// Tables
export { type CsvOptions, makeTable, parseCsv, parseJsonLines, type Table } from '@unroll/data';
