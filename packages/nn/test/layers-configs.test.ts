/**
 * Every kind of layer, with options that are not the defaults, is restored from its config: the restored layer has the same
 * config, parameters and results. Detects an option that is missing from a config, and a class that is missing from the
 * registry.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tensor } from '@unroll/core';
import {
  activation,
  activationRegularization,
  addLayer,
  averagePooling1d,
  averagePooling2d,
  batchNormalization,
  bidirectional,
  cellFromConfig,
  chronoInitializer,
  concatenate,
  constant,
  conv1d,
  conv2d,
  coupledLstm,
  crf,
  dense,
  dropout,
  embedding,
  flatten,
  generalGru,
  generalLstm,
  generalRnn,
  globalAveragePooling1d,
  globalMaxPooling1d,
  gru,
  gruCell,
  type Layer,
  l1,
  l1l2,
  l2,
  layerFromConfig,
  layerNormalization,
  layerNormLstm,
  lstm,
  lstmCell,
  masking,
  maxNorm,
  maxPooling1d,
  maxPooling2d,
  minGru,
  minGruCell,
  minLstm,
  minMaxNorm,
  multiply,
  orthogonal,
  peepholeLstm,
  peepholeLstmCell,
  permuteLayer,
  projectedLstm,
  randomUniform,
  recurrent,
  repeatVector,
  reshapeLayer,
  residual,
  simpleRNN,
  simpleRNNCell,
  spatialDropout1d,
  stackedCells,
  tensorOperation,
  timeDistributed,
  wordDropout,
  zoneoutCell,
} from '@unroll/nn';
import { assertSame, maskOf, outputsAndGradients, randomTensor, run } from './helpers.js';

const [B, T, I] = [2, 4, 3];
const sequence = randomTensor('x', B, T, I);
const vector = randomTensor('v', B, I);

const regularisedDense = {
  kernelRegularizer: l2(0.1),
  biasRegularizer: l1l2({ l1: 0.1, l2: 0.2 }),
  activityRegularizer: 'l2',
  kernelConstraint: maxNorm({ maxValue: 0.5 }),
  biasConstraint: 'nonNeg',
  kernelInitializer: randomUniform({ minval: -0.3, maxval: 0.4 }),
} as const;
const { activityRegularizer, ...regularisedMatrices } = regularisedDense;
const minGruOptions = { ...regularisedMatrices, activityRegularizer, dropout: 0.2 };
const regularised = {
  ...regularisedDense,
  recurrentRegularizer: l1(0.2),
  recurrentConstraint: minMaxNorm({ rate: 0.5 }),
  recurrentInitializer: orthogonal({ gain: 0.7 }),
} as const;
const recurrentOptions = {
  ...{ returnSequences: true, goBackwards: true, zeroOutputForMask: true, returnState: true },
  ...{ dropout: 0.2, recurrentDropout: 0.3, seed: 4 },
};
const weightDrop = 0.4;

const layers: Record<string, [() => Layer, ReturnType<typeof randomTensor>[]]> = {
  SimpleRNN: [
    () => simpleRNN({ units: 2, ...regularised, ...recurrentOptions, weightDrop, activation: 'elu' }),
    [sequence],
  ],
  LSTM: [
    () =>
      lstm({
        units: 2,
        ...regularised,
        ...recurrentOptions,
        weightDrop,
        biasInitializer: chronoInitializer({ maxSteps: 9 }),
      }),
    [sequence],
  ],
  'LSTM without bias, relu': [
    () => lstm({ units: 2, useBias: false, activation: 'relu', unitForgetBias: false, stateful: true }),
    [sequence],
  ],
  GRU: [
    () => gru({ units: 2, ...regularised, ...recurrentOptions, resetAfter: false, updateGate: 'candidate' }),
    [sequence],
  ],
  PeepholeLSTM: [
    () => peepholeLstm({ units: 2, ...recurrentOptions, peepholeInitializer: constant({ value: 0.5 }) }),
    [sequence],
  ],
  CoupledLSTM: [
    () =>
      coupledLstm({
        ...{ units: 2, ...regularised, ...recurrentOptions, activation: 'softsign' },
        biasInitializer: chronoInitializer({ maxSteps: 9 }),
      }),
    [sequence],
  ],
  ProjectedLSTM: [
    () =>
      projectedLstm({
        ...{
          units: 4,
          projection: 2,
          ...regularised,
          ...recurrentOptions,
          projectionInitializer: orthogonal({ gain: 2 }),
        },
        ...{ projectionRegularizer: l2(0.3), projectionConstraint: maxNorm({ maxValue: 0.4 }) },
      }),
    [sequence],
  ],
  LayerNormLSTM: [
    () =>
      layerNormLstm({
        ...{ units: 3, ...regularised, ...recurrentOptions, epsilon: 0.01, normalizeState: true },
        gammaInitializer: constant({ value: 0.3 }),
      }),
    [sequence],
  ],
  'LayerNormLSTM without bias': [() => layerNormLstm({ units: 3, useBias: false }), [sequence]],
  MinGRU: [
    () => minGru({ units: 2, ...minGruOptions, returnSequences: true, goBackwards: true, seed: 3 }),
    [sequence],
  ],
  MinLSTM: [() => minLstm({ units: 2, useBias: false, activation: 'linear', returnState: true }), [sequence]],
  'RNN with zoneout': [
    () =>
      recurrent(zoneoutCell(lstmCell({ units: 2, recurrentDropout: 0.4 }), { h: 0.1, c: 0.3 }), { seed: 8 }),
    [sequence],
  ],
  'RNN with zoneout in a stack': [
    () => recurrent(stackedCells([zoneoutCell(gruCell({ units: 2 }), { h: 0.5 }), minGruCell({ units: 3 })])),
    [sequence],
  ],
  RNN: [() => recurrent(gruCell({ units: 2, resetAfter: false }), recurrentOptions), [sequence]],
  StackedRNNCells: [
    () => recurrent(stackedCells([lstmCell({ units: 2 }), simpleRNNCell({ units: 3, useBias: false })])),
    [sequence],
  ],
  Bidirectional: [
    () =>
      bidirectional(peepholeLstm({ units: 2, returnSequences: true, name: 'pair' }), { mergeMode: 'ave' }),
    [sequence],
  ],
  'Bidirectional, both outputs': [
    () => bidirectional(gru({ units: 2, returnState: true }), { mergeMode: 'none' }),
    [sequence],
  ],
  Dense: [
    () =>
      dense({ units: 2, ...regularisedDense, activation: 'gelu', biasInitializer: 'ones', trainable: false }),
    [vector],
  ],
  CRF: [
    () =>
      crf({
        tags: 2,
        constraints: {
          transitions: [
            [true, false],
            [true, true],
          ],
          end: [false, true],
        },
        kernelInitializer: 'heNormal',
        kernelRegularizer: l2(0.1),
        transitionInitializer: 'zeros',
        transitionRegularizer: l1(0.2),
      }),
    [sequence],
  ],
  'CRF without a projection': [() => crf({ tags: I, useKernel: false }), [sequence]],
  Embedding: [
    () =>
      embedding({
        ...{ inputDim: 5, outputDim: 2, maskZero: true, embeddingsInitializer: 'heNormal' },
        embeddingDropout: 0.4,
      }),
    [tensor([[1, 2, 0]])],
  ],
  GeneralRNN: [
    () => generalRnn({ units: 2, functions: [{ name: 'relu' }], ...recurrentOptions }),
    [sequence],
  ],
  GeneralLSTM: [
    () => generalLstm({ units: 2, peephole: true, coupled: true, clip: 0.5, ...recurrentOptions }),
    [sequence],
  ],
  GeneralGRU: [() => generalGru({ units: 2, resetAfter: false, ...recurrentOptions }), [sequence]],
  TensorOperation: [() => tensorOperation({ operation: 'where', operands: [null, [1, I], 2] }), [sequence]],
  Masking: [() => masking({ maskValue: 2 }), [sequence]],
  Dropout: [() => dropout({ rate: 0.5, noiseShape: [null, 1, null], seed: 1 }), [sequence]],
  SpatialDropout1D: [() => spatialDropout1d({ rate: 0.5, seed: 1 }), [sequence]],
  WordDropout: [
    () => wordDropout({ rate: 0.5, id: 4, paddingId: null, seed: 1 }),
    [tensor([[1, 2, 0, 3, 3, 2, 0, 1]])],
  ],
  ActivationRegularization: [() => activationRegularization({ ar: 2, tar: 0.5 }), [sequence]],
  Residual: [
    () => residual(gru({ units: I, returnSequences: true, returnState: true, weightDrop }), { name: 'skip' }),
    [sequence],
  ],
  BatchNormalization: [
    () =>
      batchNormalization({ axis: 1, momentum: 0.5, epsilon: 0.1, center: false, gammaInitializer: 'ones' }),
    [sequence],
  ],
  LayerNormalization: [
    () => layerNormalization({ axis: [1, 2], epsilon: 0.1, scale: false, betaRegularizer: 'l1' }),
    [sequence],
  ],
  TimeDistributed: [() => timeDistributed(dense({ units: 2, activation: 'tanh' })), [sequence]],
  Activation: [() => activation('glu'), [randomTensor('even', 2, 4)]],
  Flatten: [() => flatten(), [sequence]],
  Reshape: [() => reshapeLayer({ targetShape: [-1, 2] }), [sequence]],
  Permute: [() => permuteLayer({ dims: [2, 1] }), [sequence]],
  RepeatVector: [() => repeatVector(3), [vector]],
  Concatenate: [() => concatenate({ axis: 1 }), [sequence, randomTensor('y', B, 2, I)]],
  Add: [() => addLayer(), [sequence, randomTensor('y', B, T, I)]],
  Multiply: [() => multiply(), [sequence, vector]],
  Conv1D: [
    () =>
      conv1d({
        ...{ filters: 6, kernelSize: 2, strides: 2, padding: 'same', groups: 3, activation: 'glu' },
        ...regularisedDense,
        biasInitializer: 'ones',
      }),
    [sequence],
  ],
  'Conv1D, causal': [
    () => conv1d({ filters: 2, kernelSize: 3, padding: 'causal', dilationRate: 2, useBias: false }),
    [sequence],
  ],
  Conv2D: [
    () =>
      conv2d({
        ...{ filters: 4, kernelSize: [2, 3], strides: [1, 2], padding: 'same', activation: 'glu' },
        ...regularisedDense,
        biasInitializer: 'ones',
      }),
    [randomTensor('image', B, 4, 5, 2)],
  ],
  MaxPooling2D: [
    () => maxPooling2d({ poolSize: [2, 1], padding: 'same' }),
    [randomTensor('image', B, 3, 4, 2)],
  ],
  AveragePooling2D: [() => averagePooling2d({ strides: 1 }), [randomTensor('image', B, 3, 4, 2)]],
  'TimeDistributed, of frames': [
    () => timeDistributed(conv2d({ filters: 2, kernelSize: 2 })),
    [randomTensor('video', B, T, 3, 4, 2)],
  ],
  MaxPooling1D: [() => maxPooling1d({ poolSize: 3, strides: 1, padding: 'causal' }), [sequence]],
  AveragePooling1D: [() => averagePooling1d({ poolSize: 3, strides: 2, padding: 'same' }), [sequence]],
  GlobalMaxPooling1D: [() => globalMaxPooling1d({ keepDims: true }), [sequence]],
  GlobalAveragePooling1D: [() => globalAveragePooling1d({ keepDims: true }), [sequence]],
};

describe('layers and cells are restored from their configs', () => {
  for (const [name, [make, inputs]] of Object.entries(layers)) {
    test(name, () => {
      const layer = make();
      layer.name ||= 'here';
      const config = JSON.parse(JSON.stringify(layer.config));
      assert.equal(config.className, name.split(/[ ,]/)[0]!.replace('StackedRNNCells', 'RNN'));
      const other = layerFromConfig(config);
      assert.deepEqual(JSON.parse(JSON.stringify(other.config)), config);
      const mask = inputs[0] === sequence && name !== 'Masking' ? maskOf('1110', '0110') : null;
      const numbers = (candidate: Layer) => {
        candidate.build(inputs.map(({ shape }) => shape));
        const parameterSummaries: string[] = [];
        const measured = outputsAndGradients(
          () => run(candidate, inputs, { mask, training: true }).map(({ value }) => value),
          candidate.parameters,
        );
        for (const parameter of candidate.parameters) {
          const penalty = parameter.regularizer?.(parameter).item();
          const constrained = parameter.constraint && [...parameter.constraint(parameter).dataSync()];
          parameterSummaries.push(
            JSON.stringify([parameter.name, parameter.trainable, penalty, constrained]),
          );
        }
        return { measured, parameterSummaries };
      };
      const [first, second] = [numbers(layer), numbers(other)];
      assertSame(name, second.measured, first.measured, 0);
      assert.deepEqual(second.parameterSummaries, first.parameterSummaries);
    });
  }

  test('a cell without a layer', () => {
    const cell = peepholeLstmCell({ units: 3, recurrentDropout: 0.1, recurrentActivation: 'hardSigmoid' });
    const { className, config } = cell;
    const restored = cellFromConfig(JSON.parse(JSON.stringify({ className, config })));
    assert.deepEqual(restored.config, config);
    assert.equal(restored.recurrentDropout, 0.1);
  });
});
