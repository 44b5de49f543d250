/**
 * unrolljs/speak: trains models that synthesise speech from texts, like `unroll train speak`.
 *
 *     import { trainVoice } from 'unrolljs/speak';
 *
 *     const { model } = await trainVoice(table, { text: 'words', audio: 'sound' });
 *     const [{ samples, sampleRate }] = await model.speak(['seven']);
 */
// biome-ignore-all assist/source/organizeImports: grouped by subject

export {
  melCepstralDistortion,
  type NetworkTraining,
  type PreparedVoice,
  prepareVoice,
  type RunEvent,
  type RunStore,
  type Samples,
  type SpeakCell,
  SpeakModel,
  type SpeakOptions,
  type SpeakPipeline,
  type SpeakResult,
  type SpeakScores,
  speakEvents,
  speakReport,
  speakScores,
  trainVoice,
} from '@unroll/tasks';

// Tables and WAV files
export { makeTable, parseCsv, type Table, writeWav } from '@unroll/data';
