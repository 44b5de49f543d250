/** The options that all tasks of `unroll train` share. */
import { CELL_NAMES, cellNamed, type RecurrentCellName } from '@unroll/tasks';
import {
  durationOption,
  integerOption,
  numberOption,
  type OptionSpecs,
  type ParsedArgs,
  textOption,
  UsageError,
} from '../shared/args.js';
import { READING_HELP, READING_OPTIONS } from '../shared/reading-options.js';

export const TRAINING_OPTIONS = {
  data: { type: 'string' },
  valid: { type: 'string' },
  cell: { type: 'string' },
  units: { type: 'string' },
  layers: { type: 'string' },
  embedding: { type: 'string' },
  dropout: { type: 'string' },
  lowercase: { type: 'boolean' },
  epochs: { type: 'string' },
  batch: { type: 'string' },
  'learning-rate': { type: 'string' },
  budget: { type: 'string' },
  seed: { type: 'string' },
  ...READING_OPTIONS,
  out: { type: 'string' },
  resume: { type: 'boolean' },
  threads: { type: 'string' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  help: { type: 'boolean' },
} as const satisfies OptionSpecs;

const TRAINING_HELP = `
Network (default: chosen from the data; the plan shows the choice)
  --cell <name>         recurrent cell, one of ${CELL_NAMES.slice(0, 4).join(', ')},
                        ${CELL_NAMES.slice(4).join(', ')} (default: lstm)
  --units <n>           UNITS
  --layers <n>          number of recurrent layers
  --embedding <n>       width of the token embeddings
  --dropout <rate>      dropout rate, from 0 to below 1
  --lowercase           convert texts to lower case

Training
  --epochs <n>          maximum number of epochs; training ends earlier if the validation METRIC
                        stops improving
  --batch <n>           BATCH
  --learning-rate <x>   learning rate
  --budget <time>       end the training after this time, such as 90s, 5m or 1h, at the end of an
                        epoch (default: no limit)
  --seed <n>            random seed (default: 0)

${READING_HELP}
Run
  --out <folder>        write the model and report.html to this folder
  --resume              resume the interrupted run in the --out folder
  --threads <n>         number of threads (default: the number of cores)
  --dry-run             print the plan without training
  --json                print events to stdout, one JSON object per line, and text to stderr
  --quiet               print no text
`;

/**
 * Returns the help of the options that all tasks share.
 * @param unsupported options that a task does not accept, which are left out
 * @param batch help of --batch
 * @param metric the validation metric that ends training early: `loss` or `score`
 * @param units help of --units
 */
export const trainingHelp = (
  unsupported: readonly string[] = [],
  batch = 'examples per training step',
  metric = 'loss',
  units = 'hidden units per layer and direction',
): string =>
  TRAINING_HELP.replace('BATCH', batch)
    .replace('METRIC', metric)
    .replace('UNITS', units)
    .split('\n')
    .filter((line) => !unsupported.some((name) => line.startsWith(`  --${name} `)))
    .join('\n');

/** Options that decide how a run is executed, but not what it computes. */
export interface RunArguments {
  /** Undefined only for a dry run. */
  out: string | undefined;
  resume: boolean;
  threads: number | undefined;
  json: boolean;
  quiet: boolean;
  dryRun: boolean;
}

/** @throws UsageError for invalid values, and without --out */
export function runArguments(args: ParsedArgs): RunArguments {
  const dryRun = args.values['dry-run'] === true;
  const out = textOption(args, 'out');
  if (out === undefined && !dryRun) {
    throw new UsageError('--out <folder> is required: the folder for the model.');
  }
  return {
    ...{ out, dryRun },
    resume: args.values.resume === true,
    threads: integerOption(args, 'threads'),
    json: args.values.json === true,
    quiet: args.values.quiet === true,
  };
}

/** The given options for the network and the training. */
export interface NetworkArguments {
  cell?: RecurrentCellName;
  units?: number;
  layers?: number;
  embedding?: number;
  dropout?: number;
  lowercase?: boolean;
  epochs?: number;
  batchSize?: number;
  learningRate?: number;
  /** Seconds. */
  budget?: number;
  seed?: number;
}

/** @throws UsageError for an unknown cell */
function cellOption(args: ParsedArgs): RecurrentCellName | undefined {
  const name = textOption(args, 'cell');
  if (name === undefined) return undefined;
  const cell = cellNamed(name);
  if (cell !== undefined) return cell;
  throw new UsageError(`--cell must be one of ${CELL_NAMES.join(', ')}, got "${name}".`);
}

/** @throws UsageError for invalid values */
export function networkArguments(args: ParsedArgs): NetworkArguments {
  const values = {
    cell: cellOption(args),
    units: integerOption(args, 'units'),
    layers: integerOption(args, 'layers'),
    embedding: integerOption(args, 'embedding'),
    dropout: numberOption(args, 'dropout', 'from 0 to below 1', (rate) => rate >= 0 && rate < 1),
    lowercase: args.values.lowercase === true ? true : undefined,
    epochs: integerOption(args, 'epochs'),
    batchSize: integerOption(args, 'batch'),
    learningRate: numberOption(args, 'learning-rate', 'above 0', (rate) => rate > 0),
    budget: durationOption(args, 'budget'),
    seed: integerOption(args, 'seed', 0),
  };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
