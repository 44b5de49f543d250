/** The tasks of this version: a line each. */
import { UnrollError } from '@unroll/core';
import { ForecastModel } from './forecast/model.js';
import { formatOf, PIPELINE_FILE, readPipeline } from './shared/pipeline-file.js';
import type { Task, TaskModel } from './shared/task.js';

export const TASKS: readonly Task[] = [
  { name: 'forecast', version: 1, fromFiles: (files) => ForecastModel.fromFiles(files) },
];

/**
 * The model in files, of whichever task it is.
 * @param tasks those that are known. Default: all of this version
 * @throws UnrollError `format` for a model of no task or of one that is not known, a newer version, and files that are
 *   missing or damaged
 */
export function taskModelFromFiles(
  files: ReadonlyMap<string, Uint8Array>,
  tasks: readonly Task[] = TASKS,
): TaskModel {
  if (!files.has(PIPELINE_FILE) && files.has('config.json')) {
    throw new UnrollError(
      'format',
      `This model has no pipeline.json, so that it belongs to no task. ${ANYWAY}`,
    );
  }
  const pipeline = readPipeline(files);
  const format = formatOf(pipeline);
  if (format === null) {
    const found = JSON.stringify(pipeline.format ?? null).slice(0, 80);
    throw new UnrollError(
      'format',
      `pipeline.json names no task of Unroll: its format is ${found}. ${ANYWAY}`,
      {
        format: pipeline.format,
      },
    );
  }
  const known = tasks.find(({ name }) => name === format.task);
  if (known === undefined) {
    throw new UnrollError(
      'format',
      `This model is of the task "${format.task}", which this version does not know. It knows ` +
        `${tasks.map(({ name }) => name).join(', ')}.`,
      format,
    );
  }
  if (format.version > known.version) {
    throw new UnrollError(
      'format',
      `This model is of the task "${format.task}", format version ${format.version}, and this version of Unroll reads up ` +
        `to ${known.version}: update Unroll.`,
      format,
    );
  }
  return known.fromFiles(files);
}

const ANYWAY =
  'model.save() writes such models, and a program loads them with loadModel(). unroll inspect describes them.';
