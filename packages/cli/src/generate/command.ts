/** `unroll generate`: continues a text with a saved language model, and prints it while it is generated. */
import { once } from 'node:events';
import { setThreads } from '@unroll/core';
import { taskName } from '@unroll/tasks';
import { integerOption, type OptionSpecs, parseOptions, UsageError } from '../shared/args.js';
import type { Command } from '../shared/command.js';
import { modelPath } from '../shared/model-files.js';
import { optionsHelp, optionValues, specsOf } from '../shared/model-options.js';
import { loadTaskModel } from '../shared/predict-command.js';

const OPTIONS = {
  prompt: { type: 'string' },
  threads: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const satisfies OptionSpecs;

const HELP = `Usage: unroll generate <model> [options]

Generates text with a language model (unroll train generate). Prints the prompt, and then each piece
of the text as soon as it is generated. The same options give the same text. <model> is the model
folder or a zip of this folder. unroll generate <model> --help also lists the options of the model,
such as --length, --temperature, --top-k, --top-p and --seed.

  --prompt <text>       text to continue (default: none)
  --threads <n>         number of threads (default: the number of cores)
  --json                print one JSON object, with prompt and text, when the text is complete
`;

const MODEL_REQUIRED = 'Exactly one model is required: unroll generate <model folder> [--prompt <text>]';

export const generateCommand: Command = {
  about: 'generate text with a saved language model',
  async help(args, { tasks }) {
    const path = modelPath(args, OPTIONS);
    if (path === undefined) return HELP;
    const model = await loadTaskModel(path, tasks);
    return `${HELP}\nOptions of the model in ${path}:\n\n${optionsHelp(model.options)}`;
  },
  async run(args, { tasks, signal }) {
    const path = modelPath(args, OPTIONS);
    if (path === undefined) throw new UsageError(MODEL_REQUIRED);
    const model = await loadTaskModel(path, tasks);
    if (model.generate === undefined) {
      throw new UsageError(
        `Models of the task "${taskName(model.format)}" do not generate text. unroll predict runs this model.`,
      );
    }
    const parsed = parseOptions(args, { ...specsOf(model.options), ...OPTIONS });
    if (parsed.positionals.length !== 1) throw new UsageError(MODEL_REQUIRED);
    const threads = integerOption(parsed, 'threads');
    if (threads !== undefined) setThreads(threads);
    const options = await optionValues(parsed, model.options, (_, option) => {
      throw new UsageError(
        `--${option} reads a file, which unroll generate does not support. Use unroll predict.`,
      );
    });
    const prompt = typeof parsed.values.prompt === 'string' ? parsed.values.prompt : '';
    const notes = model.notesOn?.(prompt) ?? [];
    const pieces = model.generate({ prompt, options, signal });
    if (parsed.values.json === true) {
      let text = '';
      for await (const piece of pieces) text += piece;
      process.stdout.write(`${JSON.stringify({ prompt, text, ...options, notes })}\n`);
      return;
    }
    for (const note of notes) process.stderr.write(`${note}\n`);
    let last = prompt;
    for await (const piece of withPrompt(prompt, pieces)) {
      if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
      last = piece;
    }
    if (!last.endsWith('\n')) process.stdout.write('\n');
  },
};

/** Yields the prompt only when the first piece is ready, so that invalid options print nothing but their error message. */
async function* withPrompt(prompt: string, pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let isFirst = true;
  for await (const piece of pieces) {
    yield isFirst ? prompt + piece : piece;
    isFirst = false;
  }
}
