/**
 * A network with training attached, in Keras's words: `compile`, `fit`, `evaluate`, `predict`. Each method is
 * a short call to a function of @unroll/train that may also be used on its own.
 */
import { ready as backendLoaded, type Model as Network, Tensor, UnrollError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { Artifact, ArtifactExtras } from '@unroll/formats';
import { Network as Layered } from '@unroll/nn';
import {
  type Batches,
  type Callback,
  type Examples,
  environmentOf,
  evaluate,
  type Figures,
  type FitExtras,
  fingerprintOf,
  fit,
  type History,
  OptimizerMemory,
  type OptimizerSpec,
  progress,
  type RunOptions,
  resolveLoss,
  resolveOptimizer,
} from '@unroll/train';
import { checkAverage, clipFor, Objective, resolveLosses } from '@unroll/train/internal';
import { saveTo } from '#files';
import { COMPILE, checkVerbose, EVALUATE, FIT, notNumbers, PREDICT, reading, SAVE } from './checks.js';
import { compiledToJson } from './compiled.js';
import { inputsOf, type Known, type PredictOptions, type Runnable, runnable, targetsOf } from './runnable.js';
import { type ModelValues, toTensor, type Values } from './values.js';

type Compiled = 'loss' | 'lossWeights' | 'metrics' | 'weightedMetrics' | 'clip' | 'average';

export interface CompileOptions extends Pick<RunOptions, Compiled> {
  /** By name (with default options), by name and options, or itself. Default `adam`. */
  optimizer?: OptimizerSpec;
}

/** What belongs to examples besides x and y. */
export interface ExampleOptions {
  /** What each example's loss is multiplied by, [N], or each step's, [N, T]. Default 1. */
  sampleWeights?: Values;
  /** Which steps are valid, [N, T] with 1 and 0. Default: as the model's layers find. */
  mask?: Values;
}

/** Examples as x, y and, if need be, sample weights. */
export type ExamplePair = readonly [x: ModelValues, y: ModelValues, sampleWeights?: Values];

type Passed = Compiled | 'optimizer' | 'memory' | 'validationData' | 'resume';

export interface FitOptions extends Omit<RunOptions, Passed>, FitExtras, ExampleOptions {
  /** Examples, or batches of them, to measure loss and metrics on after every epoch. */
  validationData?: ExamplePair | Batches;
  /** 0: silent. 1: progress. 2: a line per epoch. Default `auto`: progress on a terminal, else silent. */
  verbose?: 0 | 1 | 2 | 'auto';
}

export interface EvaluateOptions extends ExampleOptions {
  /** Examples computed at once. Default 256. */
  batchSize?: number;
}

type SaveExtras = Pick<ArtifactExtras, 'pipeline' | 'weights'>;

type CompiledOptions = Pick<RunOptions, Compiled> & { optimizer: OptimizerSpec; memory: OptimizerMemory };

export interface Trainable extends Runnable {
  /**
   * Says what to train with. May be called again: the weights stay, the optimizer starts anew. Returns the
   * model.
   */
  compile(options: CompileOptions): this;
  /**
   * Trains on examples x and targets y, whose first axes count examples. A second call goes on where the
   * first ended.
   * @throws UnrollError `state` before `compile`, `shape` where x, y and the model do not fit, `nan` when
   * numbers go astray
   */
  fit(x: ModelValues, y: ModelValues, options?: FitOptions): Promise<History>;
  /** Trains on batches. */
  fit(batches: Batches, options?: FitOptions): Promise<History>;
  /** Loss and metrics by name. @throws UnrollError `state` before `compile` */
  evaluate(x: ModelValues, y: ModelValues, options?: EvaluateOptions): Promise<Figures>;
  evaluate(batches: Batches, options?: EvaluateOptions): Promise<Figures>;
  /**
   * Saves the model, and what it was compiled with and trained on, as a folder, or as one file if the path
   * ends in `.zip`.
   * @param extras what else is to be kept: `pipeline` for scalers, vocabularies and the like; `weights: 'float16'` for
   * half the bytes: what is loaded then has the weights rounded, and this model keeps its own
   * @throws UnrollError `state` for a model that is not built yet, `nan` for weights that are not finite, `value` for
   * one beyond float16
   */
  save(path: string, extras?: SaveExtras): Promise<void>;
}

/** The network, with the methods of {@link Trainable}. */
export function trainable<N extends Network>(network: N): N & Trainable {
  return trainableFrom(network, {});
}

/** @param stored parameters of the loss, from the file that the network is from: for the first `compile` */
export function trainableFrom<N extends Network>(
  network: N,
  stored: Artifact['lossParameters'],
): N & Trainable {
  let compiled: CompiledOptions | null = null;
  let made = false; // the losses of `compiled` are no names any more
  let trained: Record<string, unknown> | null = null; // by the latest fit
  /** The losses themselves, the same ones in every call, so that their parameters stay. */
  const withLosses = (options: CompiledOptions): CompiledOptions => {
    if (!made) options.loss = resolveLosses(options.loss);
    made = true;
    return options;
  };
  const objectiveOf = (options: CompiledOptions): Objective =>
    new Objective(withLosses(options), (network as Known).outputNames ?? null);
  const ready = (method: string) => {
    if (compiled) return withLosses(compiled);
    throw new UnrollError('state', `Call compile({ optimizer, loss }) before ${method}().`);
  };
  const { predict, predictAll } = runnable(network);
  const predicting =
    <T>(run: (x: ModelValues, options?: PredictOptions) => Promise<T>) =>
    async (x: ModelValues, options: PredictOptions = {}): Promise<T> => {
      checkOptions('predict', options, PREDICT);
      try {
        return await run(x, options);
      } catch (error) {
        throw notNumbers('x', x) ?? error;
      }
    };
  const methods = {
    predict: predicting(predict),
    predictAll: predicting(predictAll),
    compile(given: CompileOptions) {
      checkOptions('compile', given, COMPILE);
      const { optimizer: spec = 'adam', ...options } = given;
      const optimizer = resolveOptimizer(spec);
      clipFor(optimizer, options.clip); // what is wrong is reported here, and not by fit()
      if (options.average) checkAverage(options.average);
      if (typeof options.loss === 'string') resolveLoss(options.loss);
      compiled = { ...options, optimizer, memory: new OptimizerMemory() };
      made = false;
      if (Object.keys(stored).length > 0) {
        objectiveOf(compiled).build(network, (network as Known).inputShapes ?? [], stored);
        stored = {};
      }
      return whole;
    },
    async fit(first: ModelValues | Batches, ...rest: readonly unknown[]): Promise<History> {
      await backendLoaded(); // values become tensors, which in a page needs a backend that has been awaited
      const { data, options } = dataOf(network, first, rest, (given) => checkOptions('fit', given, FIT));
      checkVerbose((options as FitOptions).verbose);
      const { verbose, sampleWeights, mask, validationData, callbacks = [], ...own } = options as FitOptions;
      const held = validationData && { validationData: heldOf(network, validationData) };
      const history = await fit(network, {
        ...ready('fit'),
        ...own,
        ...data,
        ...held,
        callbacks: [...callbacks, ...verbosity(verbose ?? 'auto')],
      });
      const { seed = 0, epochs = 1, batchSize = 32 } = own;
      const fingerprint = data.batches ? null : await fingerprintOf(data);
      trained = { seed, epochs, batchSize, data: fingerprint, backend: environmentOf(), history };
      return history;
    },
    async evaluate(first: ModelValues | Batches, ...rest: readonly unknown[]): Promise<Figures> {
      await backendLoaded();
      const check = (given: EvaluateOptions) => checkOptions('evaluate', given, EVALUATE);
      const { data, options } = dataOf(network, first, rest, check);
      const { batchSize } = options as EvaluateOptions;
      const size = batchSize === undefined ? {} : { batchSize };
      const { optimizer, memory, clip, average, ...measured } = ready('evaluate');
      return evaluate(network, data.batches ?? (data as Examples), { ...measured, ...size });
    },
    async save(path: string, extras: SaveExtras = {}): Promise<void> {
      checkOptions('save', extras, SAVE);
      if (!(network instanceof Layered)) {
        throw new UnrollError(
          'value',
          `${network.name} is no model of layers: an artifact cannot describe it.`,
        );
      }
      await saveTo(path, network, {
        ...extras,
        lossParameters: compiled && made ? objectiveOf(compiled).parameters : [],
        training: { compiled: compiled && compiledToJson(compiled), trained },
      });
    },
  };
  const whole = Object.assign(network, methods) as N & Trainable;
  return whole;
}

type Data = (Examples & { batches?: undefined }) | { batches: Batches };

/** (x, y, options) or (batches, options). */
function dataOf(
  network: Network,
  first: ModelValues | Batches,
  rest: readonly unknown[],
  check: (options: FitOptions) => void,
): { data: Data; options: FitOptions | EvaluateOptions } {
  const batches = isBatches(first);
  const options = (rest[batches ? 0 : 1] ?? {}) as FitOptions;
  check(options);
  if (batches) return { data: { batches: first }, options };
  return { data: examplesOf(network, [first, rest[0] as ModelValues], options), options };
}

function examplesOf(
  network: Network,
  [x, y]: ExamplePair,
  { sampleWeights, mask }: ExampleOptions,
): Examples {
  return {
    x: reading('x', x, () => inputsOf(network, x)),
    y: reading('y', y, () => targetsOf(network, y)),
    ...(sampleWeights !== undefined && { sampleWeights: readingOne('sampleWeights', sampleWeights) }),
    ...(mask !== undefined && { mask: readingOne('mask', mask) }),
  };
}

const readingOne = (what: string, values: Values): Tensor => reading(what, values, () => toTensor(values));

function heldOf(network: Network, data: ExamplePair | Batches): Examples | Batches {
  if (!isPair(data)) return data;
  const [, , sampleWeights] = data;
  return examplesOf(network, data, sampleWeights === undefined ? {} : { sampleWeights });
}

/** An iterable of batches, and not numbers. */
function isBatches(data: ModelValues | Batches): data is Batches {
  if (typeof data === 'function') return true;
  if (typeof data !== 'object' || data === null || data instanceof Tensor || ArrayBuffer.isView(data))
    return false;
  if (Array.isArray(data)) return isExamples(data[0]);
  return Symbol.iterator in data || Symbol.asyncIterator in data;
}

function isExamples(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'x' in value && 'y' in value;
}

function isPair(data: ExamplePair | Batches): data is ExamplePair {
  return Array.isArray(data) && !isExamples(data[0]);
}

function verbosity(verbose: NonNullable<FitOptions['verbose']>): Callback[] {
  if (verbose === 0) return [];
  if (verbose === 2) return [progress({ format: 'lines' })];
  const { process } = globalThis as { process?: { stdout?: { isTTY?: boolean } } };
  return verbose === 1 || process?.stdout?.isTTY ? [progress()] : [];
}
