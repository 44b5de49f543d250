/**
 * The interface between tasks and commands. A task loads its models from files. A model predicts, evaluates, describes and
 * saves itself, so commands work with models of any task. To add a task, implement its model in a new folder and add the
 * task to registry.ts.
 */

import type { Tensor } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';
import type { Decimal, Table, Thousands } from '@unroll/data';
import type { Network } from '@unroll/nn';
import type { Clip } from './frames/clips.js';
import type { ScoreTable } from './scores.js';
import type { Samples, Sound } from './sounds.js';

/** A type of model that is saved with a `pipeline.json`. */
export interface Task {
  /** The name in the `format` of pipeline.json: `forecast` for `unroll-forecast-1`. Lower-case letters only. */
  readonly name: string;
  /** Latest supported version of the format. */
  readonly version: number;
  /**
   * Loads a model from its files, by name.
   * @param json the content of pipeline.json, if it has been read before
   * @throws UnrollError `format` if files are missing or damaged, or belong to another task
   */
  fromFiles(files: ReadonlyMap<string, Uint8Array>, json?: JsonObject): TaskModel;
}

/** A trained model with everything needed to predict from a user's rows or texts. */
export interface TaskModel {
  /** Task and version of the files, such as `unroll-forecast-1`. */
  readonly format: string;
  /** Describes what `predict` does, in a few sentences for `unroll predict <model> --help`. */
  readonly about: string;
  /** Options of `predict`. */
  readonly options: readonly TaskOption[];
  /** What the model reads from `--data`: a `table`, or a text `file`, such as a CoNLL file. Default `table`. */
  readonly reads?: 'table' | 'file';
  /** Name of the column of `--data` with the paths of WAV files; commands read these files. Default: none. */
  readonly audio?: string | undefined;
  /** Name of the column of `--data` with the paths of clips; commands read these files. Default: none. */
  readonly frames?: string | undefined;
  /** True for a model that returns sounds, which `unroll predict` writes to `--audio`. Default false. */
  readonly writesSound?: boolean;
  /** The pattern of the file names, if the model was trained on a folder of files. Default: none. */
  readonly pattern?: string | undefined;
  /** True if `evaluate` also takes two parallel text files, `file` and `target` of the request. Default false. */
  readonly pairs?: boolean;
  /** The query that produced the training rows; it also runs on the files to predict from. */
  readonly sql?: string | undefined;
  /** The options with which the training file was parsed, if the user set any; other files are parsed in the same way. */
  readonly reading?:
    | { decimal?: Decimal; thousands?: Thousands; encoding?: string; header?: boolean }
    | undefined;
  /**
   * Predicts from rows or texts.
   * @throws UnrollError `data` or `value` for rows and options that do not match the model
   */
  predict(request: TaskRequest): Promise<TaskResult>;
  /**
   * Scores the model on rows or texts with known targets.
   * @throws UnrollError `data` if there are no targets to compare with
   */
  evaluate?(request: TaskRequest): Promise<TaskScores>;
  /**
   * Scores how well the model distinguishes pairs of sounds with the same label from pairs with different labels, for
   * `unroll evaluate --verification`.
   * @throws UnrollError `data` without pairs of both kinds; `value` for a model that does not read sound
   */
  verify?(pairs: readonly SoundPair[]): Promise<TaskScores>;
  /**
   * Generates the continuation of a text and yields it in pieces, for `unroll generate`. The options are those of `predict`.
   * @throws UnrollError `value` for invalid options
   */
  generate?(request: GenerateRequest): AsyncIterable<string>;
  /**
   * Starts a prediction from sound that arrives in chunks, for `unroll predict --stream`. The options are those of `predict`.
   * @param sampleRate sample rate in Hz
   * @throws UnrollError `value` for invalid options, and if the model needs the whole sound
   */
  soundStream?(sampleRate: number, options?: TaskRequest['options']): SoundStream;
  /** Returns notes on a prompt for `generate`, such as characters that the model does not know. Default: none. */
  notesOn?(prompt: string): string[];
  /**
   * The function that `pipeline()` of `unrolljs/pipeline` returns: predicts from one input, or from a list of inputs. The
   * result has the form of the same task's pipeline in transformers.js, such as `[{ label, score }]`. For a list, there is one
   * result for each input. Each task declares the type of the function in a file `pipe.ts`, and adds a line to `Pipes` of
   * unrolljs/src/pipeline.ts.
   * @throws UnrollError `value` for invalid inputs and options
   */
  pipe?(input: unknown, options?: object): Promise<unknown>;
  /** Predicts like `pipe` from one input, but yields parts of the result as soon as they are known, such as pieces of a text. */
  pipeStream?(input: unknown, options?: object): AsyncIterable<unknown>;
  /**
   * Returns one example of a file (or of the texts of a request) as the network reads it, for `unroll inspect --data`.
   * @param row index of the row, line or sentence; for a forecast, of the last row before the horizon. Default: 0; for a forecast,
   *   the last row of the file
   * @throws UnrollError `data` or `value` as for `predict`; `value` for a row outside of the file
   */
  example?(request: TaskRequest, row?: number): Promise<NetworkExample>;
  /** Returns the properties of the model that `unroll inspect` shows, in display order. */
  describe(): TaskFact[];
  /**
   * Returns the model as files, by name.
   * @param training JSON about the training run, for `training.json`. Default: no such file
   */
  toFiles(training?: unknown): Promise<Map<string, Uint8Array>>;
}

/** The inputs of a network for one example. */
export interface NetworkExample {
  network: Network;
  /** One tensor [1, ...] for each input of the network. */
  inputs: readonly Tensor[];
  /** Mask [1, T]. Default: the mask that the layers compute. */
  mask?: Tensor | undefined;
  /** What the example is, such as its text. */
  title: string;
  /** A text for each step, such as its word. Default: none. */
  steps?: readonly string[];
}

export interface TaskRequest {
  /** Rows to predict from. Default: none. */
  rows?: Table | undefined;
  /** Texts to predict from. Default: none. */
  texts?: readonly string[] | undefined;
  /** Sounds to predict from, for models with `audio`. Default: none. */
  sounds?: readonly Sound[] | undefined;
  /** Clips to predict from, for models with `frames`. Default: none. */
  clips?: readonly Clip[] | undefined;
  /** The text file to predict from, for models that read one. Default: none. */
  file?: TextFile | undefined;
  /** The text file with the targets of `file`, line by line, for models with `pairs`. Default: none. */
  target?: TextFile | undefined;
  /** Values of the model's options, by name; omitted options have their defaults. */
  options?: Readonly<Record<string, TaskOptionValue>> | undefined;
}

/** Two sounds, and whether they have the same label. */
export interface SoundPair {
  first: Sound;
  second: Sound;
  same: boolean;
}

export interface GenerateRequest {
  /** The text to continue. Default: the start of a text. */
  prompt?: string | undefined;
  /** Values of the model's options, by name; omitted options have their defaults. */
  options?: Readonly<Record<string, TaskOptionValue>> | undefined;
  /** Stops the generation: the iteration throws the reason of the signal. */
  signal?: AbortSignal | undefined;
}

/** A prediction from sound that arrives in chunks. */
export interface SoundStream {
  /** Appends samples of one channel and returns the prediction for the sound so far. */
  push(samples: Float32Array): Promise<string>;
  /** Ends the sound and returns its prediction. */
  end(): Promise<string>;
}

/** A decoded text file. */
export interface TextFile {
  /** Name of the file, for messages. */
  source: string;
  text: string;
}

export type TaskOptionValue = number | string | boolean | Table;

/** An option of `predict`: a command parses it, shows its help and passes its value. */
export interface TaskOption {
  /** Lower case with dashes: `future-rows`. */
  readonly name: string;
  /** A `flag` is a boolean. For a `table`, the command line takes the name of a file and passes its rows to the model. */
  readonly type: 'integer' | 'number' | 'text' | 'flag' | 'table';
  /** What `--help` shows for the value: `name` for `--timezone <name>`. Default: depends on the type. */
  readonly placeholder?: string;
  /** Help text. `--help` appends `default`; a default that is not a fixed value belongs in this text. */
  readonly help: string;
  /** Minimum of an integer. Default 0. */
  readonly least?: number;
  readonly default?: number | string | boolean;
}

export type TaskCell = string | number | null;

/** Predictions as a table, with notes. */
export interface TaskResult {
  readonly columns: readonly string[];
  /** One cell for each column; null if there is no value. */
  readonly rows: readonly (readonly TaskCell[])[];
  /** Fields of the JSON object of each row, in addition to the cells or in place of the cell of the same name. Default: none. */
  readonly json?: readonly Readonly<Record<string, Json>>[];
  /** For models that write sounds: the sound of each row. */
  readonly sounds?: readonly Samples[];
  /** Notes for the user, one sentence each. */
  readonly notes: readonly string[];
}

export interface TaskScores extends ScoreTable {
  /** Notes for the user, one sentence each. */
  notes: string[];
  /** Further tables, such as a confusion matrix. Default: none. */
  tables?: ({ name: string; title: string } & ScoreTable)[];
  /** The metrics by name, for programs; shares are fractions from 0 to 1. Default: none. */
  metrics?: Record<string, number>;
}

/** A property of a model, such as its horizon. */
export interface TaskFact {
  name: string;
  value: Json;
}

/** A table that the user must complete: the `template` in the data of an error. */
export interface Template {
  columns: string[];
  rows: string[][];
}
