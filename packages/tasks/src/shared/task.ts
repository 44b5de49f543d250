/**
 * What a task is to the commands: a way to make a model of its files, and a model that predicts, is evaluated, described
 * and saved without anybody knowing which task it is of. A new task is a folder with such a model and a line in registry.ts.
 */
import type { Json } from '@unroll/core/internal';
import type { Decimal, Table, Thousands } from '@unroll/data';
import type { ScoreTable } from './scores.js';

/** One kind of model that is saved with a `pipeline.json`. */
export interface Task {
  /** As `format` in pipeline.json names it: `forecast` of `unroll-forecast-1`. Lower-case letters. */
  readonly name: string;
  /** The latest version of the format that is read. */
  readonly version: number;
  /** @throws UnrollError `format` for files that are missing, damaged, or of another task */
  fromFiles(files: ReadonlyMap<string, Uint8Array>): TaskModel;
}

/** A trained model with all that it takes from a user's rows or texts to an answer. */
export interface TaskModel {
  /** Task and version of the files, such as `unroll-forecast-1`. */
  readonly format: string;
  /** What `predict` makes of which rows or texts: a sentence or two for `unroll predict <model> --help`. */
  readonly about: string;
  /** What `predict` can be asked for. */
  readonly options: readonly TaskOption[];
  /** The query that the training rows came from; rows from a file are asked for by it again. */
  readonly sql?: string | undefined;
  /** How the file of the training rows was to be read, where that was said; other files are read alike. */
  readonly reading?: { decimal?: Decimal; thousands?: Thousands; encoding?: string } | undefined;
  /** @throws UnrollError `data` or `value` for rows and options that do not suit the model */
  predict(request: TaskRequest): Promise<TaskResult>;
  /**
   * Scores of the model on rows or texts whose answers are known.
   * @throws UnrollError `data` where nothing can be compared
   */
  evaluate?(request: TaskRequest): Promise<TaskScores>;
  /** What somebody with the files alone wants to know, in the order in which it is shown. */
  describe(): TaskFact[];
  /**
   * The model in files, by name.
   * @param training how it was made: JSON for `training.json`. Default: no such file
   */
  toFiles(training?: unknown): Promise<Map<string, Uint8Array>>;
}

export interface TaskRequest {
  /** Rows to predict from, or up to now. Default: none. */
  rows?: Table | undefined;
  /** Texts to predict from. Default: none. */
  texts?: readonly string[] | undefined;
  /** Values of the model's options, by name; what is left out has its default. */
  options?: Readonly<Record<string, TaskOptionValue>> | undefined;
}

export type TaskOptionValue = number | string | boolean | Table;

/** An option of `predict`, as data: a command parses it, shows its help and hands over its value. */
export interface TaskOption {
  /** Lower case with dashes: `future-rows`. */
  readonly name: string;
  /** A `table` is a file for a command, and its rows for the model. */
  readonly type: 'integer' | 'number' | 'text' | 'flag' | 'table';
  /** What it does, with its default. */
  readonly help: string;
  /** Least value of an integer. Default 0. */
  readonly least?: number;
  readonly default?: number | string | boolean;
}

export type TaskCell = string | number | null;

/** What a model predicts: columns and rows, and what must be said beside them. */
export interface TaskResult {
  readonly columns: readonly string[];
  /** A cell for each column; null where there is no value. */
  readonly rows: readonly (readonly TaskCell[])[];
  /** One sentence each. */
  readonly notes: readonly string[];
}

export interface TaskScores extends ScoreTable {
  /** One sentence each. */
  notes: string[];
}

export interface TaskFact {
  name: string;
  value: Json;
}

/** Rows that a user must fill in before a run can go on: the `template` in the data of an error. */
export interface Template {
  columns: string[];
  rows: string[][];
}
