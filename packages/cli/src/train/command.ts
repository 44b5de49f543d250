/** `unroll train <task>`: trains a model of a task and writes it to a folder. */
import { nearest } from '@unroll/core/internal';
import { classifyTraining } from '../classify/training.js';
import { describeTraining } from '../describe/training.js';
import { generateTraining } from '../generate/training.js';
import { type ParsedArgs, parseOptions, UsageError } from '../shared/args.js';
import type { Command } from '../shared/command.js';
import { speakTraining } from '../speak/training.js';
import { tagTraining } from '../tag/training.js';
import { transcribeTraining } from '../transcribe/training.js';
import { translateTraining } from '../translate/training.js';
import { TRAINING_OPTIONS, trainingHelp } from './options.js';
import { runTraining } from './run.js';
import type { TrainableTask } from './trainable.js';

/** The tasks that can be trained, by name. */
export const TRAINABLE_TASKS: Readonly<Record<string, TrainableTask>> = {
  classify: classifyTraining,
  tag: tagTraining,
  generate: generateTraining,
  translate: translateTraining,
  transcribe: transcribeTraining,
  describe: describeTraining,
  speak: speakTraining,
};
const NAMES = Object.keys(TRAINABLE_TASKS);

const HELP = `Usage: unroll train <task> --data <file> --out <folder> [options]

Trains a model and writes it to a folder, for unroll predict, evaluate and inspect. Tasks:

${Object.entries(TRAINABLE_TASKS)
  .map(([name, { about }]) => `  ${name.padEnd(12)}${about}\n`)
  .join('')}
Run unroll train <task> --help for the options of a task.
`;

export const trainCommand: Command = {
  about: 'train a model for a task, such as text classification',
  help([name]) {
    if (name === undefined) return HELP;
    const { help, unsupported, batch, metric, units } = taskNamed(name);
    return help + trainingHelp(unsupported, batch, metric, units);
  },
  async run([name, ...args], { signal }) {
    if (name === undefined)
      throw new UsageError(`A task is required: unroll train ${NAMES.join('|')} [options]`);
    const task = taskNamed(name);
    const parsed = parseOptions(args, { ...TRAINING_OPTIONS, ...task.options });
    const unsupported = task.unsupported?.find((option) => parsed.values[option] !== undefined);
    if (unsupported !== undefined)
      throw new UsageError(`--${unsupported} is not an option of unroll train ${name}.`);
    const [extra] = parsed.positionals;
    if (extra !== undefined)
      throw new UsageError(
        `Unexpected argument "${extra}".${hasData(parsed) ? '' : ` Pass the training data as --data ${extra}.`}`,
      );
    await runTraining(name, task, parsed, signal);
  },
};

/** Returns true if --data, --source-file or --target-file is given. */
const hasData = ({ values }: ParsedArgs): boolean =>
  ['data', 'source-file', 'target-file'].some((option) => values[option] !== undefined);

/** @throws UsageError for an unknown name */
function taskNamed(name: string): TrainableTask {
  if (Object.hasOwn(TRAINABLE_TASKS, name)) return TRAINABLE_TASKS[name];
  const suggestion = nearest(name, NAMES);
  const hint =
    suggestion === undefined ? `The tasks are ${NAMES.join(', ')}.` : `Did you mean "${suggestion}"?`;
  throw new UsageError(
    name.startsWith('-')
      ? `The task must come first: unroll train ${NAMES.join('|')} [options]`
      : `Unknown task "${name}". ${hint}`,
  );
}
