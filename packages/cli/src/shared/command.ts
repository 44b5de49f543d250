/** The interface of the commands of `unroll`, such as `forecast`. */
import type { Task } from '@unroll/tasks';

export interface CommandContext {
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** The supported tasks. */
  tasks: readonly Task[];
}

export interface Command {
  /** One line for `unroll --help`. */
  about: string;
  /** Returns the help text. @param args the arguments except `--help` */
  help(args: readonly string[], context: CommandContext): string | Promise<string>;
  /** Runs the command. @throws UsageError for invalid arguments */
  run(args: readonly string[], context: CommandContext): Promise<void>;
}
