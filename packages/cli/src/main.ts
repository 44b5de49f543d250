/**
 * The command line `unroll <command>`. Exit codes: 0 success, 1 the run failed, 2 invalid input, 130 stopped by Ctrl-C.
 * Invalid input is reported on stderr in a few lines, without a stack trace.
 */
import { UnrollError } from '@unroll/core';
import { nearest } from '@unroll/core/internal';
import { TASKS, type Task } from '@unroll/tasks';
import { interruptSignal } from '@unroll/train/node';
import { forecastVerb } from './forecast/command.js';
import { UsageError } from './shared/args.js';
import { evaluate } from './shared/evaluate-command.js';
import { inspect } from './shared/inspect-command.js';
import { predict } from './shared/predict-command.js';
import type { Verb } from './shared/verb.js';
import { version } from './version.js';

const VERBS: Readonly<Record<string, Verb>> = { forecast: forecastVerb, predict, evaluate, inspect };

const HELP = `Usage: unroll <command> [options]

${Object.entries(VERBS)
  .map(([name, { about }]) => `  ${name.padEnd(11)}${about}\n`)
  .join('')}
Run unroll <command> --help for the options of a command, or unroll --version for the version.
`;

/**
 * Runs the command line and returns its exit code.
 * @param tasks the supported tasks. Default: all of this version
 */
export async function main(args: readonly string[], tasks: readonly Task[] = TASKS): Promise<number> {
  const [verb, ...rest] = args;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader of the pipe has closed it (`unroll ... | head`), which is no error.
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  if (verb === undefined || verb === '--help' || verb === '-h' || verb === 'help') {
    process.stdout.write(HELP);
    return verb === undefined ? 2 : 0;
  }
  if (verb === '--version' || verb === '-v') {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  const found = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  if (found === undefined) {
    const near = nearest(verb, Object.keys(VERBS));
    const hint = near === undefined ? 'Run unroll --help for a list.' : `Did you mean "${near}"?`;
    return complain(`Unknown command "${verb}". ${hint}`, 2);
  }
  return runVerb(found, rest, tasks);
}

const isHelp = (arg: string): boolean => arg === '--help' || arg === '-h';

async function runVerb(verb: Verb, args: readonly string[], tasks: readonly Task[]): Promise<number> {
  const signal = interruptSignal();
  const context = { signal, tasks };
  try {
    if (args.some(isHelp)) {
      const others = args.filter((arg) => !isHelp(arg));
      process.stdout.write(await verb.help(others, context));
    } else await verb.run(args, context);
    return 0;
  } catch (error) {
    if (signal.aborted) {
      return complain(error instanceof UsageError ? error.message : 'Stopped. No files were written.', 130);
    }
    return explain(error);
  }
}

/** Prints the error and returns the exit code. */
function explain(error: unknown): number {
  if (process.env.UNROLL_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  if (error instanceof UsageError) return complain(error.message, 2);
  if (error instanceof UnrollError) {
    return complain(error.message, ['data', 'value', 'format'].includes(error.code) ? 2 : 1);
  }
  const message = error instanceof Error ? error.message : String(error);
  return complain(`The run failed: ${message}\nSet UNROLL_DEBUG=1 for a stack trace.`, 1);
}

function complain(message: string, code: number): number {
  process.stderr.write(`unroll: ${message}\n`);
  return code;
}
