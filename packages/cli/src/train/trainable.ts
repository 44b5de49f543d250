/**
 * The interface of the tasks of `unroll train`. To add a task, implement this interface in a folder and add the
 * task to command.ts.
 */
import type { PlanEvent, ResultEvent, RunEvent, RunStore, TaskModel, TaskRequest } from '@unroll/tasks';
import type { OptionSpecs, ParsedArgs } from '../shared/args.js';
import type { FileInfo } from '../shared/table-file.js';

export interface TrainableTask {
  /** One line for `unroll train --help`. */
  about: string;
  /** The options of this task. options.ts has the options that all tasks share. */
  options: OptionSpecs;
  /** The usage line and the help of these options. */
  help: string;
  /** Names of the options in options.ts that the task does not accept. Default: none. */
  unsupported?: readonly string[];
  /** The help of `--batch`. Default: "examples per training step". */
  batch?: string;
  /** The validation metric that ends training early, in the help of `--epochs`. Default: `loss`. */
  metric?: 'score';
  /** The help of `--units`. Default: "hidden units per layer and direction". */
  units?: string;
  /**
   * Reads the options and files of a run.
   * @throws UsageError for invalid options
   */
  open(args: ParsedArgs): Promise<TrainingJob>;
}

/** A training run that has read its options and files, and is ready to start. */
export interface TrainingJob {
  /** The training file, and its number of rows or sentences (absent for a plain text). */
  data: FileInfo & { path: string; rows?: number };
  /** All files of the run. */
  files: readonly FileInfo[];
  /** Everything that determines the results, except the files; by the name of the command-line option. */
  options: Readonly<Record<string, unknown>>;
  /** A request with one example of the training data, for `unroll compare`. Default: none. */
  example?: TaskRequest;
  /** Describes the run without training. @throws UnrollError for invalid data */
  plan(): PlanEvent | Promise<PlanEvent>;
  /** Trains the model and yields events. */
  run(control: { store: RunStore; signal: AbortSignal }): AsyncGenerator<RunEvent, TrainedModel, void>;
}

export interface TrainedModel {
  model: TaskModel;
  /** The fields of `training.json` that depend on the task. */
  record: Readonly<Record<string, unknown>>;
  /** Returns the HTML report. */
  report(run: { backend: string; seconds: number }): string;
}

/** A trained model with its result event, which is reported after the files are written. */
export type TrainingResult = TrainedModel & { event: ResultEvent };
