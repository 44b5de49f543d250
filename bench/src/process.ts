/**
 * Controls an engine of the benchmark in a process or in a worker of a page: starts it, sends one request at a time, and
 * restarts it after a crash.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Answer, Command, Replies, Request } from './protocol.js';

/** The connection to a started engine. */
export interface Channel {
  send(request: Request): void;
  stop(): void;
}

export interface Listener {
  answer(answer: Answer): void;
  /** The engine has ended without being stopped. */
  ended(reason: string): void;
}

/** Starts an engine. The listener receives its answers. */
export type Launch = (listener: Listener) => Channel;

/** Thrown if the engine has ended or does not answer in time. */
export class EngineLost extends Error {}

/** The request that waits for an answer. */
interface Pending {
  id: number;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** An engine that starts on the first request. */
export class EngineProcess {
  readonly #launch: Launch;
  #channel: Channel | null = null;
  #pending: Pending | null = null;
  #lastId = 0;

  constructor(launch: Launch) {
    this.#launch = launch;
  }

  /**
   * Sends a command and waits for the answer.
   * @throws EngineLost if the engine ends or does not answer within `seconds`
   * @throws Error with the message of the engine if the command fails
   */
  async ask<C extends Command>(command: C, seconds = 600): Promise<Replies[C['do']]> {
    const channel = (this.#channel ??= this.#start());
    const id = ++this.#lastId;
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
      ended: (reason) => {
        if (this.#channel !== channel) return;
        this.#channel = null;
        this.#pending?.reject(new EngineLost(reason));
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

/** Returns a function that starts an engine in a separate process, which communicates over stdin and stdout. */
export function spawned(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Launch {
  return (listener) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    /** The last lines of stderr, which may contain the reason for a crash. */
    let errorLines: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{"id"')) listener.answer(JSON.parse(line) as Answer);
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      errorLines = [...errorLines, line].slice(-40);
    });
    child.stdin.on('error', () => {}); // the close event reports the reason
    child.on('error', (error) => listener.ended(error.message));
    child.on('close', (code, signal) => {
      listener.ended(`exited with ${signal ?? `code ${code}`}. ${crashReason(errorLines)}`);
    });
    return {
      send: (request) => child.stdin.write(`${JSON.stringify(request)}\n`),
      stop: () => child.kill('SIGKILL'),
    };
  };
}

/** Returns the most informative line of stderr. */
function crashReason(errorLines: readonly string[]): string {
  const named = errorLines.findLast((line) => /error|abort|killed|module/i.test(line));
  return (named ?? errorLines.at(-1) ?? '').trim();
}
