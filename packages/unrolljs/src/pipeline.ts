/**
 * unrolljs/pipeline: runs a saved model of a task with one call, like the pipelines of transformers.js.
 *
 *     import { pipeline } from 'unrolljs/pipeline';
 *
 *     const classify = await pipeline('classify', 'sst2-model');
 *     await classify('a wonderful film'); // [{ label: '1', score: 0.98 }]
 *     await classify(['a wonderful film', 'too long']); // a label for each text
 *
 * The tasks are `classify`, `tag`, `translate`, `generate` (also as a stream), `forecast`, `transcribe`, `describe`
 * and `speak`.
 */
// biome-ignore-all assist/source/organizeImports: grouped by subject
import { nearest } from '@unroll/core/internal';
import { ready, UnrollError, valueError } from '@unroll/core';
import { rejectForeignFile } from '@unroll/formats';
import {
  type ClassifyPipe,
  type DescribePipe,
  type ForecastPipe,
  type GeneratePipe,
  type SpeakPipe,
  type TagPipe,
  type TaskModel,
  type TranscribePipe,
  type TranslatePipe,
  taskModelFromFiles,
  taskName,
} from '@unroll/tasks';
import { type ArtifactSource, filesOf } from './load.js';

export { ready, setBackend, setThreads } from '@unroll/core';
export type { ArtifactFiles } from '@unroll/formats';
export type { Cell, DateOrder, Table } from '@unroll/data';
export type {
  ClassifyPipe,
  ClassifyPipeOptions,
  Clip,
  ClipArray,
  ClipFile,
  DescribedClip,
  DescribePipe,
  DescribePipeOptions,
  ForecastInput,
  ForecastInterval,
  ForecastPipe,
  ForecastPipeOptions,
  ForecastPoint,
  ForecastRow,
  Frame,
  GeneratedText,
  GeneratePipe,
  GeneratePipeOptions,
  GenerateStreamOptions,
  LabelScore,
  Pixels,
  SequenceValue,
  Samples,
  Sound,
  SpeakPipe,
  SpeakPipeOptions,
  TagPipe,
  TagPipeOptions,
  TagSpan,
  TaskModel,
  TranscribePipe,
  TranscribePipeOptions,
  Transcription,
  TranslatedText,
  TranslatedTokens,
  TranslatePipe,
  TranslatePipeOptions,
} from '@unroll/tasks';
export type { ArtifactSource } from './load.js';
export type { PipelineTask, PipeProperties, Pipes };

/** The type of the function that runs each task. To add a task, add its line here and in `NAMES`, and implement `TaskModel.pipe`. */
interface Pipes {
  classify: ClassifyPipe;
  tag: TagPipe;
  translate: TranslatePipe;
  generate: GeneratePipe;
  forecast: ForecastPipe;
  transcribe: TranscribePipe;
  describe: DescribePipe;
  speak: SpeakPipe;
}

type PipelineTask = keyof Pipes;

const NAMES: Readonly<Record<PipelineTask, true>> = {
  classify: true,
  tag: true,
  translate: true,
  generate: true,
  forecast: true,
  transcribe: true,
  describe: true,
  speak: true,
};

/** The properties of the function that `pipeline` returns. */
interface PipeProperties {
  readonly task: PipelineTask;
  /** The model, with `predict`, `evaluate` and `describe`. */
  readonly model: TaskModel;
}

/**
 * Loads a model of a task and returns a function that runs it.
 * @param task the name of the task, such as `classify`
 * @param source a path (in Node: a folder or a zip file), a URL (in a page: of a folder or a zip file), the bytes of a zip file,
 * or the files by name
 * @throws UnrollError `value` for an unknown task, and for a model of another task; `format` if there is no model, or if it is
 * damaged
 */
export async function pipeline<T extends PipelineTask>(
  task: T,
  source: ArtifactSource,
): Promise<Pipes[T] & PipeProperties> {
  if (!Object.hasOwn(NAMES, task)) throw unknownTask(task);
  await ready();
  const files = await filesOf(source);
  if (typeof source === 'string' && files.size === 0) rejectForeignFile(source);
  if (files.size === 0) {
    const where = typeof source === 'string' ? `at ${source}` : 'in source: it contains no files';
    throw new UnrollError('format', `There is no model ${where}.`);
  }
  const model = taskModelFromFiles(files);
  const found = taskName(model.format);
  if (found !== task || model.pipe === undefined) {
    throw valueError(`The model must be of the task "${task}", got a model of the task "${found}".`, {
      ...{ task, found },
    });
  }
  const run = (input: unknown, options?: object) => model.pipe?.(input, options);
  const stream =
    model.pipeStream && ((input: unknown, options?: object) => model.pipeStream?.(input, options));
  const properties = { task, model, ...(stream && { stream }) };
  return Object.assign(run, properties) as unknown as Pipes[T] & PipeProperties;
}

function unknownTask(task: string): UnrollError {
  const names = Object.keys(NAMES);
  const near = nearest(task, names);
  const hint = near === undefined ? `The tasks are: ${names.join(', ')}.` : `Did you mean "${near}"?`;
  return valueError(`pipeline: there is no task "${task}". ${hint}`, { task });
}
