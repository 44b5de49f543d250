/**
 * Finds the cause of a loss or gradient that is not finite. It checks the data and the weights, then runs the batch again
 * and checks the output of every layer and, in the backward pass, its gradient. The first value that is not finite
 * identifies the layer. A normal step only tests the loss and the norm of the gradients.
 */
import {
  type ForwardContext,
  keep,
  type MaskedSequence,
  type Model,
  type ModelState,
  type Parameter,
  scope,
  type Tensor,
  UnrollError,
} from '@unroll/core';
import { apply1, hostValues, type Op, Tape } from '@unroll/core/internal';
import type { PreparedBatch } from './batches.js';
import { LOSS_PREFIX } from './losses/parameters.js';
import type { Objective } from './objective.js';
import type { ForwardPass } from './pass.js';

/** The step with a loss or gradient that is not finite. */
export interface FailedStep {
  epoch: number;
  step: number;
  loss: number;
  /** Absent in validation. */
  gradientNorm?: number;
}

/** The cause of a failure: the first value that is not finite. */
interface Cause {
  /** A sentence that describes the cause, without epoch and step. */
  text: string;
  /** The layer, parameter or input with this value, as fields for the `data` of the error. */
  data: Record<string, unknown>;
  /** A sentence that says what to do. */
  remedy: string;
}

const EXPLOSION_REMEDY = 'Clip the gradients (clip: { globalNorm: 1 }) or lower the learning rate.';
const DATA_REMEDY = 'Look for missing values in the data.';

/**
 * Returns the error for a failed step, with its cause.
 * @param forward runs the forward pass of the step again, with the same dropout masks
 */
export async function explainNonFinite(
  model: Model,
  objective: Objective,
  batch: PreparedBatch,
  forward: ForwardPass,
  failed: FailedStep,
): Promise<UnrollError> {
  const { epoch, step, loss, gradientNorm } = failed;
  const cause =
    findBadData(batch) ??
    (await findBadWeights([...model.parameters, ...objective.parameters])) ??
    (await findBadLayer(model, objective, batch, forward));
  const lossName = gradientNorm === undefined ? 'The validation loss' : 'The loss';
  const subject = Number.isFinite(loss) ? 'The gradient' : lossName;
  const { text, data, remedy } = cause ?? {
    text: 'Its cause is unknown: running the batch again gave finite values.',
    data: {},
    remedy: EXPLOSION_REMEDY,
  };
  return new UnrollError(
    'nan',
    `${subject} is not finite at epoch ${epoch}, step ${step} (batch of ${batch.examples} examples). ${text} ${remedy}`,
    {
      ...{ epoch, step, loss },
      ...(gradientNorm !== undefined && { gradientNorm }),
      examples: batch.examples,
      ...data,
    },
  );
}

/**
 * Throws if a parameter is not finite. The error names the epoch and its last completed step. If `step` is 0, it names the end
 * of the previous epoch.
 */
export async function checkWeights(
  parameters: readonly Parameter[],
  { epoch, step }: { epoch: number; step: number },
): Promise<void> {
  const cause = await findBadWeights(parameters);
  if (!cause) return;
  const where = step === 0 ? `at the end of epoch ${epoch - 1}` : `at epoch ${epoch}, step ${step}`;
  throw new UnrollError('nan', `${cause.text} Found ${where}. ${cause.remedy}`, {
    epoch,
    step,
    ...cause.data,
  });
}

/** Returns the index of the first value that is not finite; -1 if all are finite. */
function firstNonFinite(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

/** Returns true if the tensor exists and contains a value that is not finite. */
async function hasNonFinite(tensor: Tensor | undefined): Promise<boolean> {
  return tensor !== undefined && firstNonFinite(await tensor.data()) >= 0;
}

/** Returns the first value of the batch that is not finite. */
function findBadData(batch: PreparedBatch): Cause | null {
  const groups = { x: batch.inputs, y: batch.targets, sampleWeights: batch.weights, mask: batch.masks };
  for (const [name, tensors] of Object.entries(groups)) {
    for (const tensor of tensors) {
      const values = tensor ? hostValues(tensor, name) : [];
      const index = firstNonFinite(values);
      if (index < 0) continue;
      const row = Math.floor(index / (values.length / batch.examples));
      const example = batch.indices?.[row];
      const where =
        example === undefined
          ? `the example at index ${row} of the batch`
          : `the example at index ${example}`;
      return {
        text: `${name} has the value ${values[index]} in ${where}.`,
        data: { [name]: values[index], row, ...(example !== undefined && { example }) },
        remedy: DATA_REMEDY,
      };
    }
  }
  return null;
}

/** Returns the first parameter that is not finite. */
async function findBadWeights(parameters: readonly Parameter[]): Promise<Cause | null> {
  for (const parameter of parameters) {
    if (!(await hasNonFinite(parameter))) continue;
    return {
      text: `The weights ${parameter.name} of ${ownerOf(parameter.name)} became non-finite in an earlier update.`,
      data: { layer: layerOf(parameter.name), parameter: parameter.name },
      remedy: EXPLOSION_REMEDY,
    };
  }
  return null;
}

/** The members of a layer of @unroll/nn that are used here. */
interface LayerLike {
  readonly name: string;
  readonly sublayers?: readonly LayerLike[];
  invoke(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[];
  /** Called instead of `invoke` in truncated backpropagation through time. */
  streamStep(
    inputs: readonly MaskedSequence[],
    memory: ModelState,
    context: ForwardContext,
  ): MaskedSequence[];
}

/** Returns x, as the output of an identity op that calls `onGradient` in the backward pass. */
function reportGradient(x: Tensor, onGradient: (grad: Tensor) => void): Tensor {
  const op: Op<null, readonly [Tensor]> = {
    name: 'probe',
    view: true,
    shapes: ([shape]) => [shape],
    forward: () => null,
    backward({ grads: [grad] }) {
      onGradient(grad);
      return [grad];
    },
  };
  return apply1(op, [x], null);
}

/** Runs `work`. While it runs, the outputs of every layer are replaced by the result of `onOutputs`. */
function watchLayers<T>(
  layers: readonly LayerLike[],
  prefix: string,
  onOutputs: (layer: string, outputs: MaskedSequence[]) => MaskedSequence[],
  work: () => T,
): T {
  const restoreMethods: (() => void)[] = [];
  const wrap = (layer: LayerLike, path: string): void => {
    if (Object.hasOwn(layer, 'invoke')) return; // a shared layer is already wrapped
    const { invoke, streamStep } = layer;
    layer.invoke = (...call) => onOutputs(path, invoke.apply(layer, call));
    layer.streamStep = (...call) => onOutputs(path, streamStep.apply(layer, call));
    restoreMethods.push(() => {
      Reflect.deleteProperty(layer, 'invoke');
      Reflect.deleteProperty(layer, 'streamStep');
    });
    for (const inner of layer.sublayers ?? []) wrap(inner, `${path}/${inner.name}`);
  };
  try {
    for (const layer of layers) wrap(layer, `${prefix}${layer.name}`);
    return work();
  } finally {
    for (const restore of restoreMethods) restore();
  }
}

/** An output of a layer, or the gradient of the loss with respect to it. */
interface LayerTensor {
  layer: string;
  tensor: Tensor;
}

/** The results of running a batch again. */
interface Replay {
  /** Outputs of all layers, in the order of the forward pass. */
  outputs: readonly LayerTensor[];
  /** The loss of each output of the model that has a loss. */
  losses: readonly Tensor[];
  /** Gradients with respect to the outputs of layers, in the order of the backward pass. */
  outputGradients: readonly LayerTensor[];
  /** Gradients with respect to the parameters that have one. */
  gradients: ReadonlyMap<Tensor, Tensor>;
}

/** Runs the forward and the backward pass of a batch again. */
function replay(model: Model, objective: Objective, batch: PreparedBatch, forward: ForwardPass): Replay {
  const { sublayers = [] } = model as { sublayers?: readonly LayerLike[] };
  const outputs: LayerTensor[] = [];
  const outputGradients: LayerTensor[] = [];
  const onOutputs = (layer: string, sequences: MaskedSequence[]): MaskedSequence[] =>
    sequences.map(({ value, mask }) => {
      outputs.push({ layer, tensor: keep(value) });
      const onGradient = (gradient: Tensor): void =>
        void outputGradients.push({ layer, tensor: keep(gradient) });
      return { value: reportGradient(value, onGradient), mask };
    });
  return scope(() => {
    const tape = new Tape();
    const terms: Tensor[] = [];
    const { total, parts } = watchLayers(sublayers, '', onOutputs, () =>
      tape.recordDuring(() => {
        const hooks = { addLoss: (term: Tensor) => void terms.push(term), afterStep: () => {} };
        const result = forward(hooks);
        return objective.compute(result.outputs, batch, terms, result.context);
      }),
    );
    return { outputs, losses: parts, outputGradients, gradients: tape.gradients(total) };
  });
}

/** Runs the batch again and returns the first output, loss or gradient that is not finite. */
async function findBadLayer(
  model: Model,
  objective: Objective,
  batch: PreparedBatch,
  forward: ForwardPass,
): Promise<Cause | null> {
  const { outputs, losses, outputGradients, gradients } = replay(model, objective, batch, forward);
  for (const { layer, tensor } of outputs) {
    const values = await tensor.data();
    const index = firstNonFinite(values);
    if (index >= 0)
      return explosion(`The output of layer ${layer} has the value ${values[index]}.`, { layer });
  }
  for (const [i, output] of objective.outputs.entries()) {
    const [loss] = await losses[i].data();
    if (!Number.isFinite(loss)) return badLossCause(output, loss);
  }
  return findBadGradient([...model.parameters, ...objective.parameters], gradients, outputGradients);
}

/** Returns a cause whose remedy is to limit the gradients. */
function explosion(text: string, data: Record<string, unknown>): Cause {
  return { text, data, remedy: EXPLOSION_REMEDY };
}

function badLossCause({ name, loss }: Objective['outputs'][number], value: number): Cause {
  return explosion(
    `Every layer's output is finite, but the loss ${loss.name} of the output "${name}" is ${value}.`,
    {
      output: name,
    },
  );
}

/** Returns the first gradient of the backward pass that is not finite: that of a layer's output, or that of weights. */
async function findBadGradient(
  parameters: readonly Parameter[],
  gradients: Replay['gradients'],
  outputGradients: Replay['outputGradients'],
): Promise<Cause | null> {
  const badParameters: Parameter[] = [];
  for (const parameter of parameters)
    if (await hasNonFinite(gradients.get(parameter))) badParameters.push(parameter);
  for (const { layer, tensor } of outputGradients) {
    if (await hasNonFinite(tensor))
      return explosion(`The gradient at the output of layer ${layer} is not finite.`, { layer });
    const badParameter = badParameters.find(({ name }) => name.startsWith(`${layer}/`));
    if (badParameter) return weightGradientCause(badParameter.name);
  }
  return badParameters[0] ? weightGradientCause(badParameters[0].name) : null;
}

function weightGradientCause(parameter: string): Cause {
  const layer = layerOf(parameter);
  return explosion(`The gradient of the weights ${parameter} of ${ownerOf(parameter)} is not finite.`, {
    layer,
    parameter,
  });
}

/**
 * Describes the owner of a parameter: `layer encoder/lstm` for `encoder/lstm/kernel`, `the loss of the output "tag"` for
 * `loss/tag/temperature`.
 */
function ownerOf(parameter: string): string {
  const owner = layerOf(parameter);
  return owner.startsWith(LOSS_PREFIX)
    ? `the loss of the output "${owner.slice(LOSS_PREFIX.length)}"`
    : `layer ${owner}`;
}

/** Returns the path of a parameter's layer: `encoder/lstm` for `encoder/lstm/kernel`. */
function layerOf(parameter: string): string {
  return parameter.split('/').slice(0, -1).join('/') || parameter;
}
