/**
 * `unroll predict <model> --audio - --stream`: predicts from sound while it arrives, and prints a line when the prediction
 * changes.
 */
import { createReadStream } from 'node:fs';
import { WavStream } from '@unroll/data';
import type { SoundStream, TaskModel } from '@unroll/tasks';
import { type ParsedArgs, textOption, UsageError } from './args.js';
import { reasonOf } from './files.js';
import { optionValues } from './model-options.js';
import { READING_OPTIONS } from './reading-options.js';

/** Seconds of sound per step. */
const STEP = 0.1;
/** Options of `predict` that do not apply to a stream of sound. */
const EXCLUDED_OPTIONS = ['data', 'sql', 'text', 'frames', 'pattern', 'out', ...Object.keys(READING_OPTIONS)];

/**
 * Prints a line for each change: the seconds of sound so far and the prediction, separated by a tab, or with `--json` an
 * object. The last line is the prediction for the whole sound.
 * @throws UsageError if the model cannot predict from a stream, and for a file that cannot be read
 */
export async function predictStream(model: TaskModel, args: ParsedArgs): Promise<void> {
  const path = textOption(args, 'audio');
  if (path === undefined) throw new UsageError('--stream needs --audio <file>, or --audio - for stdin.');
  if (model.soundStream === undefined)
    throw new UsageError(
      'This model cannot predict from a stream of sound. --stream is for models of unroll train transcribe --streaming.',
    );
  const excluded = EXCLUDED_OPTIONS.find((name) => args.values[name] !== undefined);
  if (excluded !== undefined) throw new UsageError(`--${excluded} cannot be combined with --stream.`);
  const options = await optionValues(args, model.options, (_, option) => {
    throw new UsageError(`--${option} reads a file, so it cannot be combined with --stream.`);
  });
  const printer = new ChangePrinter(args.values.json === true);
  const source = path === '-' ? 'stdin' : path;
  const wav = new WavStream({ source });
  let stream: SoundStream | null = null;
  let count = 0;
  for await (const bytes of chunksOf(path, source)) {
    const samples = wav.push(bytes);
    const rate = wav.sampleRate;
    if (rate === null) continue;
    stream ??= model.soundStream(rate, options);
    const step = Math.max(1, Math.round(STEP * rate));
    for (let start = 0; start < samples.length; start += step) {
      const end = Math.min(start + step, samples.length);
      const text = await stream.push(samples.subarray(start, end));
      printer.print((count + end) / rate, text);
    }
    count += samples.length;
  }
  wav.end();
  if (stream !== null && wav.sampleRate !== null)
    printer.print(count / wav.sampleRate, await stream.end(), true);
}

/** Yields the bytes of a file or of stdin as they arrive. @throws UsageError if the file cannot be read */
async function* chunksOf(path: string, source: string): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* path === '-' ? process.stdin : createReadStream(path);
  } catch (error) {
    throw new UsageError(`${source}: ${reasonOf(error, 'cannot be read')}.`);
  }
}

class ChangePrinter {
  readonly #json: boolean;
  #last = '';

  constructor(json: boolean) {
    this.#json = json;
  }

  print(seconds: number, text: string, isFinal = false): void {
    if (text === this.#last && !isFinal) return;
    this.#last = text;
    const time = Number(seconds.toFixed(2));
    const line = this.#json
      ? JSON.stringify({ seconds: time, text, ...(isFinal && { final: true }) })
      : `${time.toFixed(2)}\t${text}`;
    process.stdout.write(`${line}\n`);
  }
}
