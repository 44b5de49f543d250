/** Checks a request against the options that a model declares. */
import { valueError } from '@unroll/core';
import type { TaskModel, TaskOption, TaskOptionValue, TaskRequest } from './task.js';

const IS: Record<TaskOption['type'], (value: TaskOptionValue) => boolean> = {
  integer: Number.isInteger,
  number: Number.isFinite,
  text: (value) => typeof value === 'string',
  flag: (value) => typeof value === 'boolean',
  table: (value) => typeof value === 'object',
};

const shown = (value: TaskOptionValue): string =>
  typeof value === 'object' ? 'a table' : typeof value === 'string' ? `"${value}"` : String(value);

/**
 * Checks the options of a request against those that the model declares.
 * @param takesTexts whether the model takes texts. Default false
 * @throws UnrollError `value` for an undeclared option, an option of the wrong type, and texts for a model of rows
 */
export function checkRequest(
  { options = {}, texts }: TaskRequest,
  model: Pick<TaskModel, 'options' | 'format'>,
  { takesTexts = false } = {},
): void {
  for (const [name, value] of Object.entries(options)) {
    const option = model.options.find((each) => each.name === name);
    if (option === undefined) {
      const known = model.options.map((each) => each.name).join(', ') || 'none';
      throw valueError(`Unknown option "${name}". The model has: ${known}.`, { name });
    }
    if (!IS[option.type](value)) {
      throw valueError(`Option ${name} must be of type ${option.type}, got ${shown(value)}.`, { name });
    }
  }
  if (texts !== undefined && !takesTexts) {
    throw valueError(`A model of format ${model.format} takes rows, got texts.`, { format: model.format });
  }
}
