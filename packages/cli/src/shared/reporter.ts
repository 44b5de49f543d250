/**
 * What a run tells, and to whom. People read lines (a bar on a terminal, a line a stage elsewhere) on stdout, or on
 * stderr when `--json` gives stdout to a program, which then reads one JSON object a line.
 */
import type { WriteStream } from 'node:tty';

export class Reporter {
  readonly json: boolean;
  readonly #quiet: boolean;
  readonly #people: NodeJS.WriteStream;
  #barShown = false;

  constructor({ json, quiet }: { json: boolean; quiet: boolean }) {
    this.json = json;
    this.#quiet = quiet;
    this.#people = json ? process.stderr : process.stdout;
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

  /** An event for programs. */
  event(event: string, data: Record<string, unknown>): void {
    if (this.json) process.stdout.write(`${JSON.stringify({ event, ...data })}\n`);
  }

  /** Replaces the bar; only where `live`. */
  bar(line: string): void {
    if (!this.live) return;
    this.#people.write(`\r\x1b[2K${line.slice(0, this.width - 1)}`);
    this.#barShown = true;
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
}

/** Rows under a head, columns aligned: text to the left, the rest to the right. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, c) => Math.max(...rows.map((row) => row[c].length)));
  return rows.map((row) =>
    row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  '),
  );
}
