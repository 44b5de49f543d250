/** Models with many kinds of layers, for tests of artifacts. */
import { type Model, RandomStream, scope, type Tensor, tensor } from '@unroll/core';
import { inferenceContext } from '@unroll/core/internal';
import {
  activationRegularization,
  averagePooling1d,
  averagePooling2d,
  batchNormalization,
  bidirectional,
  conv1d,
  conv2d,
  coupledLstm,
  dense,
  dropout,
  embedding,
  flatten,
  globalAveragePooling1d,
  globalMaxPooling1d,
  gru,
  input,
  layerNormLstm,
  lstm,
  lstmCell,
  maxPooling1d,
  maxPooling2d,
  minGru,
  minGruCell,
  minLstm,
  model,
  type Network,
  peepholeLstmCell,
  projectedLstm,
  recurrent,
  residual,
  sequential,
  spatialDropout1d,
  stackedCells,
  timeDistributed,
  wordDropout,
  zoneoutCell,
} from '@unroll/nn';

export const models: Record<string, () => { model: Network; x: Tensor[] }> = {
  forecaster: () => ({
    model: sequential([lstm({ units: 5, activation: 'relu' }), dense({ units: 2 })], { seed: 4 }),
    x: [floats([3, 6, 2])],
  }),
  classifier: () => ({
    model: sequential([
      embedding({ inputDim: 9, outputDim: 4, maskZero: true }),
      bidirectional(gru({ units: 3, returnSequences: true })),
      dropout({ rate: 0.5 }),
      lstm({ units: 3 }),
      dense({ units: 3, activation: 'softmax' }),
    ]),
    x: [
      tensor([
        [1, 2, 3, 0],
        [8, 7, 0, 0],
      ]),
    ],
  }),
  'LSTM variants': () => ({
    model: sequential([
      bidirectional(coupledLstm({ units: 3, returnSequences: true })),
      projectedLstm({ units: 6, projection: 3, returnSequences: true }),
      layerNormLstm({ units: 4, returnSequences: true, normalizeState: true }),
      recurrent(zoneoutCell(lstmCell({ units: 3 }), { h: 0.1, c: 0.4 }), { returnSequences: true }),
      recurrent(
        stackedCells([zoneoutCell(peepholeLstmCell({ units: 3 }), { c: 0.5 }), minGruCell({ units: 2 })]),
        {
          returnSequences: true,
        },
      ),
      minGru({ units: 4, returnSequences: true }),
      minLstm({ units: 2, activation: 'linear' }),
    ]),
    x: [floats([3, 5, 2])],
  }),
  'encoder and decoder': () => {
    const source = input({ shape: [null, 3], name: 'source' });
    const target = input({ shape: [null, 2], name: 'target' });
    const [, h, c] = lstm({ units: 4, returnState: true }).apply(source);
    const decoded = lstm({ units: 4, returnSequences: true }).apply(target, { initialState: [h!, c!] });
    const normal = batchNormalization().apply(decoded);
    const outputs = timeDistributed(dense({ units: 2 })).apply(normal);
    return { model: model({ inputs: [source, target], outputs }), x: [floats([2, 5, 3]), floats([2, 4, 2])] };
  },
  'convolution, pooling and residual layers': () => ({
    model: sequential([
      wordDropout({ rate: 0.1, id: 1 }),
      embedding({ inputDim: 9, outputDim: 4, maskZero: true, embeddingDropout: 0.1 }),
      spatialDropout1d({ rate: 0.1 }),
      conv1d({ filters: 4, kernelSize: 3, padding: 'causal', dilationRate: 2, groups: 2 }),
      residual(lstm({ units: 4, returnSequences: true, weightDrop: 0.2 })),
      activationRegularization({ ar: 2, tar: 1 }),
      maxPooling1d({ padding: 'same' }),
      averagePooling1d({ poolSize: 3, strides: 1, padding: 'causal' }),
      globalMaxPooling1d({ keepDims: true }),
      globalAveragePooling1d(),
    ]),
    x: [
      tensor([
        [1, 2, 3, 0],
        [8, 7, 0, 0],
      ]),
    ],
  }),
  'frames of a video': () => ({
    model: sequential([
      timeDistributed(conv2d({ filters: 3, kernelSize: [2, 3], strides: [1, 2], padding: 'same' })),
      timeDistributed(maxPooling2d({ poolSize: [2, 1] })),
      timeDistributed(averagePooling2d({ padding: 'same' })),
      timeDistributed(flatten()),
      lstm({ units: 2 }),
    ]),
    x: [floats([2, 3, 4, 5, 2])],
  }),
  'a model in a model': () => {
    const inner = sequential([lstm({ units: 3, returnSequences: true }), dense({ units: 2 })], {
      name: 'inner',
    });
    return { model: sequential([inner, gru({ units: 2, resetAfter: false })]), x: [floats([2, 4, 2])] };
  },
};

function floats(shape: readonly number[]): Tensor {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return tensor(new RandomStream(6, ...shape).uniform(size, -1, 1), shape);
}

/** Returns the values of the model's first output. */
export function outputOf(network: Model, x: readonly Tensor[]): number[] {
  const [first] = scope(() =>
    network
      .forward(
        x.map((value) => ({ value, mask: null })),
        inferenceContext(),
      )
      .map(({ value }) => value),
  );
  return [...first!.dataSync()];
}
