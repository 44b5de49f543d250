/** Options declared by a model, as command-line options. */
import type { Table } from '@unroll/data';
import type { TaskOption, TaskOptionValue } from '@unroll/tasks';
import { type OptionSpecs, type ParsedArgs, text, UsageError, wholeNumber } from './args.js';

export const specsOf = (options: readonly TaskOption[]): OptionSpecs =>
  Object.fromEntries(
    options.map(({ name, type }) => [name, { type: type === 'flag' ? 'boolean' : 'string' } as const]),
  );

/**
 * The values of these options.
 * @param readTable reads the file of a table option
 * @throws UsageError for values of the wrong type
 */
export async function optionValues(
  args: ParsedArgs,
  options: readonly TaskOption[],
  readTable: (path: string) => Promise<Table>,
): Promise<Record<string, TaskOptionValue>> {
  const values: Record<string, TaskOptionValue> = {};
  for (const option of options) {
    const value = await optionValue(args, option, readTable);
    if (value !== undefined) values[option.name] = value;
  }
  return values;
}

async function optionValue(
  args: ParsedArgs,
  { name, type, least = 0 }: TaskOption,
  readTable: (path: string) => Promise<Table>,
): Promise<TaskOptionValue | undefined> {
  if (type === 'flag') return args.values[name] === true ? true : undefined;
  if (type === 'integer') return wholeNumber(args, name, least);
  const given = text(args, name);
  if (given === undefined || type === 'text') return given;
  if (type === 'table') return readTable(given);
  const value = Number(given);
  if (Number.isFinite(value)) return value;
  throw new UsageError(`--${name} must be a number, got "${given}".`);
}

const WIDTH = 110;
const PLACEHOLDERS = { integer: 'n', number: 'x', text: 'text', table: 'file' };

/** The help of each option, wrapped to several lines if it is long. */
export function optionsHelp(options: readonly TaskOption[]): string {
  return options
    .map((option) => optionHelp(`--${option.name}${valueText(option)}`, helpText(option)))
    .join('');
}

function valueText({ type, placeholder }: TaskOption): string {
  return type === 'flag' ? '' : ` <${placeholder ?? PLACEHOLDERS[type]}>`;
}

const helpText = ({ help, default: usual }: TaskOption): string =>
  usual === undefined ? help : `${help} (default: ${usual})`;

function optionHelp(flag: string, help: string): string {
  const indent = 24;
  const lines = wrapped(help, WIDTH - indent);
  const head = `  ${flag}`.padEnd(indent);
  return lines.map((line, i) => `${i === 0 ? head : ' '.repeat(indent)}${line}\n`).join('');
}

/** Words in lines of at most `width` columns. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
