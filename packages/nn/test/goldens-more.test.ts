/**
 * Compares with Keras 3 (tools/goldens/layers.py) what the other golden tests do not cover: every activation except
 * sparsemax, regularisers, constraints, stacked cells, stateful layers, masks of merging layers, and the order of a model's
 * weights. Compares the peephole LSTM with ONNX Runtime.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatShape, type MaskedSequence, type Parameter, type Tensor } from '@unroll/core';
import {
  activation,
  addLayer,
  batchNormalization,
  type Constraint,
  concatenate,
  type DenseOptions,
  dense,
  embedding,
  type Functional,
  gru,
  gruCell,
  input,
  type Layer,
  l1,
  l1l2,
  l2,
  lstm,
  lstmCell,
  maxNorm,
  minMaxNorm,
  model,
  multiply,
  nonNeg,
  orthogonalPenalty,
  peepholeLstm,
  type Regularizer,
  recurrent,
  sequential,
  simpleRNN,
  stackedCells,
  unitNorm,
} from '@unroll/nn';
import { mismatch, outputTolerance } from '@unroll/testkit';
import { readGoldens } from '@unroll/testkit/node';
import {
  backends,
  camel,
  compare,
  type GoldenTensor,
  inferenceContext,
  onBackend,
  tensorFrom,
  trainableParametersOf,
  valuesOf,
} from './golden-case.js';

interface Case {
  name: string;
  kind: string;
  options: Record<string, never>;
  inputs: GoldenTensor[];
  weights: GoldenTensor[];
  /** Coefficients of the scalar Σ outputWeights · outputs, whose gradients are compared; one tensor per output. */
  outputWeights: GoldenTensor[];
  outputs: GoldenTensor[];
  gradients: { inputs: GoldenTensor[]; weights: GoldenTensor[] };
  layers: string[];
  order: string[];
}

const { cases } = readGoldens('layers/layers.json') as { cases: Case[] };
const sequenceOf = (value: Tensor, mask: Tensor | null = null): MaskedSequence => ({ value, mask });
const values = (sequences: readonly MaskedSequence[]): Tensor[] => sequences.map(({ value }) => value);

function load(layer: Layer, inputs: readonly Tensor[], weights: readonly GoldenTensor[]): void {
  layer.build(inputs.map(({ shape }) => shape));
  layer.setWeights([
    ...weights.map((golden) => ({ shape: golden.shape, values: valuesOf(golden) })),
    // The moving statistics come after the trained weights in the list. They keep their initial values.
    ...layer.getWeights().slice(weights.length),
  ]);
}

/** Compares the outputs and gradients of a layer. */
function checkLayer(golden: Case, layer: Layer, training = false, mask: Tensor | null = null): void {
  const inputs = golden.inputs.map(tensorFrom);
  load(layer, inputs, golden.weights);
  const sequences = inputs.map((value, i) => sequenceOf(value, i === 0 ? mask : null));
  const context = { ...inferenceContext(), training };
  compare(() => values(layer.invoke(sequences, context)), [...inputs, ...trainableParametersOf(layer)], {
    outputs: golden.outputs,
    outputWeights: golden.outputWeights,
    gradients: [...golden.gradients.inputs, ...golden.gradients.weights],
  });
}

const regularizers: Record<string, Regularizer> = {
  l1: l1(0.02),
  l2: l2(0.03),
  l1l2: l1l2({ l1: 0.02, l2: 0.03 }),
  orthogonalRows: orthogonalPenalty({ factor: 0.5 }),
  orthogonalColumns: orthogonalPenalty({ factor: 0.5, mode: 'columns' }),
};

/** Returns the kernel of a dense layer. Its values are the input of the case. */
function kernelOf(golden: Case, options: Partial<DenseOptions>): Parameter {
  const w = golden.inputs[0]!;
  const layer = dense({ units: w.shape[1]!, ...options });
  layer.build([[1, w.shape[0]!]]);
  const [kernel] = layer.parameters;
  kernel!.assign(valuesOf(w));
  return kernel!;
}

/** Compares the penalty of the kernel regulariser of a layer. */
function checkRegularizer(golden: Case): void {
  const kernel = kernelOf(golden, { kernelRegularizer: regularizers[golden.options.regularizer!]! });
  compare(() => [kernel.regularizer!(kernel)], [kernel], {
    outputs: golden.outputs,
    outputWeights: golden.outputWeights,
    gradients: golden.gradients.inputs,
  });
}

/** Compares the penalty of the activity regulariser of a layer. */
function checkActivity(golden: Case): void {
  const [x] = golden.inputs.map(tensorFrom) as [Tensor];
  const layer = dense({ units: 4, activityRegularizer: regularizers[golden.options.regularizer!]! });
  load(layer, [x], golden.weights);
  const work = (): Tensor[] => {
    const terms: Tensor[] = [];
    layer.invoke([sequenceOf(x)], { ...inferenceContext(), addLoss: (term) => void terms.push(term) });
    return terms;
  };
  compare(work, [x, ...trainableParametersOf(layer)], {
    outputs: golden.outputs,
    outputWeights: golden.outputWeights,
    gradients: [...golden.gradients.inputs, ...golden.gradients.weights],
  });
}

/** Compares the outputs of merging layers with masked inputs. */
function checkMerge(golden: Case): void {
  const { layer: name, masks } = golden.options as unknown as {
    layer: string;
    masks: (GoldenTensor | null)[];
  };
  const inputs = golden.inputs.map(tensorFrom);
  const sequences = inputs.map((value, i) => sequenceOf(value, masks[i] ? tensorFrom(masks[i]) : null));
  compare(() => values(merges[name]!().invoke(sequences, inferenceContext())), inputs, {
    outputs: golden.outputs,
    outputWeights: golden.outputWeights,
    gradients: golden.gradients.inputs,
  });
}

const constraints: Record<string, Constraint> = {
  maxNorm: maxNorm({ maxValue: 1.5 }),
  maxNormRows: maxNorm({ maxValue: 1, axis: 1 }),
  nonNeg: nonNeg(),
  unitNorm: unitNorm(),
  minMaxNorm: minMaxNorm({ minValue: 0.8, maxValue: 1.2, rate: 0.7 }),
};

function checkConstraint(golden: Case): void {
  const kernel = kernelOf(golden, { kernelConstraint: constraints[golden.options.constraint!]! });
  const want = valuesOf(golden.outputs[0]!);
  const got = kernel.constraint!(kernel).dataSync();
  assert.equal(mismatch(golden.name, got, want, outputTolerance(want)), null);
}

function checkStacked(golden: Case): void {
  const { goBackwards, resetAfter, mask } = golden.options as unknown as {
    goBackwards: boolean;
    resetAfter: boolean;
    mask: GoldenTensor | null;
  };
  for (const stepwise of [false, true]) {
    const cells = stackedCells([lstmCell({ units: 3 }), gruCell({ units: 4, resetAfter })]);
    const layer = recurrent(cells, { returnSequences: true, returnState: true, goBackwards });
    layer.stepwise = stepwise;
    checkLayer(golden, layer, false, mask && tensorFrom(mask));
  }
}

function checkStateful(golden: Case): void {
  const maker = { lstm, gru, rnn: simpleRNN }[golden.options.cell as 'lstm' | 'gru' | 'rnn'];
  const layer = maker({ units: golden.options.units!, stateful: true, returnSequences: true });
  const [first, second] = golden.inputs.map(tensorFrom) as [Tensor, Tensor];
  load(layer, [first], golden.weights);
  const run = (x: Tensor): ArrayLike<number> =>
    layer.invoke([sequenceOf(x)], inferenceContext())[0]!.value.dataSync();
  const got = [run(first), run(second)];
  layer.resetStates();
  got.push(run(second));
  golden.outputs.forEach((expected, i) => {
    const want = valuesOf(expected);
    assert.equal(mismatch(`call ${i}`, got[i]!, want, outputTolerance(want)), null);
  });
}

const merges: Record<string, () => Layer> = {
  add: () => addLayer(),
  multiply: () => multiply(),
  concatenate: () => concatenate(),
  concatenateTime: () => concatenate({ axis: 1 }),
};

function checkMask(golden: Case): void {
  const { layer: name, both } = golden.options as unknown as { layer: string; both: boolean };
  const sequences = golden.inputs.map((ids, i) => {
    const layer = embedding({ inputDim: 3, outputDim: 2, maskZero: i === 0 || both });
    return layer.invoke([sequenceOf(tensorFrom(ids))], inferenceContext())[0]!;
  });
  const { mask, value } = merges[name]!().invoke(sequences, inferenceContext())[0]!;
  const ones = new Array<number>(value.shape[0]! * value.shape[1]!).fill(1);
  // A missing mask counts as a mask of ones.
  const want = golden.outputs[0] ? [...valuesOf(golden.outputs[0])] : ones;
  assert.deepEqual(mask ? [...mask.dataSync()] : ones, want);
}

const namedDense = (name: string, units = 2) => dense({ units, name });
const graphs: Record<string, () => Functional> = {
  two_towers() {
    const [a, b] = [input({ shape: [3], name: 'a' }), input({ shape: [3], name: 'b' })];
    const left = namedDense('left_2').apply(namedDense('left_1').apply(a));
    const joined = concatenate({ name: 'join' }).apply([left, namedDense('right_1').apply(b)]);
    return model({ inputs: [a, b], outputs: namedDense('head').apply(joined) });
  },
  shared() {
    const [a, b] = [input({ shape: [3], name: 'a' }), input({ shape: [3], name: 'b' })];
    const common = namedDense('common');
    const deep = common.apply(namedDense('first', 3).apply(a));
    return model({
      inputs: [a, b],
      outputs: [namedDense('out_1').apply(deep), namedDense('out_2').apply(common.apply(b))],
    });
  },
  skip() {
    const a = input({ shape: [3], name: 'a' });
    const early = namedDense('early').apply(a);
    const late = namedDense('late').apply(namedDense('middle').apply(early));
    return model({ inputs: a, outputs: addLayer({ name: 'sum' }).apply([early, late]) });
  },
  seq2seq() {
    const source = input({ shape: [null, 3], name: 'source' });
    const target = input({ shape: [null, 2], name: 'target' });
    const [, h, c] = lstm({ units: 4, returnState: true, name: 'encoder' }).apply(source);
    const decoder = lstm({ units: 4, returnSequences: true, name: 'decoder' });
    const decoded = decoder.apply(target, { initialState: [h!, c!] });
    return model({ inputs: [source, target], outputs: namedDense('head').apply(decoded) });
  },
  several_outputs() {
    const a = input({ shape: [3], name: 'a' });
    const x = namedDense('trunk', 3).apply(a);
    return model({
      inputs: a,
      outputs: [namedDense('b_2').apply(namedDense('b_1').apply(x)), namedDense('c_1').apply(x)],
    });
  },
};

function checkOrder(golden: Case): void {
  const network = graphs[golden.options.graph!]!();
  assert.deepEqual(
    network.layers.map(({ name }) => name),
    golden.layers,
  );
  const got = network.getWeights().map(({ name, shape }) => `${name.split('/')[0]} ${formatShape(shape)}`);
  assert.deepEqual(got, golden.order);
}

const checks: Record<string, (golden: Case) => void> = {
  activation: (golden) => checkLayer(golden, activation(camel(golden.options.activation!))),
  regularizer: checkRegularizer,
  constraint: checkConstraint,
  stackedCells: checkStacked,
  stateful: checkStateful,
  batchNormalization: (golden) => checkLayer(golden, batchNormalization(golden.options), true),
  mask: checkMask,
  merge: checkMerge,
  activity: checkActivity,
  order: checkOrder,
};

for (const { name, backend, reason } of backends) {
  describe(`layers agree with Keras on ${name}`, { skip: backend === null && reason }, () => {
    for (const golden of cases)
      test(golden.name, () => onBackend(backend!, () => checks[golden.kind]!(golden)));
  });
}

/** Cases of the peephole LSTM, which Keras and PyTorch lack, with the results of ONNX Runtime (tools/goldens/peephole.py). */
const peepholes = (readGoldens('layers/peephole.json') as { cases: Case[] }).cases;
for (const { name, backend, reason } of backends) {
  for (const golden of peepholes) {
    test(`${golden.name} agrees with ONNX Runtime on ${name}`, { skip: backend === null && reason }, () => {
      onBackend(backend!, () => {
        const goBackwards = golden.name.endsWith('reverse');
        const layer = peepholeLstm({ units: 6, returnSequences: true, returnState: true, goBackwards });
        const inputs = golden.inputs.map(tensorFrom);
        load(layer, inputs, golden.weights);
        const got = values(
          layer.invoke(
            inputs.map((value) => sequenceOf(value)),
            inferenceContext(),
          ),
        );
        golden.outputs.forEach((expected, i) => {
          const want = valuesOf(expected);
          assert.equal(mismatch(`output ${i}`, got[i]!.dataSync(), want, outputTolerance(want)), null);
        });
      });
    });
  }
}

test('a model rejects weights in the wrong order', () => {
  const network = sequential([dense({ units: 2 }), dense({ units: 3 })]);
  network.build([[-1, 4]]);
  const [a, b, c, e] = network.getWeights();
  assert.throws(
    () => network.setWeights([c!, b!, a!, e!]),
    /Weight dense\/kernel must have shape \[4, 2\], got \[2, 3\]/,
  );
});
