/**
 * Stops a run at values that are not finite, and finds their cause. If a loss or a gradient is not finite, the batch
 * is run again with a check after every layer. The first output (in the backward pass: the first gradient) that is
 * not finite identifies the layer. A normal step only tests two numbers.
 */
import {
  type ForwardContext,
  keep,
  type MaskedSequence,
  type Model,
  type Parameter,
  scope,
  type Tensor,
  UnrollError,
} from '@unroll/core';
import { apply1, hostValues, type Op, Tape } from '@unroll/core/internal';
import type { PreparedBatch } from './batches.js';
import { LOSS_PREFIX } from './losses/parameters.js';
import type { Objective } from './objective.js';
import type { ContextWith } from './step.js';

/** Epoch and step of a value that is not finite. */
export interface Sighting {
  epoch: number;
  step: number;
  loss: number;
  /** Absent in validation. */
  gradientNorm?: number;
}

/** The first value that is not finite. */
interface Finding {
  /** A sentence about it, without epoch and step. */
  text: string;
  /** The layer, parameter or data that it concerns. */
  data: Record<string, unknown>;
  remedy: string;
}

const BLOWN_UP = 'Clip the gradients (clip: { globalNorm: 1 }) or lower the learning rate.';
const IN_DATA = 'Look for missing values in the data.';

/** The error with layer, step and batch. @param contextWith recreates the context of the step */
export async function explainNonFinite(
  model: Model,
  objective: Objective,
  batch: PreparedBatch,
  contextWith: ContextWith,
  seen: Sighting,
): Promise<UnrollError> {
  const { epoch, step, loss, gradientNorm } = seen;
  const found =
    badData(batch) ??
    (await badWeights([...model.parameters, ...objective.parameters])) ??
    (await badLayer(model, objective, batch, contextWith));
  const whatLoss = gradientNorm === undefined ? 'The validation loss' : 'The loss';
  const what = Number.isFinite(loss) ? 'The gradient' : whatLoss;
  const { text, data, remedy } = found ?? {
    text: 'Running the batch again gave finite values.',
    data: {},
    remedy: BLOWN_UP,
  };
  return new UnrollError(
    'nan',
    `${what} is not finite at epoch ${epoch}, step ${step} (a batch of ${batch.examples}). ${text} ${remedy}`,
    {
      ...{ epoch, step, loss },
      ...(gradientNorm !== undefined && { gradientNorm }),
      examples: batch.examples,
      ...data,
    },
  );
}

/** Throws if a parameter is not finite. Called after the update that caused it. */
export async function checkWeights(
  parameters: readonly Parameter[],
  { epoch, step }: { epoch: number; step: number },
): Promise<void> {
  const found = await badWeights(parameters);
  if (!found) return;
  const where = step === 0 ? `at the end of epoch ${epoch - 1}` : `at epoch ${epoch}, step ${step}`;
  throw new UnrollError('nan', `${found.text} Found ${where}. ${found.remedy}`, {
    epoch,
    step,
    ...found.data,
  });
}

/** Index of the first value that is not finite; -1 if there is none. */
function firstBad(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

/** True if a tensor exists and contains a value that is not finite. */
async function isBad(tensor: Tensor | undefined): Promise<boolean> {
  return tensor !== undefined && firstBad(await tensor.data()) >= 0;
}

function badData(batch: PreparedBatch): Finding | null {
  const groups = { x: batch.inputs, y: batch.targets, sampleWeights: batch.weights, mask: batch.masks };
  for (const [name, tensors] of Object.entries(groups)) {
    for (const tensor of tensors) {
      const values = tensor ? hostValues(tensor, name) : [];
      const at = firstBad(values);
      if (at < 0) continue;
      const row = Math.floor(at / (values.length / batch.examples));
      const example = batch.rows?.[row];
      const where = example === undefined ? `example ${row} of the batch` : `example ${example}`;
      return {
        text: `${name} has the value ${values[at]} in ${where}.`,
        data: { [name]: values[at], row, ...(example !== undefined && { example }) },
        remedy: IN_DATA,
      };
    }
  }
  return null;
}

async function badWeights(parameters: readonly Parameter[]): Promise<Finding | null> {
  for (const parameter of parameters) {
    if (!(await isBad(parameter))) continue;
    return {
      text: `The weights ${parameter.name} of ${ownerOf(parameter.name)} became non-finite in an earlier update.`,
      data: { layer: layerOf(parameter.name), parameter: parameter.name },
      remedy: BLOWN_UP,
    };
  }
  return null;
}

/** The members of a layer that the guard uses; layers of @unroll/nn have them. */
interface LayerLike {
  readonly name: string;
  readonly sublayers?: readonly LayerLike[];
  invoke(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[];
}

/** An identity op that reports its gradient. */
function probe(x: Tensor, onGradient: (grad: Tensor) => void): Tensor {
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

/** Runs `work` with the outputs of every layer passed through `see`. */
function watchLayers<T>(
  layers: readonly LayerLike[],
  prefix: string,
  see: (layer: string, outputs: MaskedSequence[]) => MaskedSequence[],
  work: () => T,
): T {
  const undo: (() => void)[] = [];
  const wrap = (layer: LayerLike, path: string): void => {
    if (Object.hasOwn(layer, 'invoke')) return; // used several times
    const own = layer.invoke;
    layer.invoke = (inputs, context) => see(path, own.call(layer, inputs, context));
    undo.push(() => void Reflect.deleteProperty(layer, 'invoke'));
    for (const inner of layer.sublayers ?? []) wrap(inner, `${path}/${inner.name}`);
  };
  try {
    for (const layer of layers) wrap(layer, `${prefix}${layer.name}`);
    return work();
  } finally {
    for (const restore of undo) restore();
  }
}

/** A value or gradient at the output of a layer. */
interface AtOutput {
  layer: string;
  tensor: Tensor;
}

/** The results of running a batch again. */
interface Replay {
  /** In the order of the forward pass. */
  outputs: readonly AtOutput[];
  losses: readonly Tensor[];
  /** Gradients at outputs, in the order of the backward pass. */
  arrived: readonly AtOutput[];
  /** Gradients of the parameters that have one. */
  gradients: ReadonlyMap<Tensor, Tensor>;
}

function replay(model: Model, objective: Objective, batch: PreparedBatch, contextWith: ContextWith): Replay {
  const { sublayers = [] } = model as { sublayers?: readonly LayerLike[] };
  const outputs: AtOutput[] = [];
  const arrived: AtOutput[] = [];
  const see = (layer: string, sequences: MaskedSequence[]): MaskedSequence[] =>
    sequences.map(({ value, mask }) => {
      outputs.push({ layer, tensor: keep(value) });
      return { value: probe(value, (tensor) => void arrived.push({ layer, tensor: keep(tensor) })), mask };
    });
  return scope(() => {
    const tape = new Tape();
    const terms: Tensor[] = [];
    const { total, parts } = watchLayers(sublayers, '', see, () =>
      tape.recordDuring(() => {
        const sequences: MaskedSequence[] = batch.inputs.map((value, i) => ({
          value,
          mask: batch.masks[i] ?? null,
        }));
        const context = contextWith((term) => void terms.push(term));
        return objective.compute(model.forward(sequences, context), batch, terms);
      }),
    );
    return { outputs, losses: parts, arrived, gradients: tape.gradients(total) };
  });
}

async function badLayer(
  model: Model,
  objective: Objective,
  batch: PreparedBatch,
  contextWith: ContextWith,
): Promise<Finding | null> {
  const { outputs, losses, arrived, gradients } = replay(model, objective, batch, contextWith);
  for (const { layer, tensor } of outputs) {
    const values = await tensor.data();
    const at = firstBad(values);
    if (at >= 0) return blame(`The output of layer ${layer} has the value ${values[at]}.`, { layer });
  }
  for (const [i, output] of objective.outputs.entries()) {
    const [loss] = await losses[i].data();
    if (!Number.isFinite(loss)) return badLoss(output, loss);
  }
  return badGradient([...model.parameters, ...objective.parameters], gradients, arrived);
}

function blame(text: string, data: Record<string, unknown>): Finding {
  return { text, data, remedy: BLOWN_UP };
}

function badLoss({ name, loss }: Objective['outputs'][number], value: number): Finding {
  return blame(`Every layer's output is finite, but the loss ${loss.name} of ${name} is ${value}.`, {
    output: name,
  });
}

/** The first non-finite gradient of the backward pass: at a layer's output, or of its weights. */
async function badGradient(
  all: readonly Parameter[],
  gradients: Replay['gradients'],
  arrived: Replay['arrived'],
): Promise<Finding | null> {
  const parameters: Parameter[] = [];
  for (const own of all) if (await isBad(gradients.get(own))) parameters.push(own);
  for (const { layer, tensor } of arrived) {
    if (await isBad(tensor))
      return blame(`The gradient at the output of layer ${layer} is not finite.`, { layer });
    const own = parameters.find((parameter) => parameter.name.startsWith(`${layer}/`));
    if (own) return badWeightGradient(own.name);
  }
  return parameters[0] ? badWeightGradient(parameters[0].name) : null;
}

function badWeightGradient(parameter: string): Finding {
  const layer = layerOf(parameter);
  return blame(`The gradient of the weights ${parameter} of ${ownerOf(parameter)} is not finite.`, {
    layer,
    parameter,
  });
}

/** `layer encoder/lstm` of `encoder/lstm/kernel`; `the loss of output` of `loss/output/temperature`. */
function ownerOf(parameter: string): string {
  const owner = layerOf(parameter);
  return owner.startsWith(LOSS_PREFIX) ? `the loss of ${owner.slice(LOSS_PREFIX.length)}` : `layer ${owner}`;
}

/** `encoder/lstm` of `encoder/lstm/kernel`. */
function layerOf(parameter: string): string {
  return parameter.split('/').slice(0, -1).join('/') || parameter;
}
