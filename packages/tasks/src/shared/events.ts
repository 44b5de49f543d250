/**
 * The events of a run. All tasks share these types. Events are plain JSON: unknown and non-finite numbers are null. The
 * command line renders them as text or, with `--json`, writes all except step events as JSON lines. The result of a run is
 * its return value; the last event only summarises it.
 */
import type { Json } from '@unroll/core/internal';
import type { ScoreTable } from './scores.js';

export type RunEvent =
  | BackendEvent
  | PlanEvent
  | NoteEvent
  | WarningEvent
  | StepEvent
  | EpochEvent
  | StageEvent
  | ScoresEvent
  | TableEvent
  | ResultEvent;

/** The first event: the backend, such as `native avx512, 2 threads`. */
export interface BackendEvent {
  event: 'backend';
  backend: string;
}

/** Describes the data and the plan of the run. Precedes the first training. */
export interface PlanEvent {
  event: 'plan';
  /** The plan as text. A line with an empty label belongs to the label above it. */
  lines: { label: string; text: string }[];
  /** Notes on decisions about the data, one sentence each. `lines` contains them as well. */
  notes: string[];
  /** Further fields that depend on the task, such as columns and numbers of rows. */
  [field: string]: Json;
}

/** A note on the results, such as that a series is forecast by a baseline. */
export interface NoteEvent {
  event: 'note';
  text: string;
}

/** A problem that the user may want to fix. */
export interface WarningEvent {
  event: 'warning';
  message: string;
}

/** Identifies the current training run and its stage. */
export interface StageInfo {
  /** Identifier of the stage, such as `search`. */
  stage: string;
  /** The stage as text, such as `choosing epochs`. */
  title: string;
  model: string;
  /** Number of this training run, from 1. */
  training: number;
  /** Total number of training runs. */
  trainings: number;
}

/** One batch was trained. */
export interface StepEvent extends StageInfo {
  event: 'step';
  epoch: number;
  epochs: number;
  /** Progress of the run, 0 to 1. */
  done: number;
  loss: number | null;
  sequencesPerSecond: number;
}

/** One epoch has ended. A resumed run reports the epochs before the interruption again. */
export interface EpochEvent extends StageInfo {
  event: 'epoch';
  epoch: number;
  epochs: number;
  /** Progress of the run, 0 to 1. */
  done: number;
  loss: number | null;
  /** Only with validation data. */
  validationLoss?: number | null;
  /** Only with validation data, for tasks that compute metrics during training: each metric by name, as a fraction. */
  validationMetrics?: { [name: string]: number | null };
}

/** A training run of a stage has ended. A stage can have several training runs; there is an event after each of them. */
export interface StageEvent extends StageInfo {
  event: 'stage';
  /** Loss of the last epoch. */
  loss: number | null;
  /** Null if the training run was already complete when the run was resumed. */
  sequencesPerSecond: number | null;
}

/** The leaderboard, best first. */
export interface ScoresEvent extends ScoreTable {
  event: 'scores';
}

/** Another table of the results, such as a confusion matrix. */
export interface TableEvent extends ScoreTable {
  event: 'table';
  /** Identifier, such as `confusion`. */
  name: string;
  title: string;
}

/** The last event: a summary of the result. */
export interface ResultEvent {
  event: 'result';
  /** Further fields that depend on the task. */
  [field: string]: Json;
}

/** Returns the number, or null if it is not finite. */
export const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);
