/**
 * What a run reports while it goes on: plain JSON, the same for every task. `JSON.stringify` and `JSON.parse` give the
 * same event back; what is unknown or not finite is null. The command renders these events for people, and with `--json`
 * writes all but steps as they are, one a line. What a run has computed is its return value, never an event.
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

/** The first event: what computes, such as `native avx512, 2 threads`. */
export interface BackendEvent {
  event: 'backend';
  backend: string;
}

/** What was found in the data and what the run will do, before the first training. */
export interface PlanEvent {
  event: 'plan';
  /** The plan as people read it: a label (empty: that of the line before), and a sentence or a list. */
  lines: { label: string; text: string }[];
  /** What was done to the data, one sentence each; the lines hold them too. */
  notes: string[];
  /** The task's own facts: columns, rows, sizes. */
  [fact: string]: Json;
}

/** A sentence about what was done, such as a series that a simpler model forecasts. */
export interface NoteEvent {
  event: 'note';
  text: string;
}

/** Something that the user may want to change. */
export interface WarningEvent {
  event: 'warning';
  message: string;
}

/** Where a run is: which of its trainings goes on, and what it is for. */
export interface StageFacts {
  /** For programs: `search`, `calibrate`, ... */
  stage: string;
  /** The same for people. */
  title: string;
  model: string;
  /** Number of the training, from 1, and how many the run has. */
  training: number;
  trainings: number;
}

/** One batch has gone through. */
export interface StepEvent extends StageFacts {
  event: 'step';
  epoch: number;
  epochs: number;
  /** Share of the whole run's work that is done, 0 to 1. */
  done: number;
  loss: number | null;
  sequencesPerSecond: number;
}

/** One epoch has ended; also told for epochs that a resumed run had trained before. */
export interface EpochEvent extends StageFacts {
  event: 'epoch';
  epoch: number;
  epochs: number;
  /** Share of the whole run's work that is done, 0 to 1. */
  done: number;
  loss: number | null;
  /** Only where there are validation data. */
  validationLoss?: number | null;
}

/** A training has ended. */
export interface StageEvent extends StageFacts {
  event: 'stage';
  /** Of its last epoch. */
  loss: number | null;
  /** Null where all of it was trained before the run was resumed. */
  sequencesPerSecond: number | null;
}

/** The leaderboard, best first. */
export interface ScoresEvent extends ScoreTable {
  event: 'scores';
}

/** The last event: what the run came to. */
export interface ResultEvent {
  event: 'result';
  /** The task's own facts. */
  [fact: string]: Json;
}

/** A number as events hold it. */
export const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);
