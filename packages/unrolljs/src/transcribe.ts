/**
 * unrolljs/transcribe: trains models that transcribe speech, like `unroll train transcribe`.
 *
 *     import { trainTranscriber } from 'unrolljs/transcribe';
 *
 *     const { model, scores } = await trainTranscriber(table, { audio: 'sound', text: 'words', streaming: true });
 *     const [{ text, words }] = await model.transcribe([wavBytes]);
 *     const stream = model.stream(16_000);
 *     const soFar = await stream.push(samples);
 */
// biome-ignore-all assist/source/organizeImports: grouped by subject

export {
  type FileNormalization,
  type NetworkTraining,
  type PreparedTranscriber,
  prepareTranscriber,
  type RunEvent,
  type RunStore,
  type Sound,
  type SpokenWord,
  type TranscribeCell,
  type TranscribeDecoder,
  TranscribeModel,
  type TranscribeOptions,
  type TranscribePipeline,
  type TranscribeResult,
  type TranscribeScores,
  TranscribeStream,
  type Transcript,
  type TranscriptLevel,
  trainTranscriber,
  transcribeEvents,
  transcribeReport,
  transcribeScores,
} from '@unroll/tasks';

// Tables
export { makeTable, parseCsv, type Table } from '@unroll/data';
