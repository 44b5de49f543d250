// Every factory function rejects unknown options, names from other libraries, and invalid values.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UnrollError } from '@unroll/core';
import * as nn from '@unroll/nn';

type Options = Record<string, unknown>;
/** The call, valid options, a misspelt or foreign option name with its correction, and an invalid value with its message. */
type FactoryCase = [
  make: (options: never) => unknown,
  valid: Options,
  misspelt: [name: string, correction: string],
  invalid: [options: Options, message: string],
];

const cell = () => nn.gruCell({ units: 2 });
const x = nn.input({ shape: [null, 2] });
/** A layer, tested with the options that every layer has. */
const layerCase = (make: FactoryCase[0], valid: Options = {}): FactoryCase => [
  make,
  valid,
  ['activity_regularizer', 'activityRegularizer'],
  [{ trainable: 'no' }, 'trainable must be true or false, got "no"'],
];
/** A layer or cell whose only required option is `units`. */
const unitsCase = (make: FactoryCase[0], misspelt: FactoryCase[2]): FactoryCase => [
  make,
  { units: 2 },
  misspelt,
  [{ units: '32' }, 'units must be a positive integer, got "32"'],
];

const cases: Record<string, FactoryCase> = {
  lstm: unitsCase(nn.lstm, ['return_sequences', 'returnSequences']),
  lstmCell: unitsCase(nn.lstmCell, ['unit_forget_bias', 'unitForgetBias']),
  gru: unitsCase(nn.gru, ['dropuot', 'dropout']),
  gruCell: unitsCase(nn.gruCell, ['reset_after', 'resetAfter']),
  simpleRNN: unitsCase(nn.simpleRNN, ['go_backwards', 'goBackwards']),
  simpleRNNCell: unitsCase(nn.simpleRNNCell, ['recurrent_dropout', 'recurrentDropout']),
  peepholeLstm: unitsCase(nn.peepholeLstm, ['return_state', 'returnState']),
  peepholeLstmCell: unitsCase(nn.peepholeLstmCell, ['kernel_initializer', 'kernelInitializer']),
  attention: [
    nn.attention,
    { scoreMode: 'dot' },
    ['use_scale', 'useScale'],
    [{ useScale: 1 }, 'useScale must be true or false, got 1'],
  ],
  additiveAttention: unitsCase(nn.additiveAttention, ['use_causal_mask', 'useCausalMask']),
  attentionDecoder: [
    (options) => nn.attentionDecoder(cell(), nn.attention(), options),
    {},
    ['input_feeding', 'inputFeeding'],
    [{ units: 0 }, 'units must be a positive integer, got 0'],
  ],
  gaussianAttentionDecoder: [
    (options) => nn.gaussianAttentionDecoder(cell(), options),
    {},
    ['initial_step', 'initialStep'],
    [{ components: 0 }, 'components must be a positive integer, got 0'],
  ],
  outputEmbedding: unitsCase(nn.outputEmbedding, ['tied_to', 'tiedTo']),
  coupledLstm: unitsCase(nn.coupledLstm, ['unit_forget_bias', 'unitForgetBias']),
  coupledLstmCell: unitsCase(nn.coupledLstmCell, ['use_bias', 'useBias']),
  generalRnn: unitsCase(nn.generalRnn, ['function', 'functions']),
  generalLstm: unitsCase(nn.generalLstm, ['peepholes', 'peephole']),
  generalGru: unitsCase(nn.generalGru, ['reset_after', 'resetAfter']),
  tensorOperation: [
    nn.tensorOperation,
    { operation: 'add' },
    ['operand', 'operands'],
    [{ axis: 0.5 }, 'axis must be an integer, got 0.5'],
  ],
  projectedLstm: [
    nn.projectedLstm,
    { units: 4, projection: 2 },
    ['proj_size', 'projection'],
    [{ projection: 1.5 }, 'projection must be a positive integer, got 1.5'],
  ],
  projectedLstmCell: [
    nn.projectedLstmCell,
    { units: 4, projection: 2 },
    ['projection_initializer', 'projectionInitializer'],
    [{ units: 0 }, 'units must be a positive integer, got 0'],
  ],
  layerNormLstm: unitsCase(nn.layerNormLstm, ['eps', 'epsilon']),
  layerNormLstmCell: unitsCase(nn.layerNormLstmCell, ['normalise_state', 'normalizeState']),
  minGru: unitsCase(nn.minGru, ['go_backwards', 'goBackwards']),
  minGruCell: unitsCase(nn.minGruCell, ['kernel_initializer', 'kernelInitializer']),
  minLstm: unitsCase(nn.minLstm, ['return_state', 'returnState']),
  minLstmCell: unitsCase(nn.minLstmCell, ['use_bias', 'useBias']),
  dense: unitsCase(nn.dense, ['unit', 'units']),
  crf: [
    nn.crf,
    { tags: 3 },
    ['use_kernel', 'useKernel'],
    [{ tags: '3' }, 'tags must be a positive integer, got "3"'],
  ],
  recurrent: [
    (options) => nn.recurrent(cell(), options),
    {},
    ['stateful_', 'stateful'],
    [{ stateful: 1 }, 'stateful must be true or false, got 1'],
  ],
  embedding: [
    nn.embedding,
    { inputDim: 3, outputDim: 2 },
    ['mask_zero', 'maskZero'],
    [{ inputDim: [3] }, 'inputDim must be a positive integer, got [3]'],
  ],
  activation: [
    nn.activation,
    { activation: 'relu' },
    ['activaton', 'activation'],
    [{ name: 3 }, 'name must be a string, got 3'],
  ],
  bidirectional: [
    (options) => nn.bidirectional(nn.lstm({ units: 2 }), options),
    {},
    ['merge_mode', 'mergeMode'],
    [{ name: 3 }, 'name must be a string, got 3'],
  ],
  dropout: [
    nn.dropout,
    { rate: 0.5 },
    ['noise_shape', 'noiseShape'],
    [{ rate: '0.5' }, 'rate must be in [0, 1), got "0.5"'],
  ],
  input: [
    nn.input,
    { shape: [2] },
    ['batch_size', 'batchSize'],
    [{ shape: 2 }, 'shape must be an array, got 2'],
  ],
  masking: [
    nn.masking,
    {},
    ['mask_value', 'maskValue'],
    [{ maskValue: '0' }, 'maskValue must be a number, got "0"'],
  ],
  conv1d: [
    nn.conv1d,
    { filters: 2, kernelSize: 3 },
    ['out_channels', 'filters'],
    [{ kernelSize: [3] }, 'kernelSize must be a positive integer, got [3]'],
  ],
  conv2d: [
    nn.conv2d,
    { filters: 2, kernelSize: 3 },
    ['kernel_size', 'kernelSize'],
    [{ filters: 0 }, 'filters must be a positive integer, got 0'],
  ],
  maxPooling2d: [
    nn.maxPooling2d,
    {},
    ['pool_size', 'poolSize'],
    [{ padding: 'causal' }, 'padding must be "valid" or "same", got "causal"'],
  ],
  averagePooling2d: [
    nn.averagePooling2d,
    {},
    ['stride', 'strides'],
    [{ padding: 'full' }, 'padding must be "valid" or "same", got "full"'],
  ],
  maxPooling1d: [
    nn.maxPooling1d,
    {},
    ['pool_size', 'poolSize'],
    [{ strides: 0 }, 'strides must be a positive integer, got 0'],
  ],
  averagePooling1d: [
    nn.averagePooling1d,
    {},
    ['stride', 'strides'],
    [{ padding: 'full' }, 'padding must be "valid", "same" or "causal", got "full"'],
  ],
  globalMaxPooling1d: [
    nn.globalMaxPooling1d,
    {},
    ['keepdims', 'keepDims'],
    [{ keepDims: 1 }, 'keepDims must be true or false, got 1'],
  ],
  globalAveragePooling1d: layerCase(nn.globalAveragePooling1d),
  spatialDropout1d: [
    nn.spatialDropout1d,
    { rate: 0.5 },
    ['sed', 'seed'],
    [{ rate: 1 }, 'rate must be in [0, 1), got 1'],
  ],
  wordDropout: [
    nn.wordDropout,
    { rate: 0.5, id: 1 },
    ['padding_id', 'paddingId'],
    [{ id: -1 }, 'id must be a non-negative integer, got -1'],
  ],
  activationRegularization: [
    nn.activationRegularization,
    { ar: 2 },
    ['tars', 'tar'],
    [{ tar: '1' }, 'tar must be a number, got "1"'],
  ],
  residual: layerCase((options) => nn.residual(nn.dense({ units: 1 }), options)),
  addLayer: layerCase(nn.addLayer),
  multiply: layerCase(nn.multiply),
  flatten: layerCase(nn.flatten),
  timeDistributed: layerCase((options) => nn.timeDistributed(nn.dense({ units: 1 }), options)),
  concatenate: [nn.concatenate, {}, ['axes', 'axis'], [{ axis: 0.5 }, 'axis must be an integer, got 0.5']],
  batchNormalization: [
    nn.batchNormalization,
    {},
    ['moving_mean_initializer', 'movingMeanInitializer'],
    [{ momentum: null }, 'momentum must be a number, got null'],
  ],
  layerNormalization: [
    nn.layerNormalization,
    {},
    ['eps', 'epsilon'],
    [{ center: 'yes' }, 'center must be true or false, got "yes"'],
  ],
  reshapeLayer: [
    nn.reshapeLayer,
    { targetShape: [2] },
    ['target_shape', 'targetShape'],
    [{ targetShape: 2 }, 'targetShape must be an array, got 2'],
  ],
  permuteLayer: [
    nn.permuteLayer,
    { dims: [2, 1] },
    ['dim', 'dims'],
    [{ dims: '2,1' }, 'dims must be an array, got "2,1"'],
  ],
  repeatVector: [
    nn.repeatVector,
    { n: 2 },
    ['nane', 'name'],
    [{ n: '2' }, 'n must be a positive integer, got "2"'],
  ],
  sequential: [
    (options) => nn.sequential([nn.dense({ units: 1 })], options),
    {},
    ['nmae', 'name'],
    [{ seed: 'x' }, 'seed must be an integer, got "x"'],
  ],
  model: [
    nn.model,
    { inputs: x, outputs: x },
    ['output', 'outputs'],
    [{ seed: 0.5 }, 'seed must be an integer, got 0.5'],
  ],
  constant: [nn.constant, {}, ['valeu', 'value'], [{ value: '1' }, 'value must be a number, got "1"']],
  randomUniform: [
    nn.randomUniform,
    {},
    ['min_val', 'minval'],
    [{ minval: '1' }, 'minval must be a number, got "1"'],
  ],
  randomNormal: [
    nn.randomNormal,
    {},
    ['std_dev', 'stddev'],
    [{ mean: null }, 'mean must be a number, got null'],
  ],
  truncatedNormal: [
    nn.truncatedNormal,
    {},
    ['std', 'stddev'],
    [{ seed: 'a' }, 'seed must be an integer, got "a"'],
  ],
  varianceScaling: [
    nn.varianceScaling,
    {},
    ['scales', 'scale'],
    [{ mode: 'fan_in' }, 'mode must be "fanIn", "fanOut" or "fanAvg", got "fan_in"'],
  ],
  orthogonal: [nn.orthogonal, {}, ['gains', 'gain'], [{ gain: '1' }, 'gain must be a number, got "1"']],
  identityMatrix: [nn.identityMatrix, {}, ['gaim', 'gain'], [{ gain: [] }, 'gain must be a number, got []']],
  chronoInitializer: [
    nn.chronoInitializer,
    { maxSteps: 9 },
    ['max_steps', 'maxSteps'],
    [{ cell: 'rnn' }, 'cell must be "lstm" or "gru", got "rnn"'],
  ],
  l1l2: [nn.l1l2, {}, ['l_1', 'l1'], [{ l1: '1' }, 'l1 must be a number, got "1"']],
  orthogonalPenalty: [
    nn.orthogonalPenalty,
    {},
    ['factors', 'factor'],
    [{ mode: 'row' }, 'mode must be "rows" or "columns", got "row"'],
  ],
  maxNorm: [
    nn.maxNorm,
    {},
    ['max_value', 'maxValue'],
    [{ maxValue: '2' }, 'maxValue must be a number, got "2"'],
  ],
  unitNorm: [
    nn.unitNorm,
    {},
    ['axes', 'axis'],
    [{ axs: 1 }, 'there is no option "axs". Did you mean "axis"?'],
  ],
  minMaxNorm: [
    nn.minMaxNorm,
    {},
    ['min_value', 'minValue'],
    [{ rate: '1' }, 'rate must be a number, got "1"'],
  ],
};

for (const [owner, [make, valid, [spelling, correction], [invalid, message]]] of Object.entries(cases)) {
  describe(owner, () => {
    const call = (options: unknown): unknown => make(options as never);
    const refuses = (options: unknown, text: string): void =>
      assert.throws(
        () => call(options),
        (error: UnrollError) => {
          assert.ok(error instanceof UnrollError && error.message.startsWith(text), error.message);
          return error.code === 'value';
        },
      );
    test('accepts known options', () => void call(valid));
    test('rejects an unknown option', () =>
      refuses({ ...valid, qqqqqq: 1 }, `${owner}: there is no option "qqqqqq". The options are `));
    test('rejects a misspelt or foreign option name', () =>
      refuses(
        { ...valid, [spelling]: 1 },
        `${owner}: there is no option "${spelling}". Did you mean "${correction}"?`,
      ));
    test('rejects an invalid value', () => refuses({ ...valid, ...invalid }, `${owner}: ${message}`));
    test('rejects anything other than an object', () =>
      refuses([valid], `${owner} takes an object of options, `));
  });
}

test('the table contains every factory function with options', () => {
  const excluded = new Set([
    ...['builder', 'cellFromConfig', 'layerFromConfig', 'modelFromConfig', 'runSteps'],
    ...['registerActivation', 'registerCell', 'registerLayer'],
    // Other tests check the options of these functions.
    ...['generate', 'generateTokens', 'beamSearch', 'scheduledSampling'],
    ...['ctcGreedy', 'ctcBeamSearch', 'ctcDecoder', 'decodeTags', 'nBestTags', 'tagMarginals'],
    // These functions take no options.
    ...['l1', 'l2', 'nonNeg', 'lengthMask', 'roundWeights', 'stackedCells', 'zoneoutCell'],
  ]);
  const factories = Object.entries(nn).filter(
    ([name, value]) => typeof value === 'function' && /^[a-z]/.test(name) && !excluded.has(name),
  );
  assert.deepEqual(factories.map(([name]) => name).sort(), Object.keys(cases).sort());
});

test('rejects unneeded options, and recurrent() without a cell', () => {
  assert.throws(() => nn.lstm({ units: 2, unroll: true } as nn.LstmOptions), /"unroll"\. It is not needed/);
  assert.throws(
    () => nn.recurrent({ units: 8 } as unknown as nn.Cell),
    /recurrent takes a cell, as in recurrent\(lstmCell\(\{ units: 8 \}\)\), got \{ units \}/,
  );
  assert.throws(
    () => nn.lstm({ units: '8' as unknown as number, name: 'reader' }),
    /lstm: units must be a positive integer, got "8" \(layer "reader"\)/,
  );
  assert.throws(
    () => nn.sequential(nn.dense({ units: 1 }) as never),
    /sequential takes an array of layers, .* got a Dense/,
  );
});

test('classes and configs accept unknown options, which subclasses and files of other versions may have', () => {
  assert.equal(new nn.Dense({ units: 1, hint: 2 } as nn.DenseOptions).className, 'Dense');
  assert.equal(nn.layerFromConfig({ className: 'Dense', config: { units: 1, hint: 2 } }).className, 'Dense');
});

test('invalid initialisers, regularisers and constraints are shown in the error', () => {
  const build = (options: object): void => nn.dense({ units: 1, ...options }).build([[-1, 2]]);
  assert.throws(
    () => build({ kernelInitializer: { input: 1 } }),
    /there is no initializer \{ input \}\. Choose one of/,
  );
  assert.throws(() => build({ kernelInitializer: 'glorot_uniform' }), /Did you mean "glorotUniform"\?/);
  assert.throws(() => build({ kernelRegularizer: 0.1 }), /there is no regularizer 0\.1\. Choose one of/);
  assert.throws(
    () => build({ kernelRegularizer: { className: 'l2', config: { l2: '1' } } }),
    /l2: l2 must be a finite, non-negative number, got "1"/,
  );
  assert.throws(() => build({ kernelConstraint: 'max_norm' }), /Did you mean "maxNorm"\?/);
});
