/**
 * An engine's process: started with a number of threads, asked one thing at a time, restarted after a crash.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Answer, Command, Replies } from './protocol.js';

export interface Launch {
  command: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
}

/** The process ended, or said nothing for too long. */
export class EngineLost extends Error {}

interface Pending {
  id: number;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class EngineProcess {
  readonly #launch: Launch;
  #child: ChildProcess | null = null;
  #pending: Pending | null = null;
  #id = 0;
  /** The last lines it wrote to stderr, for the reason of a crash. */
  #complaints: string[] = [];

  constructor(launch: Launch) {
    this.#launch = launch;
  }

  /** Asks, and waits for the answer. @throws EngineLost, or Error with what the engine answered */
  async ask<C extends Command>(command: C, seconds = 600): Promise<Replies[C['do']]> {
    const child = (this.#child ??= this.#start());
    const id = ++this.#id;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#pending = { id, resolve: resolve as (value: unknown) => void, reject };
        timer = setTimeout(() => {
          this.stop();
          reject(new EngineLost(`no answer to "${command.do}" within ${seconds} s`));
        }, seconds * 1000);
        child.stdin!.write(`${JSON.stringify({ id, ...command })}\n`);
      });
    } finally {
      clearTimeout(timer);
      this.#pending = null;
    }
  }

  stop(): void {
    this.#child?.kill('SIGKILL');
    this.#child = null;
  }

  #start(): ChildProcess {
    const { command, args, env } = this.#launch;
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#complaints = [];
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{"id"')) this.#settle(JSON.parse(line) as Answer);
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#complaints = [...this.#complaints, line].slice(-40);
    });
    child.stdin.on('error', () => {}); // the exit below says more
    child.on('error', (error) => this.#lost(child, error.message));
    child.on('close', (code, signal) => {
      this.#lost(child, `ended with ${signal ?? `code ${code}`}. ${this.#reason()}`);
    });
    return child;
  }

  #settle({ id, ok, error }: Answer): void {
    if (this.#pending?.id !== id) return;
    if (error === undefined) this.#pending.resolve(ok);
    else this.#pending.reject(new Error(error));
  }

  #lost(child: ChildProcess, why: string): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#pending?.reject(new EngineLost(why));
  }

  #reason(): string {
    const named = this.#complaints.findLast((line) => /error|abort|killed|module/i.test(line));
    return (named ?? this.#complaints.at(-1) ?? '').trim();
  }
}
