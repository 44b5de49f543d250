/**
 * Prints the events of a run of any task. Text goes to stdout, with a progress bar on a terminal and one line per stage
 * otherwise. With `--json`, stdout receives one event per line and the text goes to stderr.
 */
import type { WriteStream } from 'node:tty';
import {
  type BackendEvent,
  type NoteEvent,
  type PlanEvent,
  type ResultEvent,
  type RunEvent,
  type ScoreTable,
  type StageEvent,
  scoreTexts,
  type WarningEvent,
} from '@unroll/tasks';
import { Progress } from './progress.js';

/** Columns of the label at the start of a line. */
const LABEL_WIDTH = 9;

export class Reporter {
  readonly json: boolean;
  readonly #quiet: boolean;
  readonly #output: NodeJS.WriteStream;
  readonly #progress = new Progress();
  #barShown = false;

  constructor({ json, quiet }: { json: boolean; quiet: boolean }) {
    this.json = json;
    this.#quiet = quiet;
    this.#output = json ? process.stderr : process.stdout;
  }

  /** Prints an event as text and, with `--json`, also as JSON. Step events only move the bar. */
  report(event: RunEvent): void {
    if (this.json && event.event !== 'step') process.stdout.write(`${JSON.stringify(event)}\n`);
    if (event.event === 'step' || event.event === 'epoch') {
      if (this.hasBar) this.#drawBar(this.#progress.update(event));
    } else if (event.event === 'stage') {
      if (!this.hasBar) this.print(stageLine(event));
    } else if (event.event === 'scores') {
      this.#printScores(event);
    } else if (event.event === 'table') {
      for (const line of [event.title, ...alignColumns(scoreTexts(event)), '']) this.print(line);
    } else {
      for (const line of linesOf(event)) this.print(line);
    }
  }

  /** True if there is a progress bar: on a terminal that can overwrite lines, unless the run is quiet. */
  get hasBar(): boolean {
    return this.#output.isTTY === true && !this.#quiet && process.env.TERM !== 'dumb';
  }

  /** True if the output is coloured. */
  get hasColour(): boolean {
    return this.#output.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  }

  /** Width of the output: the columns of the terminal, at most 80. */
  get width(): number {
    return Math.min(80, (this.#output as Partial<WriteStream>).columns ?? 80);
  }

  /** Prints a line of text, unless the run is quiet. */
  print(line = ''): void {
    if (this.#quiet) return;
    this.clearBar();
    this.#output.write(`${line}\n`);
  }

  clearBar(): void {
    if (this.#barShown) this.#output.write('\r\x1b[2K');
    this.#barShown = false;
  }

  strong(text: string): string {
    return this.hasColour ? `\x1b[1m${text}\x1b[22m` : text;
  }

  accent(text: string): string {
    return this.hasColour ? `\x1b[36m${text}\x1b[39m` : text;
  }

  /** Prints a table of scores. The first row has the best model and is bold. */
  #printScores(table: ScoreTable): void {
    this.print();
    for (const [i, line] of alignColumns(scoreTexts(table)).entries()) {
      this.print(i === 1 ? this.strong(line) : line);
    }
    this.print();
  }

  /** Redraws the bar, unless `line` is null. */
  #drawBar(line: string | null): void {
    if (line === null) return;
    this.#output.write(`\r\x1b[2K${line.slice(0, this.width - 1)}`);
    this.#barShown = true;
  }
}

function linesOf(event: BackendEvent | PlanEvent | NoteEvent | WarningEvent | ResultEvent): string[] {
  if (event.event === 'backend') return [labelled('backend', event.backend)];
  if (event.event === 'plan') return event.lines.map(({ label, text }) => labelled(label, text));
  if (event.event === 'note') return [event.text];
  return event.event === 'warning' ? [`warning: ${event.message}`] : [];
}

const labelled = (label: string, text: string): string => `${label.padEnd(LABEL_WIDTH)}${text}`;

function stageLine({ training, trainings, model, title, loss, sequencesPerSecond }: StageEvent): string {
  const speed =
    sequencesPerSecond === null
      ? 'restored from checkpoint'
      : `${Math.round(sequencesPerSecond)} sequences/s`;
  return `[${training}/${trainings}] ${model}: ${title}, loss ${loss?.toPrecision(3) ?? '-'}, ${speed}`;
}

/** Formats rows of cells as lines: the first column aligned to the left, the others to the right. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, c) => Math.max(...rows.map((row) => row[c].length)));
  return rows.map((row) =>
    row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  '),
  );
}
