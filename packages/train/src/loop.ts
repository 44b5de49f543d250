/**
 * The training loop. Each step computes gradients; an update follows after `accumulate` steps and at the end of an epoch.
 * The methods of the class share the state of a run, so they are in one file.
 */
import { type Model, type Parameter, type RandomStream, ready, type Shape } from '@unroll/core';
import { inferenceContext, yieldIfDue } from '@unroll/core/internal';
import {
  type BatchSource,
  type ExampleRange,
  inputShapes,
  type PreparedBatch,
  type PrepareInputs,
  withPreparedInputs,
} from './batches.js';
import type { JsonValue, RunControl, SavedTensor } from './callbacks/callback.js';
import { captureStates, restoreStates, saveStates } from './carried.js';
import type { Clip } from './clip.js';
import { environmentOf, environmentWarning } from './environment.js';
import { measure, outputNames } from './evaluate.js';
import { type EndReason, type EpochEvent, metricsOf, type StepEvent, type TrainEvent } from './events.js';
import { fingerprintOfRange } from './fingerprint.js';
import { checkWeights, explainNonFinite } from './guard.js';
import {
  allParameters,
  type LossValues,
  Objective,
  type ObjectiveOptions,
  type OutputLoss,
  resolveLosses,
} from './objective.js';
import type { AverageOptions } from './optimizers/average.js';
import type { Optimizer } from './optimizers.js';
import { type ForwardPass, sequencesOf, type TrainingStep, wholeBatchStep } from './pass.js';
import { type MetricOptions, Scores } from './scores.js';
import {
  awaitTensors,
  type Cursor,
  checkSettings,
  type RunSettings,
  type RunSnapshot,
  restoreBuffers,
  restoreWeights,
  saveBuffers,
  saveWeights,
} from './snapshot.js';
import { type GradientHook, type OptimizerMemory, Stepper, type StepResult } from './step.js';
import { type TruncateOptions, Truncation } from './truncate.js';
import { Warnings } from './warnings.js';

/** The options of `train`, resolved and with their defaults; null: none. */
export interface LoopOptions {
  training: BatchSource;
  validation: BatchSource | null;
  /** All training examples; null if the data are an iterable. */
  range: ExampleRange | null;
  objective: ObjectiveOptions & MetricOptions;
  optimizer: Optimizer;
  clip: Clip | null;
  /** The random stream of the run; shuffling and dropout use its children. */
  random: RandomStream;
  seed: number;
  epochs: number;
  shuffle: boolean;
  batchSize: number;
  accumulate: number;
  truncate: TruncateOptions | null;
  signal: AbortSignal | null;
  prepareInputs: PrepareInputs | null;
  beforeUpdate: GradientHook | null;
  memory: OptimizerMemory;
  average: AverageOptions | null;
  resume: RunSnapshot | null;
  window: number | null;
  extra: JsonValue;
}

/** The time at which the epoch began or was resumed, and the number of examples processed since then. */
interface Pace {
  startTime: number;
  examples: number;
}

/** One run: its state, its events and the controls for callbacks. */
export class Loop implements RunControl {
  readonly model: Model;
  learningRateScale = 1;
  readonly #options: LoopOptions;
  readonly #objective: Objective;
  /** Class weights apply to training only, not to validation. */
  readonly #validationObjective: Objective;
  readonly #scores: Scores;
  readonly #warnings: Warnings;
  /** Null: every step processes a whole batch. */
  readonly #truncation: Truncation | null;
  #stepper: Stepper | null = null;
  #inputShapes: readonly Shape[] = [];
  #cursor: Cursor = { epoch: 1, step: 0, finished: false };
  /** Number of steps per epoch; null for an iterable until its first epoch has ended. */
  #steps: number | null;
  #stopped = false;
  #fingerprint: string | null = null;

  constructor(model: Model, options: LoopOptions) {
    this.model = model;
    this.#options = options;
    const names = outputNames(model);
    const { classWeights: _, ...unweighted } = options.objective;
    const loss = resolveLosses(unweighted.loss); // both objectives share the losses and their parameters
    this.#objective = new Objective({ ...options.objective, loss }, names);
    this.#validationObjective = new Objective({ ...unweighted, loss }, names);
    this.#scores = new Scores(this.#objective, options.objective, names);
    this.#warnings = new Warnings(model, options, this.#objective);
    const { truncate } = options;
    const streamOf = (epoch: number, batch: number) => options.random.child('dropout', epoch, batch);
    this.#truncation = truncate && new Truncation(model, truncate, this.#objective, streamOf);
    this.#steps = this.#stepsOf(options);
  }

  /** Returns the number of steps per epoch; null if it is unknown before the first epoch has ended. */
  #stepsOf({ training, range }: LoopOptions): number | null {
    if (!this.#truncation) return training.steps;
    if (!range || training.steps === null) return null;
    return training.steps * this.#truncation.chunksOf(range.inputs.map(({ shape }) => shape));
  }

  /** Names of the metrics in epoch events, which callbacks can monitor. */
  get metricNames(): string[] {
    const metrics = Object.fromEntries(this.#scores.names.map((name) => [name, 0]));
    const validation = this.#options.validation && { validationLoss: 0, validationMetrics: metrics };
    return Object.keys(metricsOf({ loss: 0, metrics, ...validation }));
  }

  get parameters(): readonly Parameter[] {
    return allParameters(this.model, this.#objective);
  }

  stop(): void {
    this.#stopped = true;
  }

  async weights(): Promise<Record<string, SavedTensor>> {
    const read = () => saveWeights(this.parameters);
    return awaitTensors(this.#stepper ? this.#stepper.readAverage(read) : read());
  }

  async gradients(): Promise<Record<string, SavedTensor>> {
    return this.#stepper ? this.#stepper.readGradients() : {};
  }

  /** Runs the training and yields its events. */
  async *events(): AsyncGenerator<TrainEvent, void, void> {
    await ready();
    const { resume, range, epochs } = this.#options;
    if (resume) await this.#restore(resume);
    else if (range) this.#start(inputShapes(range.inputs));
    yield* await this.#warnings.take();
    while (!this.#cursor.finished && this.#cursor.epoch <= epochs && !this.#ending) yield* this.#epoch();
    if (this.#stopped) this.#cursor.finished = true;
    if (this.#cursor.finished || this.#cursor.epoch > epochs) this.#stepper?.commitAverage();
    const doneOrAborted: EndReason = this.#cursor.epoch > epochs ? 'done' : 'aborted';
    const reason = this.#cursor.finished ? 'stopped' : doneOrAborted;
    yield { type: 'end', reason, completed: reason !== 'aborted' };
  }

  get #ending(): boolean {
    return this.#stopped || this.#options.signal?.aborted === true;
  }

  /** Builds the model and the losses and creates the stepper, unless this is already done. */
  #start(shapes: readonly Shape[]): Stepper {
    if (this.#stepper) return this.#stepper;
    this.model.build(shapes);
    this.#objective.build(this.model, shapes);
    this.#truncation?.checkBuilt(shapes);
    this.#inputShapes = shapes;
    const { optimizer, clip, accumulate, memory, average } = this.#options;
    return (this.#stepper = new Stepper(this.model, {
      objective: this.#objective,
      optimizer,
      clip,
      accumulate,
      memory,
      average,
    }));
  }

  /** Runs the current epoch from the current step on. */
  async *#epoch(): AsyncGenerator<TrainEvent, void, void> {
    const { training } = this.#options;
    const { epoch } = this.#cursor;
    const pace: Pace = { startTime: performance.now(), examples: 0 };
    for await (const batch of training.epoch(epoch, this.#truncation?.batches ?? this.#cursor.step)) {
      for (const trainingStep of this.#trainingSteps(await this.#prepare(batch))) {
        const event = await this.#step(trainingStep, pace);
        yield* await this.#warnings.take();
        yield event;
        if (this.#ending && !trainingStep.batch.last) return;
      }
    }
    this.#steps ??= this.#cursor.step;
    if (this.#ending) return;
    const event = await this.#finishEpoch(pace);
    if (event === null) return;
    yield* await this.#warnings.take();
    yield event;
  }

  /** Applies the option `prepareInputs` to a batch. */
  async #prepare(batch: PreparedBatch): Promise<PreparedBatch> {
    const { prepareInputs, random } = this.#options;
    if (!prepareInputs) return batch;
    const { epoch } = this.#cursor;
    const step = this.#cursor.step + 1;
    const { updates } = this.#start(inputShapes(batch.inputs));
    return withPreparedInputs(batch, prepareInputs, {
      ...{ epoch, step, updates, random: random.child('inputs', epoch, step) },
    });
  }

  /** Returns the training steps for a batch. */
  #trainingSteps(batch: PreparedBatch): Iterable<TrainingStep> {
    this.#start(inputShapes(batch.inputs));
    const { epoch, step } = this.#cursor;
    if (this.#truncation) return this.#truncation.trainingSteps(batch, epoch);
    const makeStream = () => this.#options.random.child('dropout', epoch, step + 1);
    return [wholeBatchStep(this.model, batch, makeStream)];
  }

  /** Processes one step: computes its gradients, and makes an update if enough steps are accumulated or the epoch ends. */
  async #step(trainingStep: TrainingStep, pace: Pace): Promise<StepEvent> {
    const { epochs, beforeUpdate } = this.#options;
    const { batch, forward, wholeBatch } = trainingStep;
    const stepper = this.#start(inputShapes(wholeBatch.inputs));
    const { epoch } = this.#cursor;
    const step = this.#cursor.step + 1;
    let afterStep: (() => void | Promise<void>)[] = [];
    const restoreCarried = captureStates(this.model);
    const computed = await stepper.computeGradients(
      trainingStep,
      (work) => void afterStep.push(work),
      (outputs) => {
        this.#warnings.checkBatch(wholeBatch, outputs);
        this.#scores.collect(outputs, batch);
      },
    );
    if (!computed) afterStep = [];
    const updated = stepper.isUpdatePending && (stepper.isUpdateDue || batch.last);
    const result = computed ?? (await paddingResult(stepper, updated));
    const { losses } = result;
    let { gradientNorm } = result;
    /** Returns the error for a loss or gradient that is not finite. */
    const explain = (): Promise<Error> => {
      restoreCarried();
      const failed = { epoch, step, loss: losses.loss, gradientNorm: result.gradientNorm };
      return explainNonFinite(this.model, this.#objective, batch, forward, failed);
    };
    if (!(Number.isFinite(losses.loss) && Number.isFinite(gradientNorm))) throw await explain();
    if (computed) await this.#scores.add(losses);
    if (updated && beforeUpdate) {
      gradientNorm = await stepper.runHook(beforeUpdate);
      if (!Number.isFinite(gradientNorm)) throw await explain();
    }
    await yieldIfDue();
    const clipped = updated && (await stepper.update(gradientNorm, this.learningRateScale));
    for (const work of afterStep) await work();
    this.#cursor.step = step;
    trainingStep.done();
    pace.examples += batch.examples / trainingStep.stepsPerBatch;
    return this.#stepEvent(losses, batch.examples, { gradientNorm, epochs, updated, clipped }, pace);
  }

  #stepEvent(
    { loss }: LossValues,
    examples: number,
    result: { gradientNorm: number; epochs: number; updated: boolean; clipped: boolean },
    pace: Pace,
  ): StepEvent {
    const { epoch, step } = this.#cursor;
    const seconds = Math.max(performance.now() - pace.startTime, 1e-3) / 1000;
    return {
      type: 'step',
      epoch,
      epochs: result.epochs,
      step,
      steps: this.#steps,
      updates: this.#stepper!.updates,
      updated: result.updated,
      loss,
      gradientNorm: result.gradientNorm,
      clipped: result.clipped,
      learningRate: this.#learningRate,
      examples,
      sequencesPerSecond: pace.examples / seconds,
    };
  }

  get #learningRate(): number {
    return this.#stepper!.rate * this.learningRateScale;
  }

  /** Runs validation and returns the event of the epoch; null if the run was stopped or aborted during validation. */
  async #finishEpoch(pace: Pace): Promise<EpochEvent | null> {
    const { validation, epochs } = this.#options;
    const { epoch } = this.#cursor;
    await checkWeights(this.parameters, this.#cursor);
    const validate = (source: BatchSource) =>
      measure(
        this.model,
        this.#validationObjective,
        this.#scores,
        source,
        () => this.#ending,
        (batch, parts) => this.#checkValidation(batch, parts),
      );
    const measured = validation && (await this.#stepper!.withAverage(() => validate(validation)));
    if (validation && !measured) return null;
    const event: EpochEvent = {
      type: 'epoch',
      epoch,
      epochs,
      loss: this.#scores.loss,
      metrics: this.#scores.metrics,
      learningRate: this.#learningRate,
      seconds: (performance.now() - pace.startTime) / 1000,
    };
    if (measured) {
      event.validationLoss = measured.loss;
      event.validationMetrics = measured.metrics;
    }
    this.#scores.reset();
    this.#cursor = { epoch: epoch + 1, step: 0, finished: false };
    this.#truncation?.reset();
    return event;
  }

  /** Throws if a validation loss is not finite. */
  async #checkValidation(batch: PreparedBatch, parts: readonly OutputLoss[]): Promise<void> {
    const badLoss = parts.find(({ loss }) => !Number.isFinite(loss));
    if (!badLoss) return;
    const { epoch, step } = this.#cursor;
    const failed = { epoch, step, loss: badLoss.loss };
    const forward: ForwardPass = ({ addLoss }) => {
      const context = inferenceContext(addLoss);
      return { outputs: this.model.forward(sequencesOf(batch), context), context };
    };
    throw await explainNonFinite(this.model, this.#validationObjective, batch, forward, failed);
  }

  get #settings(): RunSettings {
    const { optimizer, seed, shuffle, batchSize, accumulate, truncate, range } = this.#options;
    const examples = range?.count ?? null;
    const settings = { optimizer: optimizer.name, seed, shuffle, batchSize, accumulate, examples };
    if (!truncate) return settings;
    return { ...settings, truncate: `every ${truncate.every}, length ${truncate.length}` };
  }

  async snapshot(): Promise<RunSnapshot | null> {
    const stepper = this.#stepper;
    if (!stepper) return null;
    // Copy all state and start all reads before the first await, because the run may continue in the meantime.
    const reads = [
      ...saveWeights(this.parameters),
      ...saveBuffers(stepper.buffers),
      ...saveStates(this.model),
      ...(this.#truncation?.saveTensors() ?? []),
    ];
    const state = {
      // If a callback has stopped the run at this event, the run is complete, even if the process ends before the end event.
      cursor: { ...this.#cursor, finished: this.#cursor.finished || this.#stopped },
      settings: this.#settings,
      inputShapes: this.#inputShapes,
      learningRateScale: this.learningRateScale,
      stepper: stepper.state,
      scores: this.#scores.state,
      environment: environmentOf(),
      ...(this.#truncation && { truncation: this.#truncation.state }),
      extra: this.#options.extra,
    };
    return { ...state, fingerprint: await this.#dataFingerprint(), tensors: await awaitTensors(reads) };
  }

  async #dataFingerprint(): Promise<string | null> {
    const { range } = this.#options;
    if (!range) return null;
    return (this.#fingerprint ??= await fingerprintOfRange(range));
  }

  async #restore(saved: RunSnapshot): Promise<void> {
    checkSettings(saved.settings, this.#settings);
    const stepper = this.#start(saved.inputShapes);
    restoreWeights(this.parameters, saved.tensors);
    restoreBuffers(stepper.buffers, saved.tensors);
    restoreStates(this.model, saved.tensors);
    if (saved.truncation) this.#truncation?.restore(saved.truncation, saved.tensors);
    stepper.state = saved.stepper;
    this.#scores.state = saved.scores;
    this.#cursor = { ...saved.cursor };
    this.learningRateScale = saved.learningRateScale;
    this.#warnings.add('environment-changed', environmentWarning(saved.environment, environmentOf()));
    if (saved.fingerprint !== (await this.#dataFingerprint())) {
      this.#warnings.add(
        'data-changed',
        'The training data differ from those of the checkpoint. The run continues with the new data, so its results ' +
          'will differ from those of an uninterrupted run.',
      );
    }
  }
}

/** Returns the result of a step that has only padding. @param updated true if accumulated gradients update the weights */
async function paddingResult(stepper: Stepper, updated: boolean): Promise<StepResult> {
  const losses = { loss: 0, parts: [], added: 0, count: 0, examples: 0 };
  return { losses, gradientNorm: updated ? await stepper.takeAccumulated() : 0 };
}
