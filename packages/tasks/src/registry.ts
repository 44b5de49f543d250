/** Lists the supported tasks and loads their models. */
import { UnrollError } from '@unroll/core';
import { ClassifyModel } from './classify/model.js';
import { DescribeModel } from './describe/model.js';
import { ForecastModel } from './forecast/model.js';
import { LanguageModel } from './generate/model.js';
import { formatOf, PIPELINE_FILE, readPipeline } from './shared/pipeline-file.js';
import type { Task, TaskModel } from './shared/task.js';
import { SpeakModel } from './speak/model.js';
import { TagModel } from './tag/model.js';
import { TranscribeModel } from './transcribe/model.js';
import { TranslateModel } from './translate/model.js';

export const TASKS: readonly Task[] = [
  { name: 'forecast', version: 1, fromFiles: (...args) => ForecastModel.fromFiles(...args) },
  { name: 'classify', version: 1, fromFiles: (...args) => ClassifyModel.fromFiles(...args) },
  { name: 'tag', version: 1, fromFiles: (...args) => TagModel.fromFiles(...args) },
  { name: 'generate', version: 1, fromFiles: (...args) => LanguageModel.fromFiles(...args) },
  { name: 'translate', version: 1, fromFiles: (...args) => TranslateModel.fromFiles(...args) },
  { name: 'describe', version: 1, fromFiles: (...args) => DescribeModel.fromFiles(...args) },
  { name: 'transcribe', version: 1, fromFiles: (...args) => TranscribeModel.fromFiles(...args) },
  { name: 'speak', version: 1, fromFiles: (...args) => SpeakModel.fromFiles(...args) },
];

/**
 * Loads a model of any task from its files.
 * @param tasks the supported tasks. Default: all
 * @throws UnrollError `format` for a model without a task, an unknown task, a newer format version, and files that are
 *   missing or damaged
 */
export function taskModelFromFiles(
  files: ReadonlyMap<string, Uint8Array>,
  tasks: readonly Task[] = TASKS,
): TaskModel {
  if (!files.has(PIPELINE_FILE) && files.has('config.json')) {
    throw new UnrollError(
      'format',
      `This model has no pipeline.json, so it belongs to no task. ${MODEL_HINT}`,
    );
  }
  const pipeline = readPipeline(files);
  const format = formatOf(pipeline);
  if (format === null) {
    const found = JSON.stringify(pipeline.format ?? null).slice(0, 80);
    throw new UnrollError(
      'format',
      `pipeline.json: format must name a task, such as "unroll-forecast-1", got ${found}. ${MODEL_HINT}`,
      {
        format: pipeline.format,
      },
    );
  }
  const known = tasks.find(({ name }) => name === format.task);
  if (known === undefined) {
    throw new UnrollError(
      'format',
      `Unknown task "${format.task}". This version of Unroll supports: ${tasks.map(({ name }) => name).join(', ')}.`,
      format,
    );
  }
  if (format.version > known.version) {
    throw new UnrollError(
      'format',
      `This version of Unroll reads the task "${format.task}" up to format version ${known.version}, got version ` +
        `${format.version}. Update Unroll.`,
      format,
    );
  }
  return known.fromFiles(files, pipeline);
}

const MODEL_HINT =
  'If model.save() wrote the files, load them in a program with load() of unrolljs. unroll inspect describes the model.';
