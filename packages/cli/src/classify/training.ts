/** `unroll train classify`: its options, help and training. */
import { type Cell, makeTable, nestedValues, readVectors, type Table, texts } from '@unroll/data';
import {
  ClassifyModel,
  type ClassifyOptions,
  type Clip,
  classifyEvents,
  classifyPlanEvent,
  classifyReport,
  prepareWithVectors,
  type RunEvent,
  type SoundFile,
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
import { readClipTable } from '../shared/clip-files.js';
import { CLIP_HELP, CLIP_OPTIONS, clipArguments } from '../shared/clip-options.js';
import { type ReadOptions, readingOptions } from '../shared/reading-options.js';
import { checkSoundData, FOLDER_COLUMN, isFolder, readSoundTable } from '../shared/sound-files.js';
import { SOUND_HELP, SOUND_OPTIONS, soundArguments } from '../shared/sound-options.js';
import { fingerprintOf, openStream, readTable } from '../shared/table-file.js';
import { networkArguments } from '../train/options.js';
import type { TrainableTask, TrainedModel, TrainingJob } from '../train/trainable.js';

const OPTIONS = {
  text: { type: 'string' },
  sequence: { type: 'string' },
  ...SOUND_OPTIONS,
  ...CLIP_OPTIONS,
  label: { type: 'string' },
  'multi-label': { type: 'string' },
  vectors: { type: 'string' },
  networks: { type: 'string' },
  filters: { type: 'string' },
  'no-ngrams': { type: 'boolean' },
} as const satisfies OptionSpecs;

const HELP = `Usage: unroll train classify --data <file> --text <column> --label <column> --out <folder>
       unroll train classify --data <file> --sequence <column> --label <column> --out <folder>
       unroll train classify --data <file> --audio <column> --label <column> --out <folder>
       unroll train classify --data <file> --frames <column> --label <column> --out <folder>
       unroll train classify --data <folder> --pattern "{label}_{speaker}_{take}.wav"
                             --label <field> --out <folder>

Trains a recurrent network that predicts the label of a text, a numeric sequence (such as sensor
data), a sound or a video clip. Reads tables (CSV, TSV, JSON lines or Parquet, also gzipped) with
one input and its label per row, and .ts files of sktime. Texts are split into words, or into
characters if they are mostly Chinese or Japanese.

Data
  --data <file>         rows to train on
  --text <column>       column with the texts
  --sequence <column>   column with numeric sequences: lists of steps, each a number or a list of
                        numbers (not needed for .ts files)
  --audio <column>      column with the paths of WAV files, relative to the file of --data
  --frames <column>     column with the paths of clips, relative to the file of --data. A clip is a
                        folder of PNG or JPEG files, a GIF file, or an array [frames, height, width]
                        or [frames, height, width, channels] in an .npz or .npy file
  --pattern <pattern>   pattern of the file names if --data is a folder of WAV files; each {field}
                        is a column
  --label <column>      column with the labels (not needed for .ts files)
  --multi-label <text>  each row has any number of labels, separated by this text (or given as a
                        JSON list)
  --valid <file>        rows for validation (default: a tenth of the rows of each label, or a fifth
                        if there are fewer than 1,000 sequences, sounds or clips)
  --vectors <file>      pretrained word vectors (word2vec, GloVe or fastText) as initial weights of
                        the embedding
  --filters <n>         numeric sequences: filters of each of the two convolutions over the steps;
                        0: no convolutions (default: 64)
  --networks <n>        number of networks, whose predictions are averaged (default: 5; 3 for texts
                        with an n-gram model; 1 for clips; fewer for large data sets)
  --no-ngrams           texts: train only the networks, without the n-gram model
${SOUND_HELP}${CLIP_HELP}`;

export const classifyTraining: TrainableTask = {
  about: 'predict the label of a text, a numeric sequence, a sound or a video clip',
  options: OPTIONS,
  help: HELP,
  open,
};

async function open(args: ParsedArgs): Promise<TrainingJob> {
  const path = requiredText(args, 'data', 'file', 'the rows to train on');
  const networks = integerOption(args, 'networks');
  const filters = integerOption(args, 'filters', 0);
  const network = {
    ...{ ...networkArguments(args), ...soundArguments(args), ...clipArguments(args) },
    ...(filters !== undefined && { filters }),
    ...(networks !== undefined && { networks }),
    ...(args.values['no-ngrams'] === true && { ngrams: false }),
  };
  const reading = readingOptions(args);
  const validPath = textOption(args, 'valid');
  const givenColumns = columnArguments(args);
  const pattern = textOption(args, 'pattern');
  const folder = isFolder(path);
  const { audio = folder ? FOLDER_COLUMN : undefined } = givenColumns;
  const read = (file: string) =>
    givenColumns.frames !== undefined
      ? readClipTable(file, givenColumns.frames, { reading })
      : audio === undefined
        ? readTable(file, reading)
        : readSoundTable(file, { audio, pattern, reading });
  if (folder || pattern !== undefined)
    checkSoundData({
      path,
      pattern,
      audio: givenColumns.audio,
      other: givenColumns.text ?? givenColumns.sequence ?? givenColumns.frames,
    });
  const data = await read(path);
  const columns = columnsOf({ ...givenColumns, ...(audio !== undefined && { audio }) }, data.table);
  const valid = validPath === undefined ? undefined : await read(validPath);
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
      ...{ ...names, pattern, 'multi-label': multiLabel, ...others, batch },
      ...{ 'learning-rate': learningRate, ...reading },
    },
    example: exampleOf(data.table, columns),
    plan: async () => classifyPlanEvent(await prepareWithVectors(data.table, options)),
    run: (control) => train(data.table, { ...options, ...control }, { reading, pattern }),
  };
}

/**
 * Returns the file of --vectors; undefined if there is none.
 * @throws UsageError if the file cannot be read or the inputs are not texts
 */
function vectorsFile(args: ParsedArgs, { text }: Columns, embedding: number | undefined) {
  const path = textOption(args, 'vectors');
  if (path === undefined) return undefined;
  if (text === undefined)
    throw new UsageError('--vectors is an option for texts, but the inputs are not texts.');
  const width = embedding === undefined ? {} : { width: embedding };
  const read: ClassifyOptions['vectors'] = (vocabulary) =>
    readVectors(openStream(path), { vocabulary, source: path, ...width });
  return { read, notes: [], fingerprint: fingerprintOf(path) };
}

/** Returns a request with the input of the first row. */
function exampleOf(table: Table, { text, audio, frames, sequence = '' }: Columns): TaskRequest {
  if (frames !== undefined) return { clips: nestedValues(table, frames).slice(0, 1) as Clip[] };
  if (audio !== undefined) return { sounds: nestedValues(table, audio).slice(0, 1) as SoundFile[] };
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

type Columns = Pick<ClassifyOptions, 'text' | 'sequence' | 'audio' | 'frames' | 'label' | 'multiLabel'>;

/** @throws UsageError if two of --text, --sequence, --audio and --frames are given */
function columnArguments(args: ParsedArgs): Partial<Columns> {
  const names = ['text', 'sequence', 'audio', 'frames', 'label', 'multi-label'];
  const [text, sequence, audio, frames, label, multiLabel] = names.map((name) => textOption(args, name));
  const [first, second] = names.slice(0, 4).filter((name) => args.values[name] !== undefined);
  if (second !== undefined) {
    const kinds = 'The inputs are either texts, sequences, sounds or clips.';
    throw new UsageError(`--${first} and --${second} cannot be combined. ${kinds}`);
  }
  return {
    ...(text !== undefined && { text }),
    ...(sequence !== undefined && { sequence }),
    ...(audio !== undefined && { audio }),
    ...(frames !== undefined && { frames }),
    ...(label !== undefined && { label }),
    ...(multiLabel !== undefined && { multiLabel }),
  };
}

/** Adds the columns of a .ts file, which have fixed names. @throws UsageError if a column is not given */
function columnsOf(
  { text, sequence, audio, frames, label, ...others }: Partial<Columns>,
  table: Table,
): Columns {
  if (audio !== undefined || frames !== undefined) {
    if (label === undefined)
      throw new UsageError('--label <column> is required: the column with the labels.');
    return { ...(frames === undefined ? { audio: audio ?? '' } : { frames }), label, ...others };
  }
  const isTsFile = table.columns[0].name === 'sequence' && table.columns[0].firstNestedRow !== undefined;
  const input = text ?? sequence ?? (isTsFile ? 'sequence' : undefined);
  if (input === undefined)
    throw new UsageError(
      '--text <column>, --sequence <column>, --audio <column> or --frames <column> is required: the column with the inputs.',
    );
  const labels = label ?? (isTsFile ? 'label' : undefined);
  if (labels === undefined) throw new UsageError('--label <column> is required: the column with the labels.');
  return { ...(text === undefined ? { sequence: input } : { text }), label: labels, ...others };
}

async function* train(
  table: Parameters<typeof classifyEvents>[0],
  options: ClassifyOptions,
  { reading, pattern }: { reading: ReadOptions; pattern: string | undefined },
): AsyncGenerator<RunEvent, TrainedModel, void> {
  const result = yield* classifyEvents(table, options);
  const { pipeline, network } = result.model;
  const hasReading = Object.keys(reading).length > 0;
  const { accuracy, macroF1, microF1 } = result.scores;
  return {
    model:
      hasReading || pattern !== undefined
        ? new ClassifyModel(
            { ...pipeline, ...(hasReading && { reading }), ...(pattern !== undefined && { pattern }) },
            network,
          )
        : result.model,
    record: {
      seed: options.seed ?? 0,
      epochs: result.trainings.map(({ bestEpoch }) => bestEpoch),
      ...(microF1 === undefined ? { accuracy, macroF1 } : { microF1, macroF1, exactMatch: accuracy }),
    },
    report: (run) => classifyReport(result, run),
  };
}
