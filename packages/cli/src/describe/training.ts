/** `unroll train describe`: its options, help and training. */
import { nestedValues } from '@unroll/data';
import {
  type Clip,
  DescribeModel,
  type DescribeOptions,
  describeEvents,
  describePlanEvent,
  describeReport,
  prepareDescriber,
  type RunEvent,
} from '@unroll/tasks';
import {
  choiceOption,
  integerOption,
  type OptionSpecs,
  type ParsedArgs,
  requiredText,
  textOption,
} from '../shared/args.js';
import { readClipTable } from '../shared/clip-files.js';
import { CLIP_HELP, CLIP_OPTIONS, clipArguments } from '../shared/clip-options.js';
import { type ReadOptions, readingOptions } from '../shared/reading-options.js';
import { networkArguments } from '../train/options.js';
import type { TrainableTask, TrainedModel, TrainingJob } from '../train/trainable.js';

const OPTIONS = {
  ...CLIP_OPTIONS,
  text: { type: 'string' },
  level: { type: 'string' },
  vocabulary: { type: 'string' },
  'no-augment': { type: 'boolean' },
} as const satisfies OptionSpecs;

const HELP = `Usage: unroll train describe --data <file> --frames <column> --text <column> --out <folder>
                             [options]

Trains a recurrent network with attention that describes a clip in a sentence. Reads a table (CSV,
TSV, JSON lines or Parquet) with the path of a clip and a sentence in each row.

Data
  --data <file>         rows to train on
  --frames <column>     column with the paths of clips, relative to the file of --data. A clip is a
                        folder of PNG or JPEG files, a GIF file, or an array [frames, height, width]
                        or [frames, height, width, channels] in an .npz or .npy file
  --text <column>       column with the sentences
  --valid <file>        rows for validation (default: a tenth of the rows)
  --level <name>        tokens: words, subwords or characters (default: words)
  --vocabulary <n>      size of the vocabulary in tokens (default: all words; if there are more
                        than 2,000, only those that occur at least twice)
${CLIP_HELP}`;

export const describeTraining: TrainableTask = {
  about: 'describe video clips in sentences',
  options: OPTIONS,
  help: HELP,
  open,
};

async function open(args: ParsedArgs): Promise<TrainingJob> {
  const path = requiredText(args, 'data', 'file', 'the rows to train on');
  const frames = requiredText(args, 'frames', 'column', 'the column with the paths of the clips');
  const text = requiredText(args, 'text', 'column', 'the column with the sentences');
  const level = choiceOption(args, 'level', ['words', 'subwords', 'characters']);
  const vocabulary = integerOption(args, 'vocabulary');
  const reading = readingOptions(args);
  const validPath = textOption(args, 'valid');
  const network = networkArguments(args);
  const givenOptions = {
    ...{ frames, text, ...clipArguments(args) },
    ...(level && { level }),
    ...(vocabulary !== undefined && { vocabulary }),
    ...(args.values['no-augment'] === true && { augment: false }),
  };
  const data = await readClipTable(path, frames, { reading });
  const valid = validPath === undefined ? undefined : await readClipTable(validPath, frames, { reading });
  const options: DescribeOptions = { ...givenOptions, ...network, ...(valid && { validation: valid.table }) };
  const { batchSize: batch, learningRate, ...others } = network;
  return {
    data: { ...data, path, rows: data.table.rowCount },
    files: [data, ...(valid ? [valid] : [])],
    options: { ...givenOptions, ...others, batch, 'learning-rate': learningRate, ...reading },
    example: { clips: nestedValues(data.table, frames).slice(0, 1) as Clip[] },
    plan: () => describePlanEvent(prepareDescriber(data.table, options)),
    run: (control) => train(data.table, { ...options, ...control }, reading),
  };
}

async function* train(
  table: Parameters<typeof describeEvents>[0],
  options: DescribeOptions,
  reading: ReadOptions,
): AsyncGenerator<RunEvent, TrainedModel, void> {
  const result = yield* describeEvents(table, options);
  const { pipeline, network } = result.model;
  const hasReading = Object.keys(reading).length > 0;
  const { exactMatch, bleu, perplexity } = result.scores;
  return {
    model: hasReading ? new DescribeModel({ ...pipeline, reading }, network) : result.model,
    record: {
      seed: options.seed ?? 0,
      epochs: [result.training.bestEpoch],
      ...{ exactMatch, bleu, perplexity },
    },
    report: (run) => describeReport(result, run),
  };
}
