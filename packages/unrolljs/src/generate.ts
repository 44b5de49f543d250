/**
 * unrolljs/generate: trains language models and generates text, like `unroll train generate` and `unroll generate`.
 *
 *     import { trainLanguageModel } from 'unrolljs/generate';
 *
 *     const { model, scores } = await trainLanguageModel(text, { level: 'char' });
 *     for await (const piece of model.generate({ prompt: 'ROMEO:', options: { length: 500 } })) process.stdout.write(piece);
 */
// biome-ignore-all assist/source/organizeImports: grouped by subject

// Training, generation and evaluation
export {
  type EpochRecord,
  type LanguageCell,
  LanguageModel,
  type LanguageModelOptions,
  type LanguageModelResult,
  type LanguagePipeline,
  type LanguageScores,
  languageModelEvents,
  languageModelReport,
  type NetworkTraining,
  type PreparedLanguageModel,
  prepareLanguageModel,
  type RunEvent,
  type RunStore,
  type TextFile,
  type TextLevel,
  trainLanguageModel,
} from '@unroll/tasks';
