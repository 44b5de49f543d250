/** `unroll evaluate`: scores a saved model on rows with known targets. */
import { setThreads } from '@unroll/core';
import { type TaskModel, type TaskRequest, type TaskScores, taskName } from '@unroll/tasks';
import {
  integerOption,
  type OptionSpecs,
  type ParsedArgs,
  parseOptions,
  textOption,
  UsageError,
} from './args.js';
import type { Command } from './command.js';
import { loadTaskModel, readData } from './predict-command.js';
import { READING_HELP, READING_OPTIONS, readingOptions } from './reading-options.js';
import { Reporter } from './reporter.js';
import { readSoundPairs } from './sound-pairs.js';
import { readText } from './table-file.js';

const OPTIONS = {
  data: { type: 'string' },
  sql: { type: 'string' },
  pattern: { type: 'string' },
  'source-file': { type: 'string' },
  'target-file': { type: 'string' },
  verification: { type: 'string' },
  ...READING_OPTIONS,
  threads: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const satisfies OptionSpecs;

const HELP = `Usage: unroll evaluate <model> --data <file> [options]
       unroll evaluate <model> --source-file <file> --target-file <file> [options]
       unroll evaluate <model> --verification <file> [options]

Scores a saved model on rows that it was not trained on, with the same metrics as the training run.
<model> is the folder of a saved model (<out> of unroll train, <out>/model of unroll forecast) or a
zip of this folder.

A forecasting model is scored on the rows after its training data and compared with the best
baseline. A forecast starts at each of these rows, or at a sample of them if there are many, and
uses only the rows before it. A classifier is scored by accuracy, macro F1, the scores of each label
and the confusion matrix; a tagger by precision, recall and F1 of entities (or of tags, if the tags
mark no entities), overall and for each type. A language model is scored by its perplexity, and by
nats and bits per character; a translator by BLEU and chrF, as defined by sacrebleu, and by ROUGE.
Descriptions of clips are scored like translations, and by the share of sentences that are exactly
right; a transcriber is scored by word and character error rates, and speech synthesis by the
mel-cepstral distortion.

  --data <file>         rows with the columns of the training data, including the target; for a
                        language model, a text file
  --sql <query>         query over the --data file (default: the query of the training run)
  --pattern <pattern>   pattern of the file names if --data is a folder of WAV files; each {field}
                        is a column (default: the pattern of the training run)
  --source-file <file>, --target-file <file>
                        for translators: a text file with one source per line, and a text file with
                        the target of each line
  --verification <file> pairs of sounds, for classifiers of sounds: two columns with the paths of
                        WAV files, and a column "same" with 1 for the same label (such as the same
                        speaker) and 0 for different ones; reports the equal error rate
  --threads <n>         number of threads (default: the number of cores)
  --json                print events to stdout, one JSON object per line, and text to stderr

${READING_HELP}`;

export const evaluate: Command = {
  about: 'score a saved model on rows with known targets',
  help: () => HELP,
  async run(args, { tasks }) {
    const parsed = parseOptions(args, OPTIONS);
    const hasData = ['data', 'source-file', 'target-file', 'verification'].some(
      (name) => parsed.values[name] !== undefined,
    );
    if (parsed.positionals.length !== 1 || !hasData) {
      throw new UsageError(
        'Exactly one model and --data are required: unroll evaluate <model folder> --data <file>',
      );
    }
    checkCombination(parsed);
    const threads = integerOption(parsed, 'threads');
    const model = await loadTaskModel(parsed.positionals[0], tasks);
    if (threads !== undefined) setThreads(threads);
    const reporter = new Reporter({ json: parsed.values.json === true, quiet: false });
    const { notes, tables = [], metrics, ...scores } = await scoresOf(parsed, model, reporter);
    for (const note of notes) reporter.report({ event: 'note', text: note });
    reporter.report({ event: 'scores', ...scores });
    for (const table of tables) reporter.report({ event: 'table', ...table });
    if (metrics !== undefined) reporter.report({ event: 'result', task: taskName(model.format), metrics });
  },
};

/** @throws UsageError for options of --data with the other forms of data */
function checkCombination({ values }: ParsedArgs): void {
  const form = ['verification', 'source-file', 'target-file'].find((name) => values[name] !== undefined);
  const unused = ['sql', 'pattern'].find((name) => values[name] !== undefined);
  if (form !== undefined && unused !== undefined)
    throw new UsageError(`--${unused} is for --data, so it cannot be combined with --${form}.`);
}

async function scoresOf(args: ParsedArgs, model: TaskModel, reporter: Reporter): Promise<TaskScores> {
  const path = textOption(args, 'verification');
  const task = taskName(model.format);
  if (path === undefined) {
    if (model.evaluate !== undefined) return model.evaluate(await requestOf(args, model, reporter));
    throw new UsageError(`Models of the task "${task}" do not support evaluation.`);
  }
  const other = ['data', 'source-file', 'target-file'].find((name) => args.values[name] !== undefined);
  if (other !== undefined)
    throw new UsageError(`--verification cannot be combined with --${other}. Run the command twice.`);
  if (model.verify === undefined || model.audio === undefined)
    throw new UsageError(
      `--verification is for classifiers of sounds, got a model of the task "${task}"` +
        `${model.verify === undefined ? '' : ' that does not read sound'}.`,
    );
  const { pairs, notes } = await readSoundPairs(path, { ...model.reading, ...readingOptions(args) });
  for (const note of notes) reporter.print(note);
  return model.verify(pairs);
}

/** Returns the request with the rows or the file of --data, or with two parallel files. */
async function requestOf(args: ParsedArgs, model: TaskModel, reporter: Reporter): Promise<TaskRequest> {
  const [source, target] = ['source-file', 'target-file'].map((name) => textOption(args, name));
  if (source === undefined && target === undefined) {
    const { rows, file } = await readData(args, model, reporter);
    return { rows, file };
  }
  if (model.pairs !== true) {
    const task = taskName(model.format);
    throw new UsageError(
      `--source-file and --target-file are for translators, got a model of the task "${task}". Use --data.`,
    );
  }
  if (source === undefined || target === undefined || args.values.data !== undefined)
    throw new UsageError('--source-file and --target-file must be given together, without --data.');
  const reading = { ...model.reading, ...readingOptions(args) };
  const [file, targets] = [source, target].map((path) => readText(path, reading));
  for (const note of [...file.notes, ...targets.notes]) reporter.print(note);
  return { file: file.file, target: targets.file };
}
