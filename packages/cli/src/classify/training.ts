/** `unroll train classify`: its options, and its runs. */
import { type Cell, makeTable, nestedValues, readVectors, type Table, texts } from '@unroll/data';
import {
  ClassifyModel,
  type ClassifyOptions,
  classifyEvents,
  classifyPlanEvent,
  classifyReport,
  prepareWithVectors,
  type RunEvent,
  type TaskRequest,
} from '@unroll/tasks';
import {
  integerOption,
  type OptionSpecs,
  type ParsedArgs,
  requiredText,
  textOption,
  UsageError,
} from '../shared/args.js';
import { type ReadOptions, readingOptions } from '../shared/reading-options.js';
import { fingerprintOf, openStream, readTable } from '../shared/table-file.js';
import { networkArguments } from '../train/options.js';
import type { Trainable, TrainedModel, TrainingJob } from '../train/trainable.js';

const OPTIONS = {
  text: { type: 'string' },
  sequence: { type: 'string' },
  label: { type: 'string' },
  'multi-label': { type: 'string' },
  vectors: { type: 'string' },
  networks: { type: 'string' },
} as const satisfies OptionSpecs;

const HELP = `Usage: unroll train classify --data <file> --text <column> --label <column> --out <folder> [options]
       unroll train classify --data <file> --sequence <column> --label <column> --out <folder> [options]

Trains a recurrent network that predicts the label of a text, or of a numeric sequence such as sensor data. Reads CSV, TSV, JSON
lines or Parquet (also with gzip), one input and its label per row, and .ts files of sktime. Texts are split into words, or into
characters if they are mostly Chinese or Japanese.

Data
  --data <file>         rows to train on
  --text <column>       column with the texts
  --sequence <column>   column with numeric sequences: lists of steps, each a number or a list of numbers (not needed for .ts files)
  --label <column>      column with the labels (not needed for .ts files)
  --multi-label <mark>  rows have any number of labels, separated by this mark (or lists of JSON)
  --valid <file>        rows for validation (default: a tenth of the rows of each label; a fifth of fewer than 1,000 sequences)
  --vectors <file>      pretrained vectors of words (word2vec, GloVe or fastText), from which the embedding of texts starts
  --networks <n>        number of networks, whose predictions are averaged (default: 5; fewer for much data)
`;

export const classifyTraining: Trainable = {
  about: 'predict the label of a text or of a numeric sequence',
  options: OPTIONS,
  help: HELP,
  open,
};

async function open(args: ParsedArgs): Promise<TrainingJob> {
  const path = requiredText(args, 'data', 'file', 'the rows to train on');
  const networks = integerOption(args, 'networks');
  const network = { ...networkArguments(args), ...(networks !== undefined && { networks }) };
  const reading = readingOptions(args);
  const validPath = textOption(args, 'valid');
  const given = columnArguments(args);
  const data = await readTable(path, reading);
  const columns = columnsOf(given, data.table);
  const valid = validPath === undefined ? undefined : await readTable(validPath, reading);
  const vectors = vectorsFile(args, columns, network.embedding);
  const options: ClassifyOptions = {
    ...columns,
    ...network,
    ...(valid && { validation: valid.table }),
    ...(vectors && { vectors: vectors.read }),
  };
  const { batchSize: batch, learningRate, ...others } = network;
  const { multiLabel, ...names } = columns;
  return {
    data: { ...data, path, rows: data.table.rowCount },
    files: [data, ...(valid ? [valid] : []), ...(vectors ? [vectors] : [])],
    options: {
      ...{ ...names, 'multi-label': multiLabel, ...others, batch },
      ...{ 'learning-rate': learningRate, ...reading },
    },
    example: exampleOf(data.table, columns),
    plan: async () => classifyPlanEvent(await prepareWithVectors(data.table, options)),
    run: (control) => train(data.table, { ...options, ...control }, reading),
  };
}

/**
 * Returns the file of --vectors; undefined if there is none.
 * @throws UsageError if it cannot be read, for sequences, and together with --embedding of another width
 */
function vectorsFile(args: ParsedArgs, { sequence }: Columns, embedding: number | undefined) {
  const path = textOption(args, 'vectors');
  if (path === undefined) return undefined;
  if (sequence !== undefined)
    throw new UsageError('--vectors is an option for texts, but the inputs are sequences.');
  const width = embedding === undefined ? {} : { width: embedding };
  const read: ClassifyOptions['vectors'] = (vocabulary) =>
    readVectors(openStream(path), { vocabulary, source: path, ...width });
  return { read, notes: [], fingerprint: fingerprintOf(path) };
}

/** Returns a request with the input of the first row. */
function exampleOf(table: Table, { text, sequence = '' }: Columns): TaskRequest {
  if (text !== undefined) return { texts: texts(table, text).slice(0, 1) };
  const first = nestedValues(table, sequence).slice(0, 1);
  const isNested = first.some((value) => typeof value === 'object');
  const rows = makeTable({
    source: table.source,
    names: [sequence],
    cells: [isNested ? [undefined] : (first as Cell[])],
    ...(isNested && { nested: new Map([[sequence, first]]) }),
  });
  return { rows };
}

type Columns = Pick<ClassifyOptions, 'text' | 'sequence' | 'label' | 'multiLabel'>;

/** @throws UsageError for --text together with --sequence */
function columnArguments(args: ParsedArgs): Partial<Columns> {
  const [text, sequence, label, multiLabel] = ['text', 'sequence', 'label', 'multi-label'].map((name) =>
    textOption(args, name),
  );
  if (text !== undefined && sequence !== undefined)
    throw new UsageError(
      '--text and --sequence cannot be combined. The inputs are either texts or sequences.',
    );
  return {
    ...(text !== undefined && { text }),
    ...(sequence !== undefined && { sequence }),
    ...(label !== undefined && { label }),
    ...(multiLabel !== undefined && { multiLabel }),
  };
}

/** Adds the columns of a .ts file, which have fixed names. @throws UsageError if a column is not given */
function columnsOf({ text, sequence, label, ...others }: Partial<Columns>, table: Table): Columns {
  const isTsFile = table.columns[0].name === 'sequence' && table.columns[0].nested !== undefined;
  const input = text ?? sequence ?? (isTsFile ? 'sequence' : undefined);
  if (input === undefined)
    throw new UsageError('--text <column> or --sequence <column> is required: the column with the inputs.');
  const labels = label ?? (isTsFile ? 'label' : undefined);
  if (labels === undefined) throw new UsageError('--label <column> is required: the column with the labels.');
  return { ...(text === undefined ? { sequence: input } : { text }), label: labels, ...others };
}

async function* train(
  table: Parameters<typeof classifyEvents>[0],
  options: ClassifyOptions,
  reading: ReadOptions,
): AsyncGenerator<RunEvent, TrainedModel, void> {
  const result = yield* classifyEvents(table, options);
  const { pipeline, network } = result.model;
  const hasReading = Object.keys(reading).length > 0;
  const { accuracy, macroF1, microF1 } = result.scores;
  return {
    model: hasReading ? new ClassifyModel({ ...pipeline, reading }, network) : result.model,
    record: {
      seed: options.seed ?? 0,
      epochs: result.trainings.map(({ bestEpoch }) => bestEpoch),
      ...(microF1 === undefined ? { accuracy, macroF1 } : { microF1, macroF1, exactMatch: accuracy }),
    },
    report: (run) => classifyReport(result, run),
  };
}
