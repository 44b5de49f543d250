/**
 * Compares layers other than single recurrent layers with Keras 3 and PyTorch (tools/goldens/recurrent.py): stacks, an
 * encoder and decoder, normalisation with moving statistics, embeddings with masks, time-distributed layers, and dense layers
 * with the common activations (goldens-more.test.ts tests the others). Compares outputs and gradients on every backend.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ForwardContext, MaskedSequence, Tensor } from '@unroll/core';
import {
  batchNormalization,
  bidirectional,
  dense,
  embedding,
  gru,
  input,
  type Layer,
  layerNormalization,
  lstm,
  model,
  timeDistributed,
} from '@unroll/nn';
import { mismatch, outputTolerance } from '@unroll/testkit';
import {
  backends,
  camel,
  compare,
  type GoldenCase,
  type GoldenTensor,
  inferenceContext,
  onBackend,
  readCases,
  tensorFrom,
  trainableParametersOf,
  valuesOf,
  withWeights,
} from './golden-case.js';

type Inputs = Record<string, GoldenTensor | GoldenTensor[]>;
type Gradients = Record<string, GoldenTensor | GoldenTensor[]> & { weights: GoldenTensor[] };
interface ExtraCase extends GoldenCase<Record<string, never>, Inputs, Gradients> {
  layer: string;
  movingMean?: GoldenTensor;
  movingVariance?: GoldenTensor;
  outputMask?: GoldenTensor;
}

interface BuiltCase {
  layer: Layer;
  /** The inputs. `differentiable` are those that have gradients. */
  sequences: MaskedSequence[];
  differentiable: Tensor[];
  gradients: GoldenTensor[];
}

const tensorOf = (golden: GoldenTensor | GoldenTensor[] | undefined): Tensor =>
  tensorFrom(golden as GoldenTensor);

/** Builds a layer with one input x and an optional mask. */
function single(golden: ExtraCase, layer: Layer): BuiltCase {
  const x = tensorOf(golden.inputs.x);
  const mask = golden.inputs.mask ? tensorOf(golden.inputs.mask) : null;
  withWeights(layer, [x.shape], golden.weights);
  return {
    layer,
    sequences: [{ value: x, mask }],
    differentiable: [x],
    gradients: [golden.gradients.x as GoldenTensor],
  };
}

/** Builds a stack of recurrent layers. The outputs include the final states of all layers. */
function stack(golden: ExtraCase): BuiltCase {
  const { cell, layers, bidirectional: mergeMode, activation, recurrentActivation, ...rest } = golden.options;
  const x = tensorOf(golden.inputs.x);
  const states = (golden.inputs.initialState as GoldenTensor[]).map(tensorFrom);
  const inputs = [
    input({ shape: x.shape.slice(1) }),
    ...states.map((state) => input({ shape: state.shape.slice(1) })),
  ];
  const statesPerLayer = states.length / layers;
  let y = inputs[0]!;
  const finals = [];
  for (let n = 0; n < layers; n++) {
    const units = states[0]!.shape[1]!;
    const gates = { activation: camel(activation), recurrentActivation: camel(recurrentActivation) };
    const recurrentLayer = (cell === 'lstm' ? lstm : gru)({ ...(rest as object), ...gates, units });
    const layer = mergeMode ? bidirectional(recurrentLayer, { mergeMode }) : recurrentLayer;
    const initialState = inputs.slice(1 + n * statesPerLayer, 1 + (n + 1) * statesPerLayer);
    const [output, ...final] = layer.apply(y, { initialState });
    y = output!;
    finals.push(...final);
  }
  const layer = withWeights(model({ inputs, outputs: [y, ...finals] }), undefined, golden.weights);
  const mask = golden.inputs.mask ? tensorOf(golden.inputs.mask) : null;
  return {
    layer,
    sequences: [{ value: x, mask }, ...states.map((value) => ({ value, mask: null }))],
    differentiable: [x, ...states],
    gradients: [golden.gradients.x as GoldenTensor, ...(golden.gradients.initialState as GoldenTensor[])],
  };
}

function encoderDecoder(golden: ExtraCase): BuiltCase {
  const { units, classes } = golden.options;
  const [source, target] = [tensorOf(golden.inputs.source), tensorOf(golden.inputs.target)];
  const inputs = [source, target].map((x) => input({ shape: [null, x.shape[2]!] }));
  const [, h, c] = lstm({ units, returnState: true, name: 'encoder' }).apply(inputs[0]!);
  const decoder = lstm({ units, returnSequences: true, name: 'decoder' });
  const decoded = decoder.apply(inputs[1]!, { initialState: [h!, c!] });
  const outputs = dense({ units: classes, activation: 'softmax' }).apply(decoded);
  const layer = withWeights(model({ inputs, outputs }), undefined, golden.weights);
  const mask = golden.inputs.mask ? tensorOf(golden.inputs.mask) : null;
  return {
    layer,
    sequences: [
      { value: source, mask },
      { value: target, mask: null },
    ],
    differentiable: [source, target],
    gradients: [golden.gradients.source as GoldenTensor, golden.gradients.target as GoldenTensor],
  };
}

function embeddingCase(golden: ExtraCase): BuiltCase {
  const ids = tensorOf(golden.inputs.ids);
  const layer = withWeights(embedding(golden.options as never), [ids.shape], golden.weights);
  return { layer, sequences: [{ value: ids, mask: null }], differentiable: [], gradients: [] };
}

const caseBuilders: Record<string, (golden: ExtraCase) => BuiltCase> = {
  stacked: stack,
  encoderDecoder,
  embedding: embeddingCase,
  layerNormalization: (golden) => single(golden, layerNormalization(golden.options)),
  batchNormalization: (golden) => {
    const { training: _, ...options } = golden.options as Record<string, unknown>;
    return single(golden, batchNormalization(options));
  },
  timeDistributedDense: (golden) => single(golden, timeDistributed(dense(denseOptions(golden)))),
  dense: (golden) => single(golden, dense(denseOptions(golden))),
};

function denseOptions({ options }: ExtraCase) {
  const { activation, ...rest } = options as unknown as { units: number; activation: string };
  return { ...rest, activation: camel(activation) };
}

async function check(golden: ExtraCase): Promise<void> {
  const { layer, sequences, differentiable, gradients } = caseBuilders[golden.layer]!(golden);
  const after: (() => void | Promise<void>)[] = [];
  const training = (golden.options as { training?: boolean }).training ?? false;
  const context: ForwardContext = {
    ...inferenceContext(),
    training,
    afterStep: (work) => void after.push(work),
  };
  const work = (): Tensor[] => layer.invoke(sequences, context).map((sequence) => sequence.value);
  compare(work, [...differentiable, ...trainableParametersOf(layer)], {
    outputs: golden.outputs,
    outputWeights: golden.inputs.outputWeights,
    gradients: [...gradients, ...golden.gradients.weights],
  });
  for (const update of after) await update();
  checkMovingStatistics(golden, layer);
  if (golden.outputMask) {
    const { mask } = layer.invoke(sequences, context)[0]!;
    assert.deepEqual([...mask!.dataSync()], [...valuesOf(golden.outputMask)]);
  }
}

function checkMovingStatistics(golden: ExtraCase, layer: Layer): void {
  for (const [part, expected] of [
    ['moving_mean', golden.movingMean],
    ['moving_variance', golden.movingVariance],
  ] as const) {
    if (!expected) continue;
    const got = layer.getWeights().find(({ name }) => name.endsWith(part))!;
    const want = valuesOf(expected);
    assert.equal(mismatch(part, got.values, want, outputTolerance(want)), null);
  }
}

const cases = readCases<ExtraCase>('cells-extra');
for (const { name, backend, reason } of backends) {
  describe(`layers agree with Keras and PyTorch on ${name}`, { skip: backend === null && reason }, () => {
    for (const golden of cases) test(golden.name, () => onBackend(backend!, () => check(golden)));
  });
}
