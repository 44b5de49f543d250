/** Command-line options: parsed by node:util, with messages that say what would be right. */
import { parseArgs } from 'node:util';
import { nearest } from '@unroll/core/internal';

/** What the user typed is at fault; the message says how. Exit code 2. */
export class UsageError extends Error {}

export interface OptionSpecs {
  readonly [name: string]: { type: 'string' | 'boolean' };
}

/** Options by name (without dashes) and what stands outside them. */
export interface ParsedArgs {
  values: Readonly<Record<string, string | boolean | undefined>>;
  positionals: readonly string[];
}

/**
 * Parses the arguments of one verb.
 * @throws UsageError for an option that is not known (with the nearest one), or a value that is missing or not wanted
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

/** What stands on the command line, in order; options that are not among the specs too. */
export function tokensOf(args: readonly string[], specs: OptionSpecs) {
  const loose = { strict: false, allowPositionals: true, tokens: true } as const;
  return parseArgs({ args: [...args], options: specs, ...loose }).tokens;
}

function checkNames(args: readonly string[], specs: OptionSpecs): void {
  for (const token of tokensOf(args, specs)) {
    if (token.kind !== 'option') continue;
    const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined;
    if (spec === undefined) throw unknownOption(token.rawName, token.name, specs);
    // What follows a name is its value only if it does not look like an option itself.
    const missing = token.value === undefined || (!token.inlineValue && token.value.startsWith('-'));
    if (spec.type === 'string' && missing) throw new UsageError(`${token.rawName} needs a value.`);
    if (spec.type === 'boolean' && token.value !== undefined)
      throw new UsageError(`${token.rawName} takes no value.`);
  }
}

function unknownOption(raw: string, name: string, specs: OptionSpecs): UsageError {
  const near = nearest(name, Object.keys(specs));
  const hint = near === undefined ? 'unroll <verb> --help lists them.' : `Did you mean --${near}?`;
  return new UsageError(`There is no option ${raw}. ${hint}`);
}

/**
 * An option that holds a whole number of at least `least`.
 * @throws UsageError when it holds something else
 */
export function wholeNumber(args: ParsedArgs, name: string, least = 1): number | undefined {
  const text = args.values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (typeof text === 'string' && /^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least)
    return value;
  throw new UsageError(`--${name} must be a whole number from ${least}, and it is "${text}".`);
}

/** An option that holds text. */
export function text(args: ParsedArgs, name: string): string | undefined {
  const value = args.values[name];
  if (value === '') throw new UsageError(`--${name} is empty.`);
  return typeof value === 'string' ? value : undefined;
}
