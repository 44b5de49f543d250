/**
 * The command `unroll <verb>`. Exit codes: 0 good, 1 the run failed, 2 the user's input is at fault, 130 stopped by
 * Ctrl-C. Mistakes in the input are answered by a few lines on stderr, never by a stack trace.
 */
import { UnrollError } from '@unroll/core';
import { nearest } from '@unroll/data';
import { interruptSignal } from '@unroll/train/node';
import { UsageError } from './shared/args.js';
import { forecastCommand } from './forecast/command.js';
import { FORECAST_HELP } from './forecast/options.js';
import { PREDICT_HELP, predictCommand } from './shared/predict-command.js';
import { version } from './version.js';

interface Verb {
  help: string;
  run(args: string[], signal: AbortSignal): Promise<void>;
}

const VERBS: Readonly<Record<string, Verb>> = {
  forecast: { help: FORECAST_HELP, run: forecastCommand },
  predict: { help: PREDICT_HELP, run: predictCommand },
};

const HELP = `Usage: unroll <verb> [options]

  forecast   from a table to a tested forecast
  predict    forecast again with a saved model

unroll <verb> --help tells more; unroll --version prints the version.
`;

/** Runs the command line and returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const [verb, ...rest] = args;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader of a pipe has gone (`unroll ... | head`): nothing is wrong with the run, and nobody listens.
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
    const hint = near === undefined ? 'unroll --help lists the verbs.' : `Did you mean "${near}"?`;
    return complain(`There is no verb "${verb}". ${hint}`, 2);
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(found.help);
    return 0;
  }
  return runVerb(found, rest);
}

async function runVerb(verb: Verb, args: string[]): Promise<number> {
  const signal = interruptSignal();
  try {
    await verb.run(args, signal);
    return 0;
  } catch (error) {
    if (signal.aborted) {
      return complain(error instanceof UsageError ? error.message : 'Stopped. Nothing was written.', 130);
    }
    return explain(error);
  }
}

/** Tells what went wrong and whose fault it is. */
function explain(error: unknown): number {
  if (process.env.UNROLL_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  if (error instanceof UsageError) return complain(error.message, 2);
  if (error instanceof UnrollError) {
    return complain(error.message, ['data', 'value', 'format'].includes(error.code) ? 2 : 1);
  }
  const message = error instanceof Error ? error.message : String(error);
  return complain(`The run failed: ${message}\nUNROLL_DEBUG=1 shows where.`, 1);
}

function complain(message: string, code: number): number {
  process.stderr.write(`unroll: ${message}\n`);
  return code;
}
