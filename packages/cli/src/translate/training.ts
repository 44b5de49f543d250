/** `unroll train translate`: its options, help and training. */
import { texts } from '@unroll/data';
import {
  type PairData,
  prepareTranslator,
  type RunEvent,
  TranslateModel,
  type TranslateOptions,
  translateEvents,
  translatePlanEvent,
  translateReport,
} from '@unroll/tasks';
import {
  choiceOption,
  integerOption,
  type OptionSpecs,
  type ParsedArgs,
  requiredText,
  textOption,
  UsageError,
} from '../shared/args.js';
import { type ReadOptions, readingOptions } from '../shared/reading-options.js';
import { type FileInfo, readTable, readText } from '../shared/table-file.js';
import { networkArguments } from '../train/options.js';
import type { TrainableTask, TrainedModel, TrainingJob } from '../train/trainable.js';

const OPTIONS = {
  source: { type: 'string' },
  target: { type: 'string' },
  'source-file': { type: 'string' },
  'target-file': { type: 'string' },
  'valid-source': { type: 'string' },
  'valid-target': { type: 'string' },
  level: { type: 'string' },
  vocabulary: { type: 'string' },
} as const satisfies OptionSpecs;

const HELP = `Usage: unroll train translate --data <file> --source <column> --target <column>
                              --out <folder> [options]
       unroll train translate --source-file <file> --target-file <file> --out <folder> [options]

Trains a recurrent network with attention that converts a text to another text, such as a
translation or a summary. Reads a table (CSV, TSV, JSON lines or Parquet) with a source and a target
in each row, or two text files with one text per line. All files may be compressed with gzip.

Data
  --data <file>         rows to train on
  --source <column>     column with the source texts
  --target <column>     column with the target texts
  --valid <file>        rows for validation (default: a tenth of the pairs, at most 2,000)
  --source-file <file>  source texts, one per line
  --target-file <file>  target texts: line n is the target of line n of the source file
  --valid-source <file>, --valid-target <file>
                        source and target texts for validation
  --level <name>        tokens: subwords, words or characters (default: subwords, learned from the
                        training texts)
  --vocabulary <n>      size of each vocabulary in tokens (default: 1,000 to 8,000 subwords,
                        depending on the number of words; words or characters: at most 20,000)
`;

export const translateTraining: TrainableTask = {
  about: 'translate or summarise texts',
  options: OPTIONS,
  help: HELP,
  open,
};

/** The data of a run, and the files that contain the data. */
interface PairFiles {
  data: PairData;
  validation: PairData | undefined;
  /** The training file and its number of rows; for parallel files, the source file. */
  main: TrainingJob['data'];
  files: FileInfo[];
}

async function open(args: ParsedArgs): Promise<TrainingJob> {
  const reading = readingOptions(args);
  const level = choiceOption(args, 'level', ['subwords', 'words', 'characters']);
  const vocabulary = integerOption(args, 'vocabulary');
  const network = networkArguments(args);
  const isParallel = args.values['source-file'] !== undefined || args.values['target-file'] !== undefined;
  const columns = isParallel ? {} : columnsOf(args);
  const { data, validation, main, files } = await (isParallel ? openParallel : openTable)(args, reading);
  const tokens = { ...(level && { level }), ...(vocabulary !== undefined && { vocabulary }) };
  const options: TranslateOptions = { ...columns, ...tokens, ...network, ...(validation && { validation }) };
  const { batchSize: batch, learningRate, ...others } = network;
  return {
    data: main,
    files,
    options: { ...columns, ...tokens, ...others, batch, 'learning-rate': learningRate, ...reading },
    example: { texts: [firstSource(data, columns)] },
    plan: () => translatePlanEvent(prepareTranslator(data, options)),
    run: (control) => train(data, { ...options, ...control }, reading),
  };
}

function firstSource(data: PairData, columns: { source?: string }): string {
  if ('table' in data) return texts(data.table, columns.source ?? '')[0];
  return data.sourceFile.text.split('\n', 1)[0];
}

const TABLE_OPTIONS = ['data', 'source', 'target', 'valid'];
const PARALLEL_OPTIONS = ['source-file', 'target-file', 'valid-source', 'valid-target'];

/** @throws UsageError if an option in `names` is given, because it cannot be combined with `other` */
function checkNotGiven(args: ParsedArgs, names: readonly string[], other: string): void {
  const conflicting = names.find((name) => args.values[name] !== undefined);
  if (conflicting !== undefined) throw new UsageError(`--${conflicting} cannot be combined with ${other}.`);
}

function columnsOf(args: ParsedArgs): { source: string; target: string } {
  if (args.values.data === undefined) {
    throw new UsageError(
      'Training data are required: --data <file> with --source and --target, or --source-file and --target-file.',
    );
  }
  const source = requiredText(args, 'source', 'column', 'the column with the source texts');
  return { source, target: requiredText(args, 'target', 'column', 'the column with the target texts') };
}

async function openTable(args: ParsedArgs, reading: ReadOptions): Promise<PairFiles> {
  checkNotGiven(args, PARALLEL_OPTIONS, '--data');
  const path = requiredText(args, 'data', 'file', 'the rows to train on');
  const validPath = textOption(args, 'valid');
  const data = await readTable(path, reading);
  const valid = validPath === undefined ? undefined : await readTable(validPath, reading);
  return {
    data: { table: data.table },
    validation: valid && { table: valid.table },
    main: { ...data, path, rows: data.table.rowCount },
    files: valid === undefined ? [data] : [data, valid],
  };
}

async function openParallel(args: ParsedArgs, reading: ReadOptions): Promise<PairFiles> {
  checkNotGiven(args, TABLE_OPTIONS, '--source-file and --target-file');
  const path = requiredText(args, 'source-file', 'file', 'the source texts');
  const data = readParallel(path, requiredText(args, 'target-file', 'file', 'the target texts'), reading);
  const [source, target] = ['valid-source', 'valid-target'].map((name) => textOption(args, name));
  if ((source === undefined) !== (target === undefined))
    throw new UsageError('--valid-source and --valid-target must be given together.');
  const valid =
    source === undefined || target === undefined ? undefined : readParallel(source, target, reading);
  return {
    data: data.pairs,
    validation: valid?.pairs,
    main: { ...data.files[0], path },
    files: [...data.files, ...(valid?.files ?? [])],
  };
}

/** Reads two parallel text files. */
export function readParallel(sourcePath: string, targetPath: string, reading: ReadOptions) {
  const [source, target] = [sourcePath, targetPath].map((path) => readText(path, reading));
  return { pairs: { sourceFile: source.file, targetFile: target.file }, files: [source, target] };
}

async function* train(
  data: PairData,
  options: TranslateOptions,
  reading: ReadOptions,
): AsyncGenerator<RunEvent, TrainedModel, void> {
  const result = yield* translateEvents(data, options);
  const { pipeline, network } = result.model;
  const hasReading = Object.keys(reading).length > 0;
  const { bleu, chrf } = result.scores;
  return {
    model: hasReading ? new TranslateModel({ ...pipeline, reading }, network) : result.model,
    record: { seed: options.seed ?? 0, epochs: result.training.bestEpoch, bleu, chrf },
    report: (run) => translateReport(result, run),
  };
}
