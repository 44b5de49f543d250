/** `unroll train classify`: its options, and its runs. */
import { texts } from '@unroll/data';
import {
  ClassifyModel,
  type ClassifyOptions,
  classifyEvents,
  classifyPlanEvent,
  classifyReport,
  prepareClassifier,
  type RunEvent,
} from '@unroll/tasks';
import {
  integerOption,
  type OptionSpecs,
  type ParsedArgs,
  requiredText,
  textOption,
} from '../shared/args.js';
import { type ReadOptions, readingOptions } from '../shared/reading-options.js';
import { readTable } from '../shared/table-file.js';
import { networkArguments } from '../train/options.js';
import type { Trainable, TrainedModel, TrainingJob } from '../train/trainable.js';

const OPTIONS = {
  text: { type: 'string' },
  label: { type: 'string' },
  networks: { type: 'string' },
} as const satisfies OptionSpecs;

const HELP = `Usage: unroll train classify --data <file> --text <column> --label <column> --out <folder> [options]

Trains a recurrent network that predicts the label of a text. Reads CSV, TSV, JSON lines or Parquet (also with gzip), one text
and one label per row. Texts are split into words, or into characters if they are mostly Chinese or Japanese.

Data
  --data <file>         rows to train on
  --text <column>       column with the texts
  --label <column>      column with the labels
  --valid <file>        rows for validation (default: a tenth of the texts of each label)
  --networks <n>        number of networks, whose predictions are averaged (default: 5; fewer for much data)
`;

export const classifyTraining: Trainable = {
  about: 'predict the label of a text',
  options: OPTIONS,
  help: HELP,
  open,
};

async function open(args: ParsedArgs): Promise<TrainingJob> {
  const path = requiredText(args, 'data', 'file', 'the rows to train on');
  const text = requiredText(args, 'text', 'column', 'the column with the texts');
  const label = requiredText(args, 'label', 'column', 'the column with the labels');
  const networks = integerOption(args, 'networks');
  const network = { ...networkArguments(args), ...(networks !== undefined && { networks }) };
  const reading = readingOptions(args);
  const validPath = textOption(args, 'valid');
  const data = await readTable(path, reading);
  const valid = validPath === undefined ? undefined : await readTable(validPath, reading);
  const options: ClassifyOptions = { text, label, ...network, ...(valid && { validation: valid.table }) };
  const { batchSize: batch, learningRate, ...others } = network;
  return {
    data: { ...data, path, rows: data.table.rowCount },
    files: valid === undefined ? [data] : [data, valid],
    options: { text, label, ...others, batch, 'learning-rate': learningRate, ...reading },
    example: { texts: texts(data.table, text).slice(0, 1) },
    plan: () => classifyPlanEvent(prepareClassifier(data.table, options)),
    run: (control) => train(data.table, { ...options, ...control }, reading),
  };
}

async function* train(
  table: Parameters<typeof classifyEvents>[0],
  options: ClassifyOptions,
  reading: ReadOptions,
): AsyncGenerator<RunEvent, TrainedModel, void> {
  const result = yield* classifyEvents(table, options);
  const { pipeline, network } = result.model;
  const hasReading = Object.keys(reading).length > 0;
  const { accuracy, macroF1 } = result.scores;
  return {
    model: hasReading ? new ClassifyModel({ ...pipeline, reading }, network) : result.model,
    record: {
      seed: options.seed ?? 0,
      epochs: result.trainings.map(({ bestEpoch }) => bestEpoch),
      accuracy,
      macroF1,
    },
    report: (run) => classifyReport(result, run),
  };
}
