/** `unroll predict <model> -`: predicts from the lines of stdin as they arrive, and prints one line for each. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { UnrollError } from '@unroll/core';
import type { TaskModel, TaskOptionValue, TaskResult } from '@unroll/tasks';
import { type ParsedArgs, UsageError } from './args.js';
import { optionValues } from './model-options.js';
import { READING_OPTIONS } from './reading-options.js';
import { jsonOf } from './tables.js';

/** Maximum number of lines that are predicted together. */
const BATCH = 1024;
/** If this many lines are waiting, stdin is not read until some are predicted, so that memory does not grow. */
const MAX_WAITING = 16 * BATCH;
/** Options of `predict` that do not apply to lines of stdin. */
const EXCLUDED_OPTIONS = [
  ...['data', 'text', 'audio', 'frames', 'pattern', 'sql', 'stream', 'out'],
  ...Object.keys(READING_OPTIONS),
];

/**
 * Predicts from stdin until it ends. Waiting lines are predicted together, up to 1,024 at a time. The output of a line is its
 * prediction: with `--json` an object, otherwise the cells after the text, separated by tabs. The output is empty (with
 * `--json`, an object without a prediction) for blank lines and for lines that the model rejects; stderr reports rejected
 * lines.
 * @throws UsageError at the end if the model rejected lines
 */
export async function predictLines(model: TaskModel, args: ParsedArgs): Promise<void> {
  const excluded = EXCLUDED_OPTIONS.find((name) => args.values[name] !== undefined);
  if (excluded !== undefined)
    throw new UsageError(`--${excluded} cannot be combined with "-", which reads from stdin.`);
  const options = await optionValues(args, model.options, (_, option) => {
    throw new UsageError(
      `--${option} reads a file, so it cannot be combined with "-", which reads from stdin.`,
    );
  });
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  const waiting: string[] = [];
  let ended = false;
  let wake = (): void => {};
  lines.on('line', (line) => {
    waiting.push(line);
    if (waiting.length === MAX_WAITING) lines.pause();
    wake();
  });
  lines.on('close', () => {
    ended = true;
    wake();
  });
  const printer = new LinePrinter(model, options, args.values.json === true);
  while (!ended || waiting.length > 0) {
    if (waiting.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    await printer.print(waiting.splice(0, BATCH));
    if (!ended && waiting.length < MAX_WAITING) lines.resume();
  }
  const { rejected, count } = printer;
  if (rejected > 0)
    throw new UsageError(`${rejected} of ${count} lines could not be predicted; their output is empty.`);
}

/** Predicts lines and prints the results. */
class LinePrinter {
  readonly #model: TaskModel;
  readonly #options: Readonly<Record<string, TaskOptionValue>>;
  readonly #json: boolean;
  /** Number of lines so far. */
  count = 0;
  /** Number of lines that the model rejected. */
  rejected = 0;

  constructor(model: TaskModel, options: Readonly<Record<string, TaskOptionValue>>, json: boolean) {
    this.#model = model;
    this.#options = options;
    this.#json = json;
  }

  async print(lines: readonly string[]): Promise<void> {
    const outputs = lines.map((text) => this.#emptyOutput(text));
    const filled = [...lines.keys()].filter((i) => lines[i].trim() !== '');
    if (filled.length > 0) await this.#predict(lines, filled, outputs);
    this.count += lines.length;
    if (!process.stdout.write(`${outputs.join('\n')}\n`)) await once(process.stdout, 'drain');
  }

  /**
   * Predicts the lines at the indices `rows` and stores their outputs. If the model rejects them, predicts each half
   * separately.
   */
  async #predict(lines: readonly string[], rows: readonly number[], outputs: string[]): Promise<void> {
    try {
      const texts = rows.map((row) => lines[row]);
      const result = await this.#model.predict({ texts, options: this.#options });
      for (const [i, row] of rows.entries()) outputs[row] = this.#lineOf(result, i);
    } catch (error) {
      if (!(error instanceof UnrollError) || error.code === 'value') throw error;
      if (rows.length > 1) {
        const middle = rows.length >> 1;
        await this.#predict(lines, rows.slice(0, middle), outputs);
        return this.#predict(lines, rows.slice(middle), outputs);
      }
      this.rejected++;
      const [row] = rows;
      outputs[row] = this.#emptyOutput(lines[row], error.message);
      process.stderr.write(`unroll: line ${this.count + row + 1}: ${error.message}\n`);
    }
  }

  /** Returns the output of a line without a prediction. */
  #emptyOutput(text: string, error?: string): string {
    return this.#json ? JSON.stringify({ text, error }) : '';
  }

  #lineOf(result: TaskResult, row: number): string {
    if (this.#json) return jsonOf(result, row);
    return result.rows[row]
      .slice(1)
      .map((cell) => String(cell ?? '').replace(/[\t\r\n]+/g, ' '))
      .join('\t');
  }
}
