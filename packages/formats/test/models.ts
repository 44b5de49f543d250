/** Models of many kinds of layers, for tests of artifacts. */
import { type Model, RandomStream, scope, type Tensor, tensor } from '@unroll/core';
import { inferenceContext } from '@unroll/core/internal';
import {
  activationRegularization,
  averagePooling1d,
  batchNormalization,
  bidirectional,
  conv1d,
  dense,
  dropout,
  embedding,
  globalAveragePooling1d,
  globalMaxPooling1d,
  gru,
  input,
  lstm,
  maxPooling1d,
  model,
  type Network,
  residual,
  sequential,
  spatialDropout1d,
  timeDistributed,
  wordDropout,
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

/** What the model gives for x. */
export function outputOf(of: Model, x: readonly Tensor[]): number[] {
  const [first] = scope(() =>
    of
      .forward(
        x.map((value) => ({ value, mask: null })),
        inferenceContext(),
      )
      .map(({ value }) => value),
  );
  return [...first!.dataSync()];
}
