/**
 * An engine that runs somewhere: started with a number of threads, asked one thing at a time, restarted after a crash.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Answer, Command, Replies, Request } from './protocol.js';

/** What a started engine is reached by. */
export interface Channel {
  send(request: Request): void;
  stop(): void;
}

export interface Listener {
  answer(answer: Answer): void;
  /** It has ended by itself. */
  lost(why: string): void;
}

/** Starts an engine. */
export type Launch = (listener: Listener) => Channel;

/** The process ended, or said nothing for too long. */
export class EngineLost extends Error {}

interface Pending {
  id: number;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class EngineProcess {
  readonly #launch: Launch;
  #channel: Channel | null = null;
  #pending: Pending | null = null;
  #id = 0;

  constructor(launch: Launch) {
    this.#launch = launch;
  }

  /** Asks, and waits for the answer. @throws EngineLost, or Error with what the engine answered */
  async ask<C extends Command>(command: C, seconds = 600): Promise<Replies[C['do']]> {
    const channel = (this.#channel ??= this.#start());
    const id = ++this.#id;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#pending = { id, resolve: resolve as (value: unknown) => void, reject };
        timer = setTimeout(() => {
          this.stop();
          reject(new EngineLost(`no answer to "${command.do}" within ${seconds} s`));
        }, seconds * 1000);
        channel.send({ id, ...command });
      });
    } finally {
      clearTimeout(timer);
      this.#pending = null;
    }
  }

  stop(): void {
    this.#channel?.stop();
    this.#channel = null;
  }

  #start(): Channel {
    const channel = this.#launch({
      answer: (answer) => this.#resolve(answer),
      lost: (why) => {
        if (this.#channel !== channel) return;
        this.#channel = null;
        this.#pending?.reject(new EngineLost(why));
      },
    });
    return channel;
  }

  #resolve({ id, ok, error }: Answer): void {
    if (this.#pending?.id !== id) return;
    if (error === undefined) this.#pending.resolve(ok);
    else this.#pending.reject(new Error(error));
  }
}

/** An engine in a process of its own, which speaks over stdin and stdout. */
export function spawned(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Launch {
  return (listener) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    /** The last lines it wrote to stderr, for the reason of a crash. */
    let complaints: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{"id"')) listener.answer(JSON.parse(line) as Answer);
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      complaints = [...complaints, line].slice(-40);
    });
    child.stdin.on('error', () => {}); // the exit below says more
    child.on('error', (error) => listener.lost(error.message));
    child.on('close', (code, signal) => {
      listener.lost(`ended with ${signal ?? `code ${code}`}. ${reason(complaints)}`);
    });
    return {
      send: (request) => child.stdin.write(`${JSON.stringify(request)}\n`),
      stop: () => child.kill('SIGKILL'),
    };
  };
}

function reason(complaints: readonly string[]): string {
  const named = complaints.findLast((line) => /error|abort|killed|module/i.test(line));
  return (named ?? complaints.at(-1) ?? '').trim();
}
