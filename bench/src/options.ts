/** Parses the command line of the benchmark. */
import { parseArgs } from 'node:util';
import { WEIGHT_TYPES, type WeightType } from './data.js';
import { CHROMIUM_NAMES, ENGINE_NAMES, type EngineSpec, engineSpec, pythonPath } from './engines.js';
import { ALL_ROWS, chooseRows, MODES, type Mode, QUICK_ROWS, type Row } from './rows.js';

export interface Options {
  rows: Row[];
  modes: Mode[];
  engines: EngineSpec[];
  threads: number[];
  quick: boolean;
  check: boolean;
  weights: WeightType;
  python: string;
  /** Engines whose calls are expected to take more seconds than this are skipped; default: 10, or 2 with `quick`. */
  limit?: number;
  json?: string;
  markdown?: string;
}

const HELP = `npm run bench -- [options]

  --rows LIST      row names such as lstm-128-128-32-100, or prefixes such as lstm, gru-128. A name is cell-I-H-B-T:
                   I input features, H hidden units, B batch size, T time steps
  --modes LIST     any of infer, train, stream; default all
  --engines LIST   any of ${ENGINE_NAMES.join(', ')} (default: all of these);
                   a certain build of Unroll: unroll-native:avx2, unroll-wasm:relaxed, ...;
                   in headless Chromium: ${CHROMIUM_NAMES.join(', ')},
                   unroll-wasm:relaxed@chromium
  --threads LIST   numbers of threads, default 1,2
  --quick          few rows, short rounds
  --weights TYPE   float32 (default), or float16: rounds all weights to float16
  --check          compares the results of the engines, without timing
  --limit SECONDS  skips engines whose calls are expected to take longer; default 10, with --quick 2
  --python PATH    a Python that has PyTorch, default bench/peers/.venv
  --json FILE      writes the result as JSON
  --markdown FILE  writes the result as Markdown
  --list           lists all rows and exits
`;

const splitList = (list: string): string[] => list.split(',').map((word) => word.trim());

function chooseModes(list: string): Mode[] {
  return splitList(list).map((word) => {
    if (MODES.includes(word as Mode)) return word as Mode;
    throw new Error(`--modes must be a list of modes (${MODES.join(', ')}), got "${word}".`);
  });
}

function weightType(word: string): WeightType {
  if (WEIGHT_TYPES.includes(word as WeightType)) return word as WeightType;
  throw new Error(`--weights must be ${WEIGHT_TYPES.join(' or ')}, got "${word}".`);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} must be greater than 0, got "${text}".`);
  return value;
}

function threadCounts(list: string): number[] {
  return splitList(list).map((word) => {
    const count = positive('threads', word);
    if (!Number.isInteger(count))
      throw new Error(`--threads must be a list of positive integers, got "${word}".`);
    return count;
  });
}

/** Parses an option that must be a positive integer. @throws Error for any other value */
export function positiveInteger(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`--${name} must be a positive integer, got "${text}".`);
}

/** Returns the result of `parse`. If it throws, prints the message and the help and exits the process. */
export function parsedOrExit<T>(parse: () => T, help: string): T {
  try {
    return parse();
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${help}`);
    process.exit(2);
  }
}

/** Parses the command line. Exits the process after an invalid option, `--help` or `--list`. */
export function readOptions(args: string[]): Options {
  return parsedOrExit(() => parse(args), HELP);
}

function parse(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rows: { type: 'string' },
      modes: { type: 'string', default: MODES.join(',') },
      engines: { type: 'string', default: ENGINE_NAMES.join(',') },
      threads: { type: 'string', default: '1,2' },
      quick: { type: 'boolean', default: false },
      weights: { type: 'string', default: 'float32' },
      check: { type: 'boolean', default: false },
      limit: { type: 'string' },
      python: { type: 'string' },
      json: { type: 'string' },
      markdown: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || values.list) {
    console.log(values.help ? HELP : ALL_ROWS.map(({ name }) => name).join('\n'));
    process.exit(0);
  }
  const empty = Object.entries(values).find(([, value]) => value === '');
  if (empty) throw new Error(`--${empty[0]} must not be empty.`);
  const python = pythonPath(values.python);
  return {
    rows: chooseRows(values.rows, values.quick ? QUICK_ROWS : ALL_ROWS),
    modes: chooseModes(values.modes),
    engines: splitList(values.engines).map((name) => engineSpec(name, python)),
    threads: threadCounts(values.threads),
    quick: values.quick,
    weights: weightType(values.weights),
    check: values.check,
    python,
    ...(values.limit && { limit: positive('limit', values.limit) }),
    ...(values.json && { json: values.json }),
    ...(values.markdown && { markdown: values.markdown }),
  };
}
