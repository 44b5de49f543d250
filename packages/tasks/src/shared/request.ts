/** Checks a request against the options that a model declares. */
import { valueError } from '@unroll/core';
import type { TaskModel, TaskOption, TaskOptionValue, TaskRequest } from './task.js';

/**
 * Checks a row index; the message counts rows from 1.
 * @param what plural noun for the rows, such as `texts`
 * @throws UnrollError `value` if there are no rows, and unless `row` is an integer from 0 to `count` - 1
 */
export function checkRow(row: number, count: number, what: string): void {
  if (Number.isInteger(row) && row >= 0 && row < count) return;
  if (count === 0) throw valueError(`The input has no ${what}. Pass at least one.`, { row, count });
  throw valueError(`The row must be from 1 to ${count} (the number of ${what}), got ${row + 1}.`, {
    row,
    count,
  });
}

/** Checks the texts of a request. @throws UnrollError `value` for an empty text, with its number if there are several */
export function checkFilled(texts: readonly string[]): void {
  const empty = texts.findIndex((text) => text.trim() === '');
  if (empty < 0) return;
  const which = texts.length === 1 ? 'The text' : `Text ${empty + 1} of ${texts.length}`;
  throw valueError(`${which} is empty. Pass a text with at least one word.`);
}

/** For each type of option, returns whether a value has this type. */
const CHECKS: Record<TaskOption['type'], (value: TaskOptionValue) => boolean> = {
  integer: Number.isInteger,
  number: Number.isFinite,
  text: (value) => typeof value === 'string',
  flag: (value) => typeof value === 'boolean',
  table: (value) => typeof value === 'object',
};

/** What an option must be, for error messages. */
const EXPECTED: Record<TaskOption['type'], string> = {
  integer: 'an integer',
  number: 'a finite number',
  text: 'a string',
  flag: 'true or false',
  table: 'a table',
};

/** What to do if a request has inputs that the model does not read. */
const INPUTS_HINT = 'Its inputs are described by unroll predict <model> --help.';

const valueText = (value: TaskOptionValue): string =>
  typeof value === 'object' ? 'a table' : typeof value === 'string' ? `"${value}"` : String(value);

/**
 * Checks that the model declares the options of a request, that the options have the right types, and that the model reads
 * the inputs of the request.
 * @param takesTexts whether the model predicts from texts. Default false
 * @throws UnrollError `value` for an undeclared option, an option of the wrong type, and inputs that the model does not read
 */
export function checkRequest(
  { options = {}, texts, sounds, clips }: TaskRequest,
  model: Pick<TaskModel, 'options' | 'format' | 'audio' | 'frames'>,
  { takesTexts = false } = {},
): void {
  for (const [name, value] of Object.entries(options)) {
    const option = model.options.find((declared) => declared.name === name);
    if (option === undefined) {
      const known = model.options.map((declared) => declared.name).join(', ');
      const hint = known === '' ? 'There are no options here.' : `The options are ${known}.`;
      throw valueError(`Unknown option "${name}". ${hint}`, { name });
    }
    if (!CHECKS[option.type](value)) {
      const message = `Option ${name} must be ${EXPECTED[option.type]}, got ${valueText(value)}.`;
      throw valueError(message, { name });
    }
  }
  if (sounds !== undefined && sounds.length > 0 && model.audio === undefined)
    throw valueError(`This model (${model.format}) does not read sound. ${INPUTS_HINT}`, {
      format: model.format,
    });
  if (clips !== undefined && clips.length > 0 && model.frames === undefined)
    throw valueError(`This model (${model.format}) does not read clips. ${INPUTS_HINT}`, {
      format: model.format,
    });
  if (texts !== undefined && !takesTexts) {
    const [inputs, remedy] =
      model.frames !== undefined
        ? ['rows or clips', 'rows (command line: --data) or clips (--frames) instead']
        : model.audio !== undefined
          ? ['rows or sounds', 'rows (command line: --data) or sounds (--audio) instead']
          : ['rows', 'rows instead (command line: --data)'];
    throw valueError(`This model (${model.format}) predicts from ${inputs}, got texts. Pass ${remedy}.`, {
      format: model.format,
    });
  }
}
