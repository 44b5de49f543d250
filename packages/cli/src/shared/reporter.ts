/**
 * Renders the events of a run, of whatever task it is. People read lines (a bar on a terminal, a line a stage elsewhere) on
 * stdout, or on stderr when `--json` gives stdout to a program, which then reads one event a line.
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

/** Columns of the labels before lines. */
const LABEL = 9;

export class Reporter {
  readonly json: boolean;
  readonly #quiet: boolean;
  readonly #people: NodeJS.WriteStream;
  readonly #progress = new Progress();
  #barShown = false;

  constructor({ json, quiet }: { json: boolean; quiet: boolean }) {
    this.json = json;
    this.#quiet = quiet;
    this.#people = json ? process.stderr : process.stdout;
  }

  /** Tells people and programs; programs are spared the steps. */
  tell(event: RunEvent): void {
    if (this.json && event.event !== 'step') process.stdout.write(`${JSON.stringify(event)}\n`);
    if (event.event === 'step' || event.event === 'epoch') {
      if (this.live) this.#bar(this.#progress.update(event));
    } else if (event.event === 'stage') {
      if (!this.live) this.say(stageLine(event)); // On a terminal the bar says it all.
    } else if (event.event === 'scores') {
      this.#scores(event);
    } else {
      for (const line of linesOf(event)) this.say(line);
    }
  }

  /** True where a line can be written over. */
  get live(): boolean {
    return this.#people.isTTY === true && !this.#quiet && process.env.TERM !== 'dumb';
  }

  get colour(): boolean {
    return this.#people.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  }

  /** Columns of the terminal, at most 80. */
  get width(): number {
    return Math.min(80, (this.#people as Partial<WriteStream>).columns ?? 80);
  }

  /** A line for people. */
  say(line = ''): void {
    if (this.#quiet) return;
    this.clearBar();
    this.#people.write(`${line}\n`);
  }

  clearBar(): void {
    if (this.#barShown) this.#people.write('\r\x1b[2K');
    this.#barShown = false;
  }

  strong(text: string): string {
    return this.colour ? `\x1b[1m${text}\x1b[22m` : text;
  }

  accent(text: string): string {
    return this.colour ? `\x1b[36m${text}\x1b[39m` : text;
  }

  /** A table, the best row emphasised. */
  #scores(table: ScoreTable): void {
    this.say();
    for (const [i, line] of alignColumns(scoreTexts(table)).entries()) {
      this.say(i === 1 ? this.strong(line) : line);
    }
    this.say();
  }

  /** Replaces the bar; null leaves it. */
  #bar(line: string | null): void {
    if (line === null) return;
    this.#people.write(`\r\x1b[2K${line.slice(0, this.width - 1)}`);
    this.#barShown = true;
  }
}

function linesOf(event: BackendEvent | PlanEvent | NoteEvent | WarningEvent | ResultEvent): string[] {
  if (event.event === 'backend') return [labelled('backend', event.backend)];
  if (event.event === 'plan') return event.lines.map(({ label, text }) => labelled(label, text));
  if (event.event === 'note') return [event.text];
  return event.event === 'warning' ? [`warning: ${event.message}`] : [];
}

const labelled = (label: string, text: string): string => `${label.padEnd(LABEL)}${text}`;

function stageLine({ training, trainings, model, title, loss, sequencesPerSecond }: StageEvent): string {
  const speed = sequencesPerSecond === null ? 'done before' : `${Math.round(sequencesPerSecond)} sequences/s`;
  return `training ${training}/${trainings} (${model}, ${title}): loss ${loss?.toPrecision(3) ?? '-'}, ${speed}`;
}

/** Rows under a head, columns aligned: text to the left, the rest to the right. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, c) => Math.max(...rows.map((row) => row[c].length)));
  return rows.map((row) =>
    row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  '),
  );
}
