/** What a verb of the command is: its help, and what it does. */
import type { Task } from '@unroll/tasks';

export interface VerbContext {
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** The tasks whose models are known. */
  tasks: readonly Task[];
}

export interface Verb {
  /** One line for `unroll --help`. */
  about: string;
  /** @param args what stands beside `--help` */
  help(args: readonly string[], context: VerbContext): string | Promise<string>;
  run(args: readonly string[], context: VerbContext): Promise<void>;
}
