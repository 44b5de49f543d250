/** `unroll predict`: predicts from rows or a text with a saved model of any task. Each model declares its own options. */
import { ready } from '@unroll/core';
import { type Task, type TaskModel, type TaskRequest, taskModelFromFiles, taskName } from '@unroll/tasks';
import { type OptionSpecs, type ParsedArgs, parseOptions, textOption, UsageError } from './args.js';
import { openClip, readClipTable } from './clip-files.js';
import type { Command } from './command.js';
import { checkWritable, writeAtomically } from './files.js';
import { modelPath, readModelFiles } from './model-files.js';
import { optionsHelp, optionValues, specsOf, wrapLines } from './model-options.js';
import { predictLines } from './predict-lines.js';
import { predictStream } from './predict-stream.js';
import { READING_HELP, READING_OPTIONS, type ReadOptions, readingOptions } from './reading-options.js';
import { Reporter } from './reporter.js';
import { isFolder, readSoundFile, readSoundTable } from './sound-files.js';
import { SoundOutput } from './sound-output.js';
import { readRows, readText } from './table-file.js';
import { csvOf, jsonLinesOf } from './tables.js';
import { withTemplateOfMissingRows } from './template.js';

const OPTIONS = {
  data: { type: 'string' },
  sql: { type: 'string' },
  text: { type: 'string' },
  audio: { type: 'string' },
  frames: { type: 'string' },
  pattern: { type: 'string' },
  stream: { type: 'boolean' },
  ...READING_OPTIONS,
  out: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const satisfies OptionSpecs;

const HELP = `Usage: unroll predict <model> [options]
       unroll predict <model> - [options]

Predicts with a saved model of any task and prints the predictions to stdout as CSV with a header.
<model> is the folder of a saved model (<out> of unroll train, <out>/model of unroll forecast) or a
zip of this folder. Some tasks have further options; unroll predict <model> --help lists them.

  --data <file>         rows to predict from, with the columns of the training data
  --sql <query>         query over the --data file (default: the query of the training run)
  --text <text>         text to predict from, or a sequence of numbers as JSON
  --audio <file>        WAV file to predict from, for models that read sound; - reads stdin. For
                        speech synthesis: WAV file to write, or a folder for several texts; - writes
                        to stdout
  --frames <path>       clip to predict from, for models that read video: a folder of PNG or JPEG
                        files, a GIF file, or an array in an .npz or .npy file
  --stream              with --audio: predict while the sound arrives, and print a line when the
                        prediction changes
  --pattern <pattern>   pattern of the file names if --data is a folder of WAV files; each {field}
                        is a column (default: the pattern of the training run)
  -                     read texts from stdin, one per line, and print one line for each
  --out <folder>        write the predictions to <folder>/<task>.csv, such as forecast.csv, instead
                        of stdout
  --json                print the predictions to stdout, one JSON object per row

${READING_HELP}`;

export const predict: Command = {
  about: 'predict with a saved model',
  async help(args, { tasks }) {
    const path = modelPath(args, OPTIONS);
    if (path === undefined) return HELP;
    const model = await loadTaskModel(path, tasks);
    const about = wrapLines(model.about, 100).join('\n');
    const modelHelp = model.options.length === 0 ? 'The model has no options.\n' : optionsHelp(model.options);
    return `${HELP}\nThe model in ${path} (task ${taskName(model.format)}):\n\n${about}\n\n${modelHelp}`;
  },
  async run(args, { tasks }) {
    const path = modelPath(args, OPTIONS);
    if (path === undefined) throw new UsageError(MODEL_REQUIRED);
    const model = await loadTaskModel(path, tasks);
    const parsed = parseOptions(args, { ...specsOf(model.options), ...OPTIONS });
    const [, stdin, ...others] = parsed.positionals;
    if ((stdin !== undefined && stdin !== '-') || others.length > 0) throw new UsageError(MODEL_REQUIRED);
    const audio = textOption(parsed, 'audio');
    if (stdin === '-' && model.writesSound === true)
      throw new UsageError('Speech synthesis cannot read texts from stdin ("-"). Use --text or --data.');
    const soundOutput = model.writesSound === true ? new SoundOutput(audio) : null;
    if (stdin === '-') return predictLines(model, parsed);
    if (parsed.values.stream === true) return predictStream(model, parsed);
    const out = textOption(parsed, 'out');
    const file = `${taskName(model.format)}.csv`;
    if (out !== undefined) checkWritable(out, [file]);
    const reporter = new Reporter({ json: true, quiet: false });
    const { reading, ...data } = await readData(parsed, model, reporter, { sounds: soundOutput === null });
    const text = textOption(parsed, 'text');
    const readTable = async (table: string) => (await readRows(table, reading)).table;
    const options = await optionValues(parsed, model.options, readTable);
    const frames = textOption(parsed, 'frames');
    if (frames !== undefined && model.frames === undefined)
      throw new UsageError(
        `--frames is for models that read video, got a model of the task "${taskName(model.format)}" that does not.`,
      );
    const request = {
      ...{ ...data, options },
      texts: text === undefined ? undefined : [text],
      sounds: audio === undefined || soundOutput !== null ? undefined : [readSoundFile(audio)],
      clips: frames === undefined ? undefined : [await openClip(frames)],
    };
    soundOutput?.checkCount((request.texts?.length ?? 0) + (data.rows?.rowCount ?? 0));
    const optionFiles = Object.fromEntries(
      model.options.map(({ name }) => [name, textOf(parsed.values[name])]),
    );
    const result = await withTemplateOfMissingRows(out, optionFiles, () => model.predict(request));
    for (const note of result.notes) reporter.print(note);
    const written = soundOutput?.write(result.sounds ?? []) ?? null;
    if (written !== null) reporter.print(`written  ${written}`);
    if (out !== undefined) {
      writeAtomically(out, new Map([[file, csvOf(result)]]));
      reporter.print(`written  ${out}: ${file}`);
    }
    if (soundOutput?.isStdout) return;
    if (parsed.values.json === true) process.stdout.write(jsonLinesOf(result));
    else if (out === undefined) process.stdout.write(csvOf(result));
  },
};

const MODEL_REQUIRED = 'Exactly one model is required: unroll predict <model folder> [--data <file>]';

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** Loads the model in a folder or zip. */
export async function loadTaskModel(path: string, tasks: readonly Task[]): Promise<TaskModel> {
  const files = await readModelFiles(path);
  await ready();
  return taskModelFromFiles(files, tasks);
}

/**
 * Reads the file of `--data`, in the format of the model's training file unless options override it. Prints notes about the
 * file.
 * @param sounds true (the default): also read the WAV files that a column names
 */
export async function readData(
  args: ParsedArgs,
  model: TaskModel,
  reporter: Reporter,
  { sounds = true } = {},
): Promise<Pick<TaskRequest, 'rows' | 'file'> & { reading: ReadOptions }> {
  const options = readingOptions(args);
  const { encoding, header, ...separators } = { ...model.reading };
  // If an option sets one separator, both stored separators are ignored: they may contradict it.
  const hasSeparator = options.decimal !== undefined || options.thousands !== undefined;
  const stored = { ...(encoding && { encoding }), ...(header !== undefined && { header }) };
  const reading = { ...stored, ...(hasSeparator ? {} : separators), ...options };
  const path = textOption(args, 'data');
  if (args.values.pattern !== undefined && (path === undefined || (!sounds && !isFolder(path))))
    throw new UsageError('--pattern needs a folder of WAV files as --data.');
  if (path === undefined && args.values.sql !== undefined) throw new UsageError('--sql needs --data <file>.');
  if (path === undefined) return { reading };
  const sql = textOption(args, 'sql') ?? model.sql;
  const query = sql === undefined ? undefined : { sql };
  if (model.audio === undefined && args.values.pattern !== undefined)
    throw new UsageError('--pattern is for folders of WAV files, but this model does not read sound.');
  if (model.audio !== undefined && (sounds || isFolder(path))) {
    const pattern = textOption(args, 'pattern') ?? (isFolder(path) ? model.pattern : undefined);
    const { table, notes } = await readSoundTable(path, { audio: model.audio, pattern, reading, query });
    for (const note of notes) reporter.print(note);
    return { rows: table, reading };
  }
  if (model.frames !== undefined) {
    const { table, notes } = await readClipTable(path, model.frames, { reading, query });
    for (const note of notes) reporter.print(note);
    return { rows: table, reading };
  }
  if (model.reads === 'file') {
    if (sql !== undefined) throw new UsageError('--sql needs a table, but this model reads a text file.');
    const { file, notes } = readText(path, reading);
    for (const note of notes) reporter.print(note);
    return { file, reading };
  }
  const { table, notes } = await readRows(path, reading, query);
  for (const note of notes) reporter.print(note);
  return { rows: table, reading };
}
