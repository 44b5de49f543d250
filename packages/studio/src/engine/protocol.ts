/** The messages between the page and the worker that trains. */

import type { UserData } from '../problems/index.js';
import type { ErrorData } from '../problems/input-error.js';
import type { Problem, ProblemKind, Series } from '../problems/problem.js';
import type { CellKind, Settings } from '../state/settings.js';
import type { FigureRequest } from './figures.js';

/** The kinds of values that a view can show. The worker computes those of the visible view again as training proceeds. */
export type Look = 'trace' | 'flow' | 'lossFlow' | 'predictions' | 'saturation' | 'influence' | 'projection';

/** What the worker must compute for the visible view. */
export interface Watch {
  looks: readonly Look[];
  /** The cells for which the values are computed. */
  cells: readonly CellKind[];
  /** Index of the example. */
  example: number;
  /** Step whose output the look `influence` explains, for problems with one output per step; -1: the last step. */
  step: number;
}

/**
 * Messages to the worker. `generation` is the number of the latest `configure` message: the page ignores answers to earlier ones.
 */
export type ToWorker =
  | { type: 'configure'; generation: number; settings: Settings; data: UserData }
  | { type: 'run'; running: boolean }
  | { type: 'step' }
  | { type: 'learningRateAndClipping'; learningRate: number; clip: number }
  | { type: 'watch'; watch: Watch }
  | { type: 'ask'; id: number; question: Question };

/** A question that is answered once. */
export type Question =
  | { about: 'ablation'; cell: CellKind; ablation: Ablation; example: number }
  | { about: 'generate'; cell: CellKind; prompt: string; count: number; temperature: number; seed: number }
  | { about: 'histograms'; cell: CellKind }
  | { about: 'artifact'; cell: CellKind }
  | { about: 'translate'; path: string; text: string }
  | ({ about: 'figure'; cell: CellKind } & FigureRequest)
  | { about: 'files'; files: ReadonlyMap<string, Uint8Array> };

export interface Ablation {
  layer: string;
  units: readonly number[];
  /** The gate that is fixed at `value`; null: the units are set to `value`. */
  gate: string | null;
  value: number;
}

export type { ProblemKind };

/** The part of a {@link Problem} that can be sent to the page: all but its functions. `Problem` documents the fields. */
export interface ProblemInfo {
  kind: ProblemKind;
  steps: number;
  features: readonly string[];
  vocabulary: readonly string[] | null;
  classes: readonly string[] | null;
  outputs: number;
  perStep: boolean;
  attention: boolean;
  baseline: number;
  /** Loss below which the problem counts as solved; null: not known. */
  solvedLoss: number | null;
  series: Series | null;
  /** The examples: inputs, targets and lengths. */
  count: number;
  x: Float32Array;
  y: Float32Array;
  lengths: Int32Array;
  /** Weight of the output at each step, [N, T]; null: all outputs count. */
  weights: Float32Array | null;
}

/** A cell and its network. */
export interface LaneInfo {
  cell: CellKind;
  parameters: number;
  layers: readonly { name: string; className: string; shape: string; parameters: number }[];
}

/** Results of updates, one value per update. */
export interface LanePoints {
  cell: CellKind;
  update: number[];
  loss: number[];
  /** Norm of the gradient before clipping. */
  norm: number[];
  /** 1 if the gradient was clipped, otherwise 0. */
  clipped: number[];
  /** Learning rate. */
  rate: number[];
  /** Milliseconds of each update. */
  ms: number[];
}

/** One layer's values for one example; arrays [T, H] in row-major order. */
export interface LayerValues {
  layer: string;
  className: string;
  units: number;
  /** Gates in the order of the equations. */
  gates: Readonly<Record<string, Float32Array>>;
  states: Readonly<Record<string, Float32Array>>;
  /** Name of the gate that decides how much of the state survives a step; null: none. */
  keep: string | null;
  /** Attention weights of a decoder, [output steps, source steps]; null: the layer has no attention. */
  alignment: Float32Array | null;
  /** The inputs of the layer, [T, I]. */
  x: Float32Array;
  /** Number of inputs I. */
  inputs: number;
  weights: Readonly<Record<string, { shape: readonly number[]; values: Float32Array }>>;
}

export interface FlowCurve {
  layer: string;
  state: string;
  /** Mean norm of the derivative of the output (or loss) with respect to the state, by lag. */
  raw: Float64Array;
  /** Mean norm relative to lag 0, and its quantiles 0.1 and 0.9 over the examples. */
  relative: Float64Array;
  low: Float64Array;
  high: Float64Array;
}

export interface FlowValues {
  curves: readonly FlowCurve[];
  /** Product of the forget gates, by lag; null: the cell has no such gate. */
  forgetProduct: Float64Array | null;
  /** Spectral radius of the recurrent matrix, by gate; null: the cell has no such matrix. */
  spectralRadius: Readonly<Record<string, number>> | null;
}

export interface PredictionValues {
  /** Outputs of all examples [N, outputs], or of one example [T, outputs] with `perStep`. */
  outputs: Float32Array;
  /** Loss on the examples, and accuracy for classes. */
  loss: number;
  accuracy: number | null;
}

export interface SaturationValues {
  layer: string;
  units: number;
  /** By gate: shares of values below 0.05 (`low`) and above 0.95 (`high`), and the mean of each unit. */
  gates: Readonly<Record<string, { low: number; high: number; mean: Float32Array }>>;
  /** Indices of the units whose output hardly changes. */
  dead: readonly number[];
  /** Half-life of the memory of each unit in steps; null: the cell has no gate that decides it. */
  halfLife: Float32Array | null;
}

export interface InfluenceValues {
  /** Step of the output. */
  step: number;
  /** Norm of the derivative of the output at `step` with respect to each input. */
  norms: Float32Array;
  /** Integrated gradients of the largest output, one value per input step. */
  attribution: Float32Array;
}

/** Hidden states, projected on their first two principal components. */
export interface ProjectionValues {
  /** The projected states of all steps of some examples, [N, T, 2]. */
  points: Float32Array;
  /** Indices of the examples. The first is the selected example. */
  indices: readonly number[];
  steps: number;
  /** Share of the variance along each component. */
  explained: readonly number[];
}

export interface LookValues {
  trace?: readonly LayerValues[];
  flow?: FlowValues;
  /** Gradient flow of the loss instead of the output. */
  lossFlow?: FlowValues;
  predictions?: PredictionValues;
  saturation?: readonly SaturationValues[];
  influence?: InfluenceValues;
  projection?: ProjectionValues;
}

export type FromWorker =
  | { type: 'ready'; threads: number; backend: string }
  | { type: 'built'; generation: number; problem: ProblemInfo; lanes: readonly LaneInfo[] }
  | { type: 'progress'; generation: number; lanes: readonly LanePoints[] }
  | { type: 'look'; generation: number; cell: CellKind; update: number; example: number; values: LookValues }
  | { type: 'stopped'; generation: number; cell: CellKind; error: ErrorData }
  | { type: 'lookFailed'; generation: number; cell: CellKind; error: ErrorData }
  | { type: 'failed'; generation: number; error: ErrorData }
  | { type: 'reply'; id: number; value?: unknown; error?: ErrorData };
