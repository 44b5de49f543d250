/**
 * The command line `unroll <command>`. Exit codes: 0 success, 1 the run failed, 2 invalid input, 130 stopped by Ctrl-C.
 * Invalid input is reported on stderr in a few lines, without a stack trace.
 */
import { UnrollError } from '@unroll/core';
import { nearest } from '@unroll/core/internal';
import { TASKS, type Task } from '@unroll/tasks';
import { interruptSignal } from '@unroll/train/node';
import { compare } from './compare/command.js';
import { convert } from './convert/command.js';
import { forecastCommand } from './forecast/command.js';
import { generateCommand } from './generate/command.js';
import { UsageError } from './shared/args.js';
import type { Command } from './shared/command.js';
import { evaluate } from './shared/evaluate-command.js';
import { inspect } from './shared/inspect-command.js';
import { predict } from './shared/predict-command.js';
import { studio } from './studio/command.js';
import { trainCommand } from './train/command.js';
import { version } from './version.js';

const COMMANDS: Readonly<Record<string, Command>> = {
  forecast: forecastCommand,
  train: trainCommand,
  compare,
  predict,
  generate: generateCommand,
  evaluate,
  inspect,
  convert,
  studio,
};

const HELP = `Usage: unroll <command> [options]

${Object.entries(COMMANDS)
  .map(([name, { about }]) => `  ${name.padEnd(11)}${about}\n`)
  .join('')}
Run unroll <command> --help for the options of a command, or unroll --version for the version.
`;

/**
 * Runs the command line and returns its exit code.
 * @param args the arguments after `unroll`
 * @param tasks the supported tasks; default: all tasks of this version
 */
export async function main(args: readonly string[], tasks: readonly Task[] = TASKS): Promise<number> {
  const [name, ...commandArgs] = args;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // If the reader closes the pipe (`unroll ... | head`), this is not an error.
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(HELP);
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    const suggestion = nearest(name, Object.keys(COMMANDS));
    const hint = suggestion === undefined ? 'Run unroll --help for a list.' : `Did you mean "${suggestion}"?`;
    return printError(`Unknown command "${name}". ${hint}`, 2);
  }
  return runCommand(command, commandArgs, tasks);
}

const isHelp = (arg: string): boolean => arg === '--help' || arg === '-h';

async function runCommand(
  command: Command,
  args: readonly string[],
  tasks: readonly Task[],
): Promise<number> {
  const signal = interruptSignal();
  const context = { signal, tasks };
  try {
    if (args.some(isHelp)) {
      const otherArgs = args.filter((arg) => !isHelp(arg));
      process.stdout.write(await command.help(otherArgs, context));
    } else await command.run(args, context);
    return 0;
  } catch (error) {
    if (signal.aborted) {
      return printError(error instanceof UsageError ? error.message : 'Stopped. No files were written.', 130);
    }
    return reportError(error);
  }
}

/** Prints an error of any kind. @returns the exit code */
function reportError(error: unknown): number {
  if (process.env.UNROLL_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  if (error instanceof UsageError) return printError(error.message, 2);
  if (error instanceof UnrollError) {
    return printError(error.message, ['data', 'value', 'format'].includes(error.code) ? 2 : 1);
  }
  const message = error instanceof Error ? error.message : String(error);
  return printError(`The run failed: ${message}\nSet UNROLL_DEBUG=1 for a stack trace.`, 1);
}

/** Prints a message. @returns `code` */
function printError(message: string, code: number): number {
  process.stderr.write(`unroll: ${message}\n`);
  return code;
}
