/** What a caller asks of a model, held against what the model takes. */
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
 * @param takes whether the model takes texts. Default false
 * @throws UnrollError `value` for an option that is not declared or of another type, and for texts that are not taken
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
      throw valueError(`There is no option "${name}" here. Known: ${known}.`, { name });
    }
    if (!IS[option.type](value)) {
      throw valueError(`The option ${name} must be of type ${option.type}, got ${shown(value)}.`, { name });
    }
  }
  if (texts !== undefined && !takesTexts) {
    throw valueError(`A model of format ${model.format} takes rows, got texts.`, { format: model.format });
  }
}
