/**
 * A network with training methods named as in Keras: `compile`, `fit`, `evaluate`, `predict`. Each method is a short
 * call to a function of @unroll/train that can also be used directly.
 */
import { type Model as Network, ready, type Tensor, UnrollError, valueError } from '@unroll/core';
import { checkOptions, formatValue, type OptionTypes } from '@unroll/core/internal';
import type { Artifact, ArtifactExtras } from '@unroll/formats';
import { Network as Layered } from '@unroll/nn';
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
  progress,
  type RunOptions,
  resolveLoss,
  resolveOptimizer,
} from '@unroll/train';
import { checkAverage, resolveClip, Objective, outputNames, resolveLosses } from '@unroll/train/internal';
import { saveTo } from '#files';
import {
  BATCH,
  COMPILE,
  checkVerbose,
  EVALUATE,
  FIT,
  isPlain,
  notNumbers,
  PREDICT,
  PREDICT_BATCH,
  SAVE,
} from './checks.js';
import { compiledToJson } from './compiled.js';
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

type Compiled = 'loss' | 'lossWeights' | 'metrics' | 'weightedMetrics' | 'clip' | 'average';

export interface CompileOptions extends Pick<RunOptions, Compiled> {
  /** A name (with default options), a name with options, or an optimizer. Default `adam`. */
  optimizer?: OptimizerSpec;
}

type Passed = Compiled | 'optimizer' | 'memory' | 'validationData' | 'resume';

export interface FitOptions extends Omit<RunOptions, Passed>, FitExtras, ExampleOptions {
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
   * Sets the optimizer, losses and metrics. Can be called again: the weights of the model stay, and the optimizer
   * starts from its initial state. The parameters of a loss also start anew, unless the same loss object is given.
   * Returns the model.
   */
  compile(options: CompileOptions): this;
  /**
   * Trains on examples x and targets y; the first axis of each counts the examples. A second call continues training.
   * @throws UnrollError `state` before `compile`, `shape` if x, y and the model do not fit together, `nan` for values
   * that are not finite
   */
  fit(x: ModelValues, y: ModelValues, options?: FitOptions): Promise<History>;
  /** Trains on batches of the form `{ x, y, sampleWeights, mask }`. */
  fit(batches: ExampleBatches, options?: FitOptions): Promise<History>;
  /** Loss and metrics by name. @throws UnrollError `state` before `compile` */
  evaluate(x: ModelValues, y: ModelValues, options?: EvaluateOptions): Promise<Evaluation>;
  evaluate(batches: ExampleBatches, options?: EvaluateOptions): Promise<Evaluation>;
  /**
   * Trains on one batch with one update, using the same optimizer state as `fit`. Returns the loss and metrics of the
   * batch before the update. Does not update the moving average of the weights (`average` of `compile`).
   * @throws UnrollError as for `fit`
   */
  trainOnBatch(x: ModelValues, y: ModelValues, options?: ExampleOptions): Promise<Evaluation>;
  /** The output for x, [N, ...], with all examples in one batch. For a model with several outputs, the first one. */
  predictOnBatch(x: ModelValues, options?: Pick<PredictOptions, 'mask'>): Promise<Tensor>;
  /**
   * Saves the model, its compile options and a record of its training as a folder, or as one file if the path ends in
   * `.zip`.
   * @param extras further parts to save: `pipeline` for scalers, vocabularies and the like; `weights: 'float16'` to
   * halve the file size. A model loaded from such a file has rounded weights; this model does not change
   * @throws UnrollError `state` for a model that is not built yet, `nan` for weights that are not finite, `value` for
   * a weight outside the range of float16
   */
  save(path: string, extras?: SaveExtras): Promise<void>;
}

/** The compile options with the optimizer and its state. */
type Settings = Pick<RunOptions, Compiled> & { optimizer: OptimizerSpec; memory: OptimizerMemory };

/** The compile options and the training record of a network. */
class Session {
  readonly #network: Network;
  #stored: Artifact['lossParameters'];
  #compiled: Settings | null = null;
  /** True once the losses of `#compiled` are loss objects instead of names. */
  #resolved = false;
  /** A record of the latest fit, for the artifact. */
  #trained: Record<string, unknown> | null = null;

  /** @param stored the loss parameters from the network's file, used by the first `compile` */
  constructor(network: Network, stored: Artifact['lossParameters']) {
    this.#network = network;
    this.#stored = stored;
  }

  compile(given: CompileOptions): void {
    checkOptions('compile', given, COMPILE);
    const { optimizer: spec = 'adam', ...options } = given;
    const optimizer = resolveOptimizer(spec);
    resolveClip(optimizer, options.clip); // reports a wrong option here instead of in fit()
    if (options.average) checkAverage(options.average);
    if (typeof options.loss === 'string') resolveLoss(options.loss);
    this.#compiled = { ...options, optimizer, memory: new OptimizerMemory() };
    this.#resolved = false;
    if (Object.keys(this.#stored).length === 0) return;
    const { inputShapes } = this.#network as InputSignature;
    this.#objective(this.#compiled).build(this.#network, inputShapes ?? [], this.#stored);
    this.#stored = {};
  }

  /** The compile options. Waits for a backend, because creating values needs one. */
  async settings(method: string): Promise<Settings> {
    if (!this.#compiled)
      throw new UnrollError('state', `Call compile({ optimizer, loss }) before ${method}().`);
    await ready();
    return this.#withLosses(this.#compiled);
  }

  async fit(first: ModelValues | ExampleBatches, rest: readonly unknown[]): Promise<History> {
    const settings = await this.settings('fit');
    const { data, options } = dataOf(this.#network, settings.loss, first, rest, 'fit', FIT);
    checkVerbose(options.verbose);
    const { verbose, sampleWeights, mask, validationData, callbacks = [], ...own } = options;
    const validation = validationData && {
      validationData: validationOf(this.#network, settings.loss, validationData),
    };
    const history = await fit(this.#network, {
      ...settings,
      ...own,
      ...data,
      ...validation,
      callbacks: [...callbacks, ...verbosity(verbose ?? 'auto')],
    });
    const { seed = 0, epochs = 1, batchSize = 32 } = own;
    const fingerprint = data.batches ? null : await fingerprintOf(data);
    this.#trained = { seed, epochs, batchSize, data: fingerprint, backend: environmentOf(), history };
    return history;
  }

  async evaluate(first: ModelValues | ExampleBatches, rest: readonly unknown[]): Promise<Evaluation> {
    const { optimizer, memory, clip, average, ...measured } = await this.settings('evaluate');
    const { data, options } = dataOf(this.#network, measured.loss, first, rest, 'evaluate', EVALUATE);
    const { batchSize } = options;
    const size = batchSize === undefined ? {} : { batchSize };
    return evaluate(this.#network, data.batches ?? (data as Examples), { ...measured, ...size });
  }

  async save(path: string, extras: SaveExtras): Promise<void> {
    checkOptions('save', extras, SAVE);
    const network = this.#network;
    if (!(network instanceof Layered)) {
      throw new UnrollError(
        'value',
        `${network.name} cannot be saved: only sequential and functional models can.`,
      );
    }
    const compiled = this.#compiled;
    await saveTo(path, network, {
      ...extras,
      lossParameters: compiled ? this.#objective(compiled).parameters : [],
      training: { compiled: compiled && compiledToJson(compiled), trained: this.#trained },
    });
  }

  /** Replaces loss names by loss objects once, so that every call uses the same loss parameters. */
  #withLosses(settings: Settings): Settings {
    if (!this.#resolved) settings.loss = resolveLosses(settings.loss);
    this.#resolved = true;
    return settings;
  }

  #objective(settings: Settings): Objective {
    return new Objective(this.#withLosses(settings), outputNames(this.#network));
  }
}

/** The network with the methods of {@link Trainable}. */
export function trainable<N extends Network>(network: N): N & Trainable {
  return trainableFrom(network, {});
}

/** @param stored the loss parameters from the network's file, used by the first `compile` */
export function trainableFrom<N extends Network>(
  network: N,
  stored: Artifact['lossParameters'],
): N & Trainable {
  const session = new Session(network, stored);
  const methods = {
    ...checked(runnable(network)),
    compile(options: CompileOptions) {
      session.compile(options);
      return whole;
    },
    fit: (first: ModelValues | ExampleBatches, ...rest: readonly unknown[]) => session.fit(first, rest),
    evaluate: (first: ModelValues | ExampleBatches, ...rest: readonly unknown[]) =>
      session.evaluate(first, rest),
    async trainOnBatch(x: ModelValues, y: ModelValues, options: ExampleOptions = {}): Promise<Evaluation> {
      checkOptions('trainOnBatch', options, BATCH);
      if (y === undefined) checkSeparate(network, x, 'trainOnBatch');
      return trainOnBatch(network, await session.settings('trainOnBatch'), { ...options, x, y });
    },
    async predictOnBatch(x: ModelValues, options: Pick<PredictOptions, 'mask'> = {}): Promise<Tensor> {
      checkOptions('predictOnBatch', options, PREDICT_BATCH);
      await ready();
      const inputs = inputsOf(network, x);
      return whole.predict(inputs, { ...options, batchSize: countOf(inputs) });
    },
    save: (path: string, extras: SaveExtras = {}) => session.save(path, extras),
  };
  const whole = Object.assign(network, methods) as N & Trainable;
  return whole;
}

/** The prediction methods with checks of option names and of values that are not numbers. */
function checked({ predict, predictAll, predictArray }: Runnable): Runnable {
  const checking =
    <T>(run: (x: ModelValues, options?: PredictOptions) => Promise<T>) =>
    async (x: ModelValues, options: PredictOptions = {}): Promise<T> => {
      checkOptions('predict', options, PREDICT);
      try {
        return await run(x, options);
      } catch (error) {
        throw notNumbers('x', x) ?? error;
      }
    };
  return {
    predict: checking(predict),
    predictAll: checking(predictAll),
    predictArray: checking(predictArray) as Runnable['predictArray'],
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
    batchSize: countOf(data.x as Tensor[]),
    shuffle: false,
    seed: settings.memory.updates, // a different dropout mask for every batch
    onWarning: () => {},
  });
  const values = Object.entries(metrics).map(([name, [value]]) => [name, value] as const);
  return { loss: loss[0], ...Object.fromEntries(values) };
}

type Data = (Examples & { batches?: undefined }) | { batches: Batches };

/** Parses the arguments (x, y, options) or (batches, options). @param known the options of the method */
function dataOf<O extends ExampleOptions>(
  network: Network,
  loss: CompileOptions['loss'],
  first: ModelValues | ExampleBatches,
  rest: readonly unknown[],
  method: string,
  known: OptionTypes<O>,
): { data: Data; options: O } {
  const batches = isBatches(first);
  if (!batches && isMissing(rest[0], outputNames(network) ?? [])) {
    checkSeparate(network, first, method);
    throw valueError(`${method}: y is missing. Pass the targets after x, as in ${method}(x, y, options).`);
  }
  const options = (rest[batches ? 0 : 1] ?? {}) as O;
  checkOptions(method, options, known);
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

/** @throws UnrollError `value` for `fit({ x, y })`, unless the model has inputs of these names */
function checkSeparate(network: Network, first: ModelValues | ExampleBatches, method: string): void {
  if (!isPlain(first) || !('x' in first && 'y' in first)) return;
  if ((network as InputSignature).inputNames?.includes('x')) return;
  const others = Object.keys(first).filter((name) => name !== 'x' && name !== 'y');
  const options = others.length === 0 ? '' : `, { ${others.join(', ')} }`;
  throw valueError(
    `${method} takes x and y as separate arguments, got ${formatValue(first)}. Write ${method}(x, y${options}).`,
  );
}

/** True if the argument y is missing: undefined, or the options in its place. */
function isMissing(y: unknown, outputs: readonly string[]): boolean {
  if (y === undefined) return true;
  if (!isPlain(y)) return false;
  return Object.keys(y).every((name) => Object.hasOwn(FIT, name) && !outputs.includes(name));
}

/** The number of examples. */
function countOf(inputs: readonly Tensor[]): number {
  return inputs[0].shape[0] || 1;
}

function verbosity(verbose: NonNullable<FitOptions['verbose']>): Callback[] {
  if (verbose === 0) return [];
  if (verbose === 2) return [progress({ format: 'lines' })];
  const { process } = globalThis as { process?: { stdout?: { isTTY?: boolean } } };
  return verbose === 1 || process?.stdout?.isTTY ? [progress()] : [];
}
