/** Parses the options that a model declares, and formats their help. */
import type { Table } from '@unroll/data';
import type { TaskOption, TaskOptionValue } from '@unroll/tasks';
import { integerOption, type OptionSpecs, type ParsedArgs, textOption, UsageError } from './args.js';

/** Converts the options of a model to option specifications for the parser. */
export const specsOf = (options: readonly TaskOption[]): OptionSpecs =>
  Object.fromEntries(
    options.map(({ name, type }) => [name, { type: type === 'flag' ? 'boolean' : 'string' } as const]),
  );

/**
 * Returns the values of the given options, by name.
 * @param readTable reads the file of a table option; its second argument is the name of the option
 * @throws UsageError for values of the wrong type
 */
export async function optionValues(
  args: ParsedArgs,
  options: readonly TaskOption[],
  readTable: (path: string, option: string) => Promise<Table>,
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
  { name, type, least: minimum = 0 }: TaskOption,
  readTable: (path: string, option: string) => Promise<Table>,
): Promise<TaskOptionValue | undefined> {
  if (type === 'flag') return args.values[name] === true ? true : undefined;
  if (type === 'integer') return integerOption(args, name, minimum);
  const argument = textOption(args, name);
  if (argument === undefined || type === 'text') return argument;
  if (type === 'table') return readTable(argument, name);
  const value = Number(argument);
  if (Number.isFinite(value)) return value;
  throw new UsageError(`--${name} must be a number, got "${argument}".`);
}

/** Width of the help in columns. */
const WIDTH = 100;
const PLACEHOLDERS = { integer: 'n', number: 'x', text: 'text', table: 'file' };

/** Formats the help of each option; long texts are wrapped. */
export function optionsHelp(options: readonly TaskOption[]): string {
  return options
    .map((option) => optionHelp(`--${option.name}${valueText(option)}`, helpText(option)))
    .join('');
}

function valueText({ type, placeholder }: TaskOption): string {
  return type === 'flag' ? '' : ` <${placeholder ?? PLACEHOLDERS[type]}>`;
}

const helpText = ({ help, default: defaultValue }: TaskOption): string =>
  defaultValue === undefined ? help : `${help} (default: ${defaultValue})`;

function optionHelp(flag: string, help: string): string {
  const indent = 24;
  const lines = wrapLines(help, WIDTH - indent);
  const head = `  ${flag}`.padEnd(indent);
  return lines.map((line, i) => `${i === 0 ? head : ' '.repeat(indent)}${line}\n`).join('');
}

/** Breaks a text into lines of at most `width` columns. */
export function wrapLines(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
