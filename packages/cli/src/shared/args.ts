/** Parses command-line options with node:util, and adds error messages that suggest a fix. */
import { parseArgs } from 'node:util';
import { nearest } from '@unroll/core/internal';

/** Invalid usage of the command line. Exit code 2. */
export class UsageError extends Error {}

export interface OptionSpecs {
  readonly [name: string]: { type: 'string' | 'boolean' };
}

/** Options by name (without dashes), and positional arguments. */
export interface ParsedArgs {
  values: Readonly<Record<string, string | boolean | undefined>>;
  positionals: readonly string[];
}

/**
 * Parses the arguments of one command.
 * @throws UsageError for an unknown option (suggesting the nearest name), a missing value or an unexpected value
 */
export function parseOptions(args: readonly string[], specs: OptionSpecs): ParsedArgs {
  checkNames(args, specs);
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: specs as Record<string, { type: 'string' | 'boolean' }>,
      allowPositionals: true,
    });
    return { values: values as ParsedArgs['values'], positionals };
  } catch (error) {
    throw new UsageError(
      `${(error as Error).message.split('\n')[0].replace(/ argument/g, '')}.`.replace('..', '.'),
    );
  }
}

/** Returns the tokens of the command line in order, including unknown options. */
export function tokensOf(args: readonly string[], specs: OptionSpecs) {
  const lenient = { strict: false, allowPositionals: true, tokens: true } as const;
  return parseArgs({ args: [...args], options: specs, ...lenient }).tokens;
}

function checkNames(args: readonly string[], specs: OptionSpecs): void {
  for (const token of tokensOf(args, specs)) {
    if (token.kind !== 'option') continue;
    const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined;
    if (spec === undefined) throw unknownOption(token.rawName, token.name, specs);
    // An argument that looks like an option is not a value; a single dash is.
    const isOption = token.value?.startsWith('-') === true && token.value !== '-';
    const missing = token.value === undefined || (!token.inlineValue && isOption);
    if (spec.type === 'string' && missing) throw new UsageError(`${token.rawName} needs a value.`);
    if (spec.type === 'boolean' && token.value !== undefined)
      throw new UsageError(`${token.rawName} takes no value.`);
  }
}

/** Returns the error for an unknown option. @param raw the option as the user wrote it @param name its name without dashes */
function unknownOption(raw: string, name: string, specs: OptionSpecs): UsageError {
  const suggestion = nearest(name, Object.keys(specs));
  const hint =
    suggestion === undefined ? 'Run the command with --help for a list.' : `Did you mean --${suggestion}?`;
  return new UsageError(`Unknown option ${raw}. ${hint}`);
}

/**
 * Parses an option whose value must be an integer of at least `minimum`.
 * @returns undefined if the option is not given
 * @throws UsageError for any other value
 */
export function integerOption(args: ParsedArgs, name: string, minimum = 1): number | undefined {
  const text = args.values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (typeof text === 'string' && /^\d+$/.test(text) && Number.isSafeInteger(value) && value >= minimum)
    return value;
  throw new UsageError(`--${name} must be an integer of at least ${minimum}, got "${text}".`);
}

/** Returns the value of a text option; undefined if it is not given. @throws UsageError if it is empty */
export function textOption(args: ParsedArgs, name: string): string | undefined {
  const value = args.values[name];
  if (value === '') throw new UsageError(`--${name} must not be empty.`);
  return typeof value === 'string' ? value : undefined;
}

/**
 * Parses an option whose value must be a number.
 * @param range what the number must be, for the message, such as `above 0`
 * @param accepts returns true for a number in this range
 * @returns undefined if the option is not given
 * @throws UsageError for any other value
 */
export function numberOption(
  args: ParsedArgs,
  name: string,
  range: string,
  accepts: (value: number) => boolean,
): number | undefined {
  const text = textOption(args, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && accepts(value)) return value;
  throw new UsageError(`--${name} must be a number ${range}, got "${text}".`);
}

const SECONDS = { '': 1, s: 1, m: 60, h: 3600 };

/**
 * Parses an option whose value is a duration, such as 90, 90s, 5m or 1.5h.
 * @returns seconds; undefined if the option is not given
 * @throws UsageError for any other value
 */
export function durationOption(args: ParsedArgs, name: string): number | undefined {
  const text = textOption(args, name);
  if (text === undefined) return undefined;
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([smh]?)$/i.exec(text) ?? [];
  const seconds = Number(number) * SECONDS[(unit ?? '').toLowerCase() as keyof typeof SECONDS];
  if (seconds > 0) return seconds;
  throw new UsageError(`--${name} must be a time such as 90s, 5m or 1h, got "${text}".`);
}

/** Returns the value of an option that must be one of a list. @throws UsageError for any other value */
export function choiceOption<T extends string>(
  args: ParsedArgs,
  name: string,
  choices: readonly T[],
): T | undefined {
  const text = textOption(args, name);
  if (text === undefined) return undefined;
  const choice = choices.find((candidate) => candidate === text);
  if (choice !== undefined) return choice;
  throw new UsageError(`--${name} must be one of ${choices.join(', ')}, got "${text}".`);
}

/** Returns the value of a required option. @param purpose what the value is, for the message @throws UsageError if it is missing */
export function requiredText(args: ParsedArgs, name: string, placeholder: string, purpose: string): string {
  const value = textOption(args, name);
  if (value !== undefined) return value;
  throw new UsageError(`--${name} <${placeholder}> is required: ${purpose}.`);
}
