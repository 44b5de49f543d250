/**
 * Adds training methods to a network, with the names that they have in Keras: `compile`, `fit`, `evaluate`, `predict`. Each
 * method calls a function of @unroll/train, which can also be used directly.
 */
import { type Model as Network, Parameter, ready, type Tensor, UnrollError, valueError } from '@unroll/core';
import { checkOptions, formatValue, type OptionTypes } from '@unroll/core/internal';
import type { Artifact, ArtifactExtras } from '@unroll/formats';
import { Network as LayerNetwork } from '@unroll/nn';
import {
  type Batches,
  type Callback,
  type Evaluation,
  type Examples,
  environmentOf,
  evaluate,
  type FitExtras,
  fingerprintOf,
  fit,
  type History,
  OptimizerMemory,
  type OptimizerSpec,
  type OptimizerState,
  progress,
  type RunOptions,
  resolveLoss,
  resolveOptimizer,
} from '@unroll/train';
import { checkAverage, Objective, outputNames, resolveClip, resolveLosses } from '@unroll/train/internal';
import { saveTo } from '#files';
import {
  BATCH,
  COMPILE,
  checkVerbose,
  EVALUATE,
  FIT,
  isPlainObject,
  notNumbersError,
  PREDICT,
  PREDICT_BATCH,
  SAVE,
} from './checks.js';
import { compileOptionsToJson } from './compile-options.js';
import {
  batchesOf,
  type ExampleBatches,
  type ExampleOptions,
  type ExampleSet,
  examplesOf,
  isBatches,
  type ValidationData,
  validationOf,
} from './examples.js';
import { type InputSignature, inputsOf, type PredictOptions, type Runnable, runnable } from './runnable.js';
import type { ModelValues } from './values.js';

type CompiledKey = 'loss' | 'lossWeights' | 'metrics' | 'weightedMetrics' | 'clip' | 'average';

export interface CompileOptions extends Pick<RunOptions, CompiledKey> {
  /** A name (with default options), a name with options, or an optimizer. Default `adam`. */
  optimizer?: OptimizerSpec;
}

/** Options of a run that come from `compile`, or that `fit` takes in another form. */
type ReplacedKey = CompiledKey | 'optimizer' | 'memory' | 'validationData' | 'resume';

export interface FitOptions extends Omit<RunOptions, ReplacedKey>, FitExtras, ExampleOptions {
  /**
   * Data on which loss and metrics are measured after every epoch: `[x, y]`, `[x, y, sampleWeights]`, `{ x, y,
   * sampleWeights, mask }`, or batches.
   */
  validationData?: ValidationData;
  /** 0: silent. 1: progress bar. 2: one line per epoch. Default `auto`: progress bar on a terminal, else silent. */
  verbose?: 0 | 1 | 2 | 'auto';
}

export interface EvaluateOptions extends ExampleOptions {
  /** Number of examples per batch. Default 256. */
  batchSize?: number;
}

type SaveExtras = Pick<ArtifactExtras, 'pipeline' | 'weights'>;

export interface Trainable extends Runnable {
  /**
   * Sets the optimizer, losses and metrics. Returns the model. A second call keeps the weights of the model and resets
   * the state of the optimizer. It also resets the parameters of losses, unless the same loss object is passed.
   * @throws UnrollError `value` for invalid options, `format` if the model was loaded with parameters of a loss that do not
   * match those of the new loss
   */
  compile(options: CompileOptions): this;
  /**
   * Trains on inputs x and targets y; the first axis of both is the example. A second call continues training.
   * @throws UnrollError `state` before `compile`, `shape` if the shapes of x, y and the model do not match, `nan` for
   * values that are not finite
   */
  fit(x: ModelValues, y: ModelValues, options?: FitOptions): Promise<History>;
  /** Trains on batches of the form `{ x, y, sampleWeights, mask }`. */
  fit(batches: ExampleBatches, options?: FitOptions): Promise<History>;
  /** Returns the loss and the metrics by name. @throws UnrollError `state` before `compile` */
  evaluate(x: ModelValues, y: ModelValues, options?: EvaluateOptions): Promise<Evaluation>;
  evaluate(batches: ExampleBatches, options?: EvaluateOptions): Promise<Evaluation>;
  /**
   * Trains on one batch with one update and the same optimizer state as `fit`. Returns the loss and metrics of the batch
   * before the update. Does not update the moving average of the weights (option `average` of `compile`).
   * @throws UnrollError as for `fit`
   */
  trainOnBatch(x: ModelValues, y: ModelValues, options?: ExampleOptions): Promise<Evaluation>;
  /** Like `predict`, but computes all examples in one batch. */
  predictOnBatch(x: ModelValues, options?: Pick<PredictOptions, 'mask'>): Promise<Tensor>;
  /**
   * Saves the model, its compile options and a record of its training to a folder, or to one file if the path ends in
   * `.zip`.
   * @param extras `pipeline`: scalers, vocabularies and other data to save with the model. `weights: 'float16'`: halves
   * the file size by rounding the saved weights; the weights of this model do not change
   * @throws UnrollError `state` for a model that is not built yet, `nan` for weights that are not finite, `value` for
   * a weight outside the range of float16
   */
  save(path: string, extras?: SaveExtras): Promise<void>;
}

/** The compile options, with the optimizer and its state. */
type Settings = Pick<RunOptions, CompiledKey> & { optimizer: OptimizerSpec; memory: OptimizerMemory };

/** What an artifact contains for the training of its model. */
export interface SavedTraining {
  /** The loss parameters; the first `compile` assigns them. */
  lossParameters?: Artifact['lossParameters'];
  /** The compile options of a model that must be compiled again. Until then, `save` writes them unchanged. */
  compiled?: CompileOptions | null;
  /** Appended to the error about a model that is not compiled. */
  compileHint?: string;
}

/** Runs the training methods of one network; stores its compile options and the record of its latest `fit`. */
class Session {
  readonly #network: Network;
  #saved: SavedTraining;
  #settings: Settings | null = null;
  /** True if the losses in `#settings` are loss objects, not names. */
  #hasLossObjects = false;
  /** A record of the latest fit, for the artifact. */
  #trainingRecord: Record<string, unknown> | null = null;

  constructor(network: Network, saved: SavedTraining) {
    this.#network = network;
    this.#saved = saved;
  }

  compile(compileOptions: CompileOptions): void {
    checkOptions('compile', compileOptions, COMPILE);
    const { optimizer: spec = 'adam', ...options } = compileOptions;
    const optimizer = resolveOptimizer(spec);
    resolveClip(optimizer, options.clip); // reports an invalid option here instead of in fit()
    if (options.average) checkAverage(options.average);
    if (typeof options.loss === 'string') resolveLoss(options.loss);
    const settings = { ...options, optimizer, memory: new OptimizerMemory() };
    const { lossParameters = {} } = this.#saved;
    const restores = Object.keys(lossParameters).length > 0;
    if (restores) {
      const { inputShapes } = this.#network as InputSignature;
      settings.loss = resolveLosses(settings.loss);
      const objective = new Objective(settings, outputNames(this.#network));
      objective.build(this.#network, inputShapes ?? [], lossParameters);
    }
    this.#settings = settings;
    this.#hasLossObjects = restores;
    this.#saved = {};
  }

  /** The settings; null before `compile`. */
  get compiled(): Settings | null {
    return this.#settings;
  }

  /** Loads a backend and returns the settings. @param method the calling method, for the error */
  async settings(method: string): Promise<Settings> {
    if (!this.#settings)
      throw new UnrollError(
        'state',
        `Call compile({ optimizer, loss }) before ${method}().${this.#saved.compileHint ?? ''}`,
      );
    await ready();
    return this.#withLossObjects(this.#settings);
  }

  async fit(first: ModelValues | ExampleBatches, rest: readonly unknown[]): Promise<History> {
    const settings = await this.settings('fit');
    const { data, options } = dataOf(this.#network, settings.loss, first, rest, 'fit', FIT);
    checkVerbose(options.verbose);
    const { verbose, sampleWeights, mask, validationData, callbacks = [], ...runOptions } = options;
    const validation = validationData && {
      validationData: validationOf(this.#network, settings.loss, validationData),
    };
    const history = await fit(this.#network, {
      ...settings,
      ...runOptions,
      ...data,
      ...validation,
      callbacks: [...callbacks, ...progressCallbacks(verbose ?? 'auto')],
    });
    const { seed = 0, epochs = 1, batchSize = 32, truncate } = runOptions;
    const fingerprint = data.batches ? null : await fingerprintOf(data);
    this.#trainingRecord = {
      ...{ seed, epochs, batchSize, ...(truncate && { truncate }) },
      ...{ data: fingerprint, backend: environmentOf(), history },
    };
    return history;
  }

  async evaluate(first: ModelValues | ExampleBatches, rest: readonly unknown[]): Promise<Evaluation> {
    const { optimizer, memory, clip, average, ...objective } = await this.settings('evaluate');
    const { data, options } = dataOf(this.#network, objective.loss, first, rest, 'evaluate', EVALUATE);
    const { batchSize } = options;
    const size = batchSize === undefined ? {} : { batchSize };
    return evaluate(this.#network, data.batches ?? (data as Examples), { ...objective, ...size });
  }

  async save(path: string, extras: SaveExtras): Promise<void> {
    checkOptions('save', extras, SAVE);
    const network = this.#network;
    if (!(network instanceof LayerNetwork)) {
      throw new UnrollError(
        'value',
        `${network.name} cannot be saved: only sequential and functional models can.`,
      );
    }
    const settings = this.#settings;
    const modelParameters = new Set(network.parameters); // losses can use parameters of the model
    const lossParameters = settings ? this.#objective(settings).parameters : this.#savedParameters();
    const compiled = settings ? compileOptionsToJson(settings) : (this.#saved.compiled ?? null);
    await saveTo(path, network, {
      ...extras,
      lossParameters: lossParameters.filter((parameter) => !modelParameters.has(parameter)),
      training: { compiled, trained: this.#trainingRecord },
    });
  }

  /** Returns the loss parameters from the artifact that no `compile` has used yet. */
  #savedParameters(): Parameter[] {
    return Object.entries(this.#saved.lossParameters ?? {}).map(
      ([name, { shape, values }]) => new Parameter(name, shape, values),
    );
  }

  /** Replaces loss names with loss objects on the first call, so that all later calls use the same loss parameters. */
  #withLossObjects(settings: Settings): Settings {
    if (!this.#hasLossObjects) settings.loss = resolveLosses(settings.loss);
    this.#hasLossObjects = true;
    return settings;
  }

  #objective(settings: Settings): Objective {
    return new Objective(this.#withLossObjects(settings), outputNames(this.#network));
  }
}

const sessions = new WeakMap<Network, Session>();

/** Returns the compile options of a model and the state of its optimizer; null before `compile`. */
export function trainingOf(network: Network): (CompileOptions & { memory: OptimizerMemory }) | null {
  return sessions.get(network)?.compiled ?? null;
}

/** Sets the state with which a compiled model continues training. */
export function continueTraining(network: Network, state: OptimizerState): void {
  const compiled = sessions.get(network)?.compiled;
  if (compiled) compiled.memory = new OptimizerMemory(state);
}

/** Adds the methods of {@link Trainable} to a network, and returns it. */
export function trainable<N extends Network>(network: N): N & Trainable {
  return trainableFrom(network);
}

/** Like {@link trainable}. @param saved what the artifact of the network contains for its training */
export function trainableFrom<N extends Network>(network: N, saved: SavedTraining = {}): N & Trainable {
  const session = new Session(network, saved);
  sessions.set(network, session);
  const methods = {
    ...withChecks(runnable(network)),
    compile(options: CompileOptions) {
      session.compile(options);
      return model;
    },
    fit: (first: ModelValues | ExampleBatches, ...rest: readonly unknown[]) => session.fit(first, rest),
    evaluate: (first: ModelValues | ExampleBatches, ...rest: readonly unknown[]) =>
      session.evaluate(first, rest),
    async trainOnBatch(x: ModelValues, y: ModelValues, options: ExampleOptions = {}): Promise<Evaluation> {
      checkOptions('trainOnBatch', options, BATCH);
      if (y === undefined) checkSeparateArguments(network, x, 'trainOnBatch');
      return trainOnBatch(network, await session.settings('trainOnBatch'), { ...options, x, y });
    },
    async predictOnBatch(x: ModelValues, options: Pick<PredictOptions, 'mask'> = {}): Promise<Tensor> {
      checkOptions('predictOnBatch', options, PREDICT_BATCH);
      await ready();
      const inputs = inputsOf(network, x);
      return model.predict(inputs, { ...options, batchSize: exampleCount(inputs) });
    },
    save: (path: string, extras: SaveExtras = {}) => session.save(path, extras),
  };
  const model = Object.assign(network, methods) as N & Trainable;
  return model;
}

/** Adds checks to the prediction methods: option names must be known, and x must contain only numbers. */
function withChecks({ predict, predictAll, predictArray }: Runnable): Runnable {
  const check =
    <T>(method: string, run: (x: ModelValues, options?: PredictOptions) => Promise<T>) =>
    async (x: ModelValues, options: PredictOptions = {}): Promise<T> => {
      checkOptions(method, options, PREDICT);
      try {
        return await run(x, options);
      } catch (error) {
        throw notNumbersError('x', x) ?? error;
      }
    };
  return {
    predict: check('predict', predict),
    predictAll: check('predictAll', predictAll),
    predictArray: check('predictArray', predictArray) as Runnable['predictArray'],
  };
}

async function trainOnBatch(
  network: Network,
  { average, ...settings }: Settings,
  examples: ExampleSet,
): Promise<Evaluation> {
  const data = examplesOf(network, settings.loss, examples);
  const { loss, metrics } = await fit(network, {
    ...settings,
    ...data,
    batchSize: exampleCount(data.x as Tensor[]),
    shuffle: false,
    seed: settings.memory.updates, // a different dropout mask for every batch
    onWarning: () => {},
  });
  const values = Object.entries(metrics).map(([name, [value]]) => [name, value] as const);
  return { loss: loss[0], ...Object.fromEntries(values) };
}

type Data = (Examples & { batches?: undefined }) | { batches: Batches };

/** Parses the arguments (x, y, options) or (batches, options). @param types the types of the method's options */
function dataOf<O extends ExampleOptions>(
  network: Network,
  loss: CompileOptions['loss'],
  first: ModelValues | ExampleBatches,
  rest: readonly unknown[],
  method: string,
  types: OptionTypes<O>,
): { data: Data; options: O } {
  const batches = isBatches(first);
  if (!batches && isMissing(rest[0], outputNames(network) ?? [])) {
    checkSeparateArguments(network, first, method);
    throw valueError(`${method}: y is missing. Pass the targets after x, as in ${method}(x, y, options).`);
  }
  const options = (rest[batches ? 0 : 1] ?? {}) as O;
  checkOptions(method, options, types);
  const { sampleWeights, mask } = options;
  if (batches) {
    if (sampleWeights === undefined && mask === undefined)
      return { data: { batches: batchesOf(network, loss, first) }, options };
    throw valueError(
      `${method}: with batches, sampleWeights and mask belong in each batch: { x, y, sampleWeights, mask }.`,
    );
  }
  const y = rest[0] as ModelValues;
  return { data: examplesOf(network, loss, { x: first, y, sampleWeights, mask }), options };
}

/** @throws UnrollError `value` for a call like `fit({ x, y })`, unless the model has an input named x */
function checkSeparateArguments(network: Network, first: ModelValues | ExampleBatches, method: string): void {
  if (!isPlainObject(first) || !('x' in first && 'y' in first)) return;
  if ((network as InputSignature).inputNames?.includes('x')) return;
  const others = Object.keys(first).filter((name) => name !== 'x' && name !== 'y');
  const options = others.length === 0 ? '' : `, { ${others.join(', ')} }`;
  throw valueError(
    `${method} takes x and y as separate arguments, got ${formatValue(first)}. Write ${method}(x, y${options}).`,
  );
}

/** Returns true if the argument y is missing: it is undefined, or the options are in its place. */
function isMissing(y: unknown, outputs: readonly string[]): boolean {
  if (y === undefined) return true;
  if (!isPlainObject(y)) return false;
  return Object.keys(y).every((name) => Object.hasOwn(FIT, name) && !outputs.includes(name));
}

/** Returns the number of examples as a batch size, at least 1. */
function exampleCount(inputs: readonly Tensor[]): number {
  return inputs[0].shape[0] || 1;
}

/** Returns the progress callback for the option `verbose`, if any. */
function progressCallbacks(verbose: NonNullable<FitOptions['verbose']>): Callback[] {
  if (verbose === 0) return [];
  if (verbose === 2) return [progress({ format: 'lines' })];
  const { process } = globalThis as { process?: { stdout?: { isTTY?: boolean } } };
  return verbose === 1 || process?.stdout?.isTTY ? [progress()] : [];
}
