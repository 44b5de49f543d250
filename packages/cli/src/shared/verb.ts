/** A command of `unroll`, such as `forecast`. */
import type { Task } from '@unroll/tasks';

export interface VerbContext {
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** The supported tasks. */
  tasks: readonly Task[];
}

export interface Verb {
  /** One line for `unroll --help`. */
  about: string;
  /** @param args the other arguments */
  help(args: readonly string[], context: VerbContext): string | Promise<string>;
  run(args: readonly string[], context: VerbContext): Promise<void>;
}
