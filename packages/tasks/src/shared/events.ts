/**
 * The events of a run: plain JSON, the same for every task. They survive `JSON.stringify` and `JSON.parse`; unknown and
 * non-finite numbers are null. The command line renders them as text, or with `--json` writes all except step events as
 * JSON lines. The results of a run are its return value, not an event.
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
  | ResultEvent;

/** The first event: the backend, such as `native avx512, 2 threads`. */
export interface BackendEvent {
  event: 'backend';
  backend: string;
}

/** What was detected in the data, and what the run will do. Precedes the first training. */
export interface PlanEvent {
  event: 'plan';
  /** The plan as text: a label (empty: continues the line before), and a sentence or a list. */
  lines: { label: string; text: string }[];
  /** Decisions about the data, one sentence each; also part of `lines`. */
  notes: string[];
  /** Fields of the task: columns, rows, sizes. */
  [fact: string]: Json;
}

/** A note, such as a series that a baseline forecasts. */
export interface NoteEvent {
  event: 'note';
  text: string;
}

/** A problem that the user may want to fix. */
export interface WarningEvent {
  event: 'warning';
  message: string;
}

/** The current training of a run. */
export interface StageFacts {
  /** For programs: `search`, `calibrate`, ... */
  stage: string;
  /** The stage as text, such as `choosing epochs`. */
  title: string;
  model: string;
  /** Number of the training, from 1, and the number of trainings in the run. */
  training: number;
  trainings: number;
}

/** One batch was trained. */
export interface StepEvent extends StageFacts {
  event: 'step';
  epoch: number;
  epochs: number;
  /** Progress of the run, 0 to 1. */
  done: number;
  loss: number | null;
  sequencesPerSecond: number;
}

/** One epoch has ended; also reported for epochs that a resumed run trained earlier. */
export interface EpochEvent extends StageFacts {
  event: 'epoch';
  epoch: number;
  epochs: number;
  /** Progress of the run, 0 to 1. */
  done: number;
  loss: number | null;
  /** Only with validation data. */
  validationLoss?: number | null;
}

/** A training has ended. */
export interface StageEvent extends StageFacts {
  event: 'stage';
  /** Loss of the last epoch. */
  loss: number | null;
  /** Null if the training was completed before the run was resumed. */
  sequencesPerSecond: number | null;
}

/** The leaderboard, best first. */
export interface ScoresEvent extends ScoreTable {
  event: 'scores';
}

/** The last event: the outcome of the run. */
export interface ResultEvent {
  event: 'result';
  /** Fields of the task. */
  [fact: string]: Json;
}

/** A number for an event: null unless finite. */
export const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);
