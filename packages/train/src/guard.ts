/**
 * What stops a run whose numbers have gone astray, and says where. When a loss or a gradient is not finite,
 * the batch is run again with a check behind every layer: the first output, or on the way back the first
 * gradient, that is not finite names the layer. Until then a run pays for nothing but the test of two numbers
 * a step.
 */
import {
  type Flow,
  type ForwardContext,
  type Model,
  type Parameter,
  scope,
  type Tensor,
  UnrollError,
} from '@unroll/core';
import { apply1, type Op, Tape } from '@unroll/core/internal';
import type { PreparedBatch } from './batches.js';
import { LOSS_PREFIX } from './losses/parameters.js';
import type { Objective } from './objective.js';
import type { ContextWith } from './step.js';

/** Where in a run something happened, and what was seen. */
export interface Sighting {
  epoch: number;
  step: number;
  loss: number;
  /** Absent: of a validation. */
  gradientNorm?: number;
}

/** What is known of the first number that is not finite. */
interface Finding {
  /** Sentence about it, without the place in the run. */
  text: string;
  /** Layer, parameter or data that it is about. */
  data: Record<string, unknown>;
  remedy: string;
}

const BLOWN_UP = 'Clip the gradients (clip: { globalNorm: 1 }) or lower the learning rate.';
const IN_DATA = 'Look for missing values in the data.';

/** The error that names layer, step and batch. @param contextWith makes the context of the step anew */
export function explainNonFinite(
  model: Model,
  objective: Objective,
  batch: PreparedBatch,
  contextWith: ContextWith,
  seen: Sighting,
): UnrollError {
  const { epoch, step, loss, gradientNorm } = seen;
  const found =
    badData(batch) ??
    badWeights([...model.parameters, ...objective.parameters]) ??
    badLayer(model, objective, batch, contextWith);
  const whatLoss = gradientNorm === undefined ? 'The validation loss' : 'The loss';
  const what = Number.isFinite(loss) ? 'The gradient' : whatLoss;
  const { text, data, remedy } = found ?? {
    text: 'Running the batch again gave finite numbers.',
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

/** Throws if a parameter is not finite: after the update that did it. */
export function checkWeights(
  parameters: readonly Parameter[],
  { epoch, step }: { epoch: number; step: number },
): void {
  const found = badWeights(parameters);
  if (!found) return;
  const where = step === 0 ? `at the end of epoch ${epoch - 1}` : `at epoch ${epoch}, step ${step}`;
  throw new UnrollError('nan', `${found.text} Seen ${where}. ${found.remedy}`, {
    epoch,
    step,
    ...found.data,
  });
}

/** The first place of a number that is not finite; -1: none. */
function firstBad(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

function badData(batch: PreparedBatch): Finding | null {
  const groups = { x: batch.inputs, y: batch.targets, sampleWeights: batch.weights, mask: batch.masks };
  for (const [name, tensors] of Object.entries(groups)) {
    for (const tensor of tensors) {
      const values = tensor?.dataSync() ?? [];
      const at = firstBad(values);
      if (at < 0) continue;
      const row = Math.floor(at / (values.length / batch.examples));
      const example = batch.rows?.[row];
      const where = example === undefined ? `example ${row} of the batch` : `example ${example}`;
      return {
        text: `${name} holds ${values[at]} in ${where}.`,
        data: { [name]: values[at], row, ...(example !== undefined && { example }) },
        remedy: IN_DATA,
      };
    }
  }
  return null;
}

function badWeights(parameters: readonly Parameter[]): Finding | null {
  const parameter = parameters.find((own) => firstBad(own.dataSync()) >= 0);
  if (!parameter) return null;
  const layer = layerOf(parameter.name);
  return {
    text: `The weights ${parameter.name} of ${ownerOf(parameter.name)} are not finite since an update before.`,
    data: { layer, parameter: parameter.name },
    remedy: BLOWN_UP,
  };
}

/** The part of a layer that the guard knows; those of @unroll/nn have it. */
interface LayerLike {
  readonly name: string;
  readonly sublayers?: readonly LayerLike[];
  flow(inputs: readonly Flow[], context: ForwardContext): Flow[];
}

/** Passes values through and tells of the gradient that comes back. */
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

/** Runs `work` with every layer's outputs passing through `see` first. */
function watchLayers<T>(
  layers: readonly LayerLike[],
  prefix: string,
  see: (layer: string, outputs: Flow[]) => Flow[],
  work: () => T,
): T {
  const undo: (() => void)[] = [];
  const wrap = (layer: LayerLike, path: string): void => {
    if (Object.hasOwn(layer, 'flow')) return; // stands in several places
    const own = layer.flow;
    layer.flow = (inputs, context) => see(path, own.call(layer, inputs, context));
    undo.push(() => void Reflect.deleteProperty(layer, 'flow'));
    for (const inner of layer.sublayers ?? []) wrap(inner, `${path}/${inner.name}`);
  };
  try {
    for (const layer of layers) wrap(layer, `${prefix}${layer.name}`);
    return work();
  } finally {
    for (const restore of undo) restore();
  }
}

function badLayer(
  model: Model,
  objective: Objective,
  batch: PreparedBatch,
  contextWith: ContextWith,
): Finding | null {
  const { sublayers = [] } = model as { sublayers?: readonly LayerLike[] };
  let forward: Finding | null = null;
  const arrived: { layer: string; bad: boolean }[] = []; // gradients at outputs, in the order of the way back
  const see = (layer: string, outputs: Flow[]): Flow[] =>
    outputs.map(({ value, mask }) => {
      const values = value.dataSync();
      const at = firstBad(values);
      if (at >= 0) forward ??= blame(`The output of layer ${layer} holds ${values[at]}.`, { layer });
      const passOn = probe(
        value,
        (grad) => void arrived.push({ layer, bad: firstBad(grad.dataSync()) >= 0 }),
      );
      return { value: passOn, mask };
    });
  return scope(() => {
    const tape = new Tape();
    const terms: Tensor[] = [];
    const losses = watchLayers(sublayers, '', see, () =>
      tape.recordDuring(() => {
        const flows: Flow[] = batch.inputs.map((value, i) => ({ value, mask: batch.masks[i] ?? null }));
        const context = contextWith((term) => void terms.push(term));
        return objective.compute(model.forward(flows, context), batch, terms);
      }),
    );
    if (forward) return forward;
    const bad = objective.outputs.findIndex((_, i) => !Number.isFinite(losses.parts[i].loss));
    if (bad >= 0) return badLoss(objective.outputs[bad], losses.parts[bad].loss);
    const parameters = [...model.parameters, ...objective.parameters];
    return badGradient(parameters, tape.gradients(losses.total), arrived);
  });
}

function blame(text: string, data: Record<string, unknown>): Finding {
  return { text, data, remedy: BLOWN_UP };
}

function badLoss({ name, loss }: Objective['outputs'][number], value: number): Finding {
  return blame(`Every layer's output is finite, but the loss ${loss.name} of ${name} is ${value}.`, {
    output: name,
  });
}

/** The first bad gradient on the way back: at a layer's output, or of its weights. */
function badGradient(
  all: readonly Parameter[],
  grads: ReadonlyMap<Tensor, Tensor>,
  arrived: readonly { layer: string; bad: boolean }[],
): Finding | null {
  const parameters = all.filter((own) => {
    const grad = grads.get(own);
    return grad !== undefined && firstBad(grad.dataSync()) >= 0;
  });
  for (const { layer, bad } of arrived) {
    if (bad) return blame(`The gradient at the output of layer ${layer} is not finite.`, { layer });
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
