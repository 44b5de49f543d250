// Every function with options rejects unknown options, option names of other libraries, and invalid values.
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { UnrollError } from '@unroll/core';
import * as train from '@unroll/train';
import { checkpoints, csvLog, tensorBoard } from '@unroll/train/node';
import { fails } from './fails.js';
import { forecaster, waves } from './small-model.js';

type Options = Record<string, unknown>;
/** A call, valid options, a wrong option name (misspelt, or from another library) and its correction, and an invalid value. */
type OptionCase = [
  call: (options: never) => unknown,
  validOptions: Options,
  misspelt: [spelling: string, suggestion: string],
  invalid: [Options, message: RegExp],
];

const loss = (call: OptionCase[0], misspelt: OptionCase[2] = ['reductoin', 'reduction']): OptionCase => [
  call,
  {},
  misspelt,
  [{ reduction: 3 }, /there is no reduction 3\. Choose one of sumOverBatchSize/],
];
const optimizer = (call: OptionCase[0], misspelt: OptionCase[2] = ['lr', 'learningRate']): OptionCase => [
  call,
  {},
  misspelt,
  [{ learningRate: '0.1' }, /learningRate must be a finite number above 0, got "0\.1"/],
];
const metricWithoutOptions = (call: OptionCase[0]): OptionCase => [
  call,
  {},
  ['threshold', ''],
  [{ k: 2 }, /there is no option "k"\. It has no options/],
];
const { metrics } = train;
const rate = { initialLearningRate: 1 };
const notANumber = (option: string): [Options, RegExp] => [
  { [option]: [1] },
  new RegExp(`${option} must be a finite number .*, got \\[1\\]`),
];
const folder = join(tmpdir(), 'unroll-options');
const { x, y } = waves();
const common = { x, y, loss: 'mse', optimizer: 'adam' } as const;

const syncCases: Record<string, OptionCase> = {
  mse: loss(train.losses.mse),
  mae: loss(train.losses.mae),
  huber: loss(train.losses.huber, ['detla', 'delta']),
  logCosh: loss(train.losses.logCosh),
  binaryCrossentropy: loss(train.losses.binaryCrossentropy, ['from_logits', 'fromLogits']),
  categoricalCrossentropy: loss(train.losses.categoricalCrossentropy, ['label_smoothing', 'labelSmoothing']),
  sparseCategoricalCrossentropy: loss(train.losses.sparseCategoricalCrossentropy, [
    'ignore_class',
    'ignoreClass',
  ]),
  binaryFocalCrossentropy: loss(train.losses.binaryFocalCrossentropy, [
    'apply_class_balancing',
    'applyClassBalancing',
  ]),
  categoricalFocalCrossentropy: loss(train.losses.categoricalFocalCrossentropy, ['alhpa', 'alpha']),
  poisson: loss(train.losses.poisson),
  pinball: loss(train.losses.pinball, ['quantil', 'quantile']),
  gaussianNll: loss(train.losses.gaussianNll, ['eps', 'epsilon']),
  studentTNll: loss(train.losses.studentTNll),
  negativeBinomialNll: loss(train.losses.negativeBinomialNll, ['unit', 'units']),
  customLoss: loss((options) => train.losses.custom('own', (p) => p, options)),
  sgd: optimizer(train.sgd, ['nestrov', 'nesterov']),
  rmsprop: optimizer(train.rmsprop, ['weight_decay', 'weightDecay']),
  adagrad: optimizer(train.adagrad, ['initial_accumulator_value', 'initialAccumulatorValue']),
  adam: optimizer(train.adam),
  adamw: optimizer(train.adamw, ['beta_1', 'beta1']),
  nadam: optimizer(train.nadam, ['clipnorm', 'clipNorm']),
  accuracy: metricWithoutOptions(metrics.accuracy),
  categoricalAccuracy: metricWithoutOptions(metrics.categoricalAccuracy),
  sparseCategoricalAccuracy: metricWithoutOptions(metrics.sparseCategoricalAccuracy),
  auc: metricWithoutOptions(metrics.auc),
  'mae as a metric': metricWithoutOptions(metrics.mae),
  'mse as a metric': metricWithoutOptions(metrics.mse),
  rmse: metricWithoutOptions(metrics.rmse),
  r2: metricWithoutOptions(metrics.r2),
  binaryAccuracy: [
    metrics.binaryAccuracy,
    {},
    ['treshold', 'threshold'],
    [{ threshold: '1' }, /must be a number, got "1"/],
  ],
  topKAccuracy: [metrics.topKAccuracy, {}, ['K', 'k'], [{ k: '5' }, /k must be a positive integer, got "5"/]],
  precision: [metrics.precision, {}, ['averages', 'average'], [{ average: 1 }, /'macro' or 'micro', got 1/]],
  recall: [
    metrics.recall,
    {},
    ['thresholds', 'threshold'],
    [{ threshold: [] }, /must be a number, got \[\]/],
  ],
  f1: [metrics.f1, {}, ['avrage', 'average'], [{ average: 'all' }, /'macro' or 'micro', got "all"/]],
  confusionMatrix: [
    metrics.confusionMatrix,
    {},
    ['treshold', 'threshold'],
    [{ threshold: null }, /a number, got null/],
  ],
  perplexity: [
    metrics.perplexity,
    {},
    ['from_logits', 'fromLogits'],
    [{ fromLogits: 1 }, /true or false, got 1/],
  ],
  exponentialDecay: [
    train.exponentialDecay,
    { ...rate, decaySteps: 1, decayRate: 0.5 },
    ['decay_rate', 'decayRate'],
    notANumber('decayRate'),
  ],
  inverseTimeDecay: [
    train.inverseTimeDecay,
    { ...rate, decaySteps: 1, decayRate: 0.5 },
    ['stair_case', 'staircase'],
    notANumber('decaySteps'),
  ],
  stepDecay: [train.stepDecay, { ...rate, stepSize: 1 }, ['step_size', 'stepSize'], notANumber('gamma')],
  piecewiseConstantDecay: [
    train.piecewiseConstantDecay,
    { boundaries: [1], values: [1, 2] },
    ['value', 'values'],
    [{ values: 1 }, /values must be an array, got 1/],
  ],
  polynomialDecay: [
    train.polynomialDecay,
    { ...rate, decaySteps: 1 },
    ['powr', 'power'],
    notANumber('power'),
  ],
  cosineDecay: [
    train.cosineDecay,
    { ...rate, decaySteps: 1 },
    ['warmup_steps', 'warmupSteps'],
    notANumber('alpha'),
  ],
  cosineDecayRestarts: [
    train.cosineDecayRestarts,
    { ...rate, firstDecaySteps: 1 },
    ['t_mul', 'tMul'],
    notANumber('mMul'),
  ],
  oneCycle: [
    train.oneCycle,
    { maxLearningRate: 1, totalSteps: 9 },
    ['pct_start', 'pctStart'],
    notANumber('divFactor'),
  ],
  earlyStopping: [
    train.earlyStopping,
    {},
    ['restore_best_weights', 'restoreBestWeights'],
    [{ patience: '3' }, /patience must be a non-negative integer, got "3"/],
  ],
  reduceOnPlateau: [
    train.reduceOnPlateau,
    {},
    ['min_lr', 'minLearningRate'],
    [{ factor: 2 }, /factor must be .* got 2/],
  ],
  progress: [
    train.progress,
    {},
    ['fromat', 'format'],
    [{ format: 'json' }, /"lines" or "ndjson", got "json"/],
  ],
  csvLog: [
    (options) => csvLog('x.csv', options),
    {},
    ['seperator', 'separator'],
    [{ separator: 1 }, /a string, got 1/],
  ],
  tensorBoard: [
    (options) => tensorBoard(folder, options),
    {},
    ['update_freq', 'everyUpdates'],
    [{ everyUpdates: 'epoch' }, /everyUpdates must be a positive integer, got "epoch"/],
  ],
  checkpoints: [
    checkpoints,
    { directory: folder },
    ['save_best_only', 'best'],
    [
      { best: { monitr: 'loss' } },
      /^checkpoints: best: there is no option "monitr"\. Did you mean "monitor"\?/,
    ],
  ],
  checkpointsTo: [
    (options) => train.checkpointsTo({ write: async () => {}, location: (name) => name }, options),
    {},
    ['save_best_only', 'best'],
    [
      { best: { monitr: 'loss' } },
      /^checkpointsTo: best: there is no option "monitr"\. Did you mean "monitor"\?/,
    ],
  ],
  plateau: [
    (options) => new train.Plateau(options),
    {},
    ['patient', 'patience'],
    [{ better: 'less' }, /better must be "lower" or "higher", got "less"/],
  ],
  train: [
    (options) => train.train(forecaster(), options),
    common,
    ['epoch', 'epochs'],
    [{ average: { momntum: 1 } }, /average: there is no option "momntum"\. Did you mean "momentum"\?/],
  ],
};
const asyncCases: Record<string, OptionCase> = {
  fit: [
    (options) => train.fit(forecaster(), options),
    common,
    ['batch_size', 'batchSize'],
    [{ epochs: '3' }, /epochs must be a positive integer, got "3"/],
  ],
  evaluate: [
    (options) => train.evaluate(forecaster(), { x, y }, options),
    { loss: 'mse' },
    ['metric', 'metrics'],
    [{ batchSize: 0.5 }, /batchSize must be a positive integer, got 0\.5/],
  ],
  predict: [
    (options) => train.predict(forecaster(), x, options),
    {},
    ['batch_size', 'batchSize'],
    [{ verbose: 0 }, /there is no option "verbose"\. It is not needed: only fit\(\) prints progress/],
  ],
  findLearningRate: [
    (options) => train.findLearningRate(forecaster(), options),
    { ...common, steps: 1 },
    ['stop_at', 'stopAt'],
    [{ steps: '9' }, /steps must be a positive integer, got "9"/],
  ],
};

for (const [name, [call, validOptions, [spelling, suggestion], [invalid, message]]] of Object.entries({
  ...syncCases,
  ...asyncCases,
})) {
  describe(name, () => {
    const owner = name.replace(' as a metric', '');
    const assertRejects = async (options: Options, text: RegExp): Promise<void> =>
      assert.rejects(async () => call({ ...validOptions, ...options } as never), fails('value', text));
    test('accepts known options', async () => void (await call(validOptions as never)));
    test('rejects an unknown option', () =>
      assertRejects(
        { qqqqqq: 1 },
        new RegExp(`^${owner}: there is no option "qqqqqq"\\. (The options are|It has no options)`),
      ));
    test('suggests the correct name for a misspelt option name or one from another library', () => {
      const help = suggestion === '' ? 'It has no options' : `Did you mean "${suggestion}"\\?`;
      return assertRejects(
        { [spelling]: 1 },
        new RegExp(`^${owner}: there is no option "${spelling}"\\. ${help}`),
      );
    });
    test('rejects a wrong value', () => assertRejects(invalid, message));
  });
}

describe('names of losses and optimizers', () => {
  const resolve = (spec: unknown): unknown => train.resolveLoss(spec as train.LossSpec);
  const cases: [string, unknown, RegExp][] = [
    ['name that Keras uses', 'mean_squared_error', /no loss "mean_squared_error"\. .* Did you mean "mse"\?/],
    ['name in upper case', 'MAE', /Did you mean "mae"\?/],
    ['that is a function', train.losses.mse, /A loss must be a name, .* got a function/],
    ['that is missing', undefined, /A loss must be a name, .* got undefined/],
    ['that is null', null, /got null/],
    ['whose name is a number', { name: 3 }, /got \{ name \}/],
  ];
  for (const [description, spec, message] of cases) {
    test(`rejects a loss ${description}`, () => assert.throws(() => resolve(spec), fails('value', message)));
  }
  test('suggests the correct name for a misspelt optimizer', () =>
    assert.throws(() => train.resolveOptimizer('Adm' as 'adam'), fails('value', /Did you mean "adam"\?/)));
});

describe('monitors are checked before training', () => {
  const run = (callbacks: readonly train.Callback[], options: object = {}): Promise<unknown> =>
    train.fit(forecaster(), { ...common, metrics: ['mae'], epochs: 1, callbacks, ...options });
  const callbackOf = (onEvent: () => void): train.Callback => ({ name: 'counts', onEvent });
  const withValidation = { validationSplit: 0.5 };
  const cases: [string, train.Callback, object, RegExp][] = [
    [
      'valLoss',
      train.earlyStopping({ monitor: 'valLoss' }),
      withValidation,
      /"valLoss" to monitor\. Did you mean "validationLoss"\?/,
    ],
    [
      'val_loss',
      train.reduceOnPlateau({ monitor: 'val_loss' }),
      withValidation,
      /Did you mean "validationLoss"\?/,
    ],
    [
      'val_mae',
      checkpoints({ directory: folder, best: { monitor: 'val_mae' } }),
      withValidation,
      /Did you mean "validationMae"\?/,
    ],
    [
      'val_loss without validation data',
      train.earlyStopping({ monitor: 'val_loss' }),
      {},
      /validationLoss needs validationData/,
    ],
  ];
  for (const [name, callback, options, message] of cases) {
    test(`rejects ${name}`, async () => {
      let events = 0;
      const counts = callbackOf(() => void events++);
      await assert.rejects(run([counts, callback], options), fails('value', message));
      assert.equal(events, 0);
    });
  }
  test('accepts metrics of the run and those that a callback adds', async () => {
    const callback = { ...callbackOf(() => {}), metrics: ['mine'] };
    for (const monitor of ['loss', 'mae', 'validationLoss', 'validationMae'])
      await run([train.earlyStopping({ monitor })], withValidation);
    const addsMetric: train.Callback = {
      ...callback,
      onEvent: (event) => void Object.assign(event, { metrics: { mine: 1 } }),
    };
    await run([addsMetric, train.earlyStopping({ monitor: 'mine' })]);
  });
});

describe('clipping by the optimizer', () => {
  const kinds = [
    [{ clipNorm: 0.01 }, { norm: 0.01 }],
    [{ globalClipNorm: 0.01 }, { globalNorm: 0.01 }],
    [{ clipValue: 0.001 }, { value: 0.001 }],
  ] as const;
  for (const [option, clip] of kinds) {
    test(`${Object.keys(option)[0]} trains the same weights as clip: { ${Object.keys(clip)[0]} }`, async () => {
      const trainedWeights = async (options: object): Promise<unknown> => {
        const model = forecaster();
        await train.fit(model, { ...common, epochs: 2, ...options });
        return model.parameters.map((parameter) => parameter.dataSync());
      };
      const byOptimizer = await trainedWeights({ optimizer: { name: 'sgd', ...option } });
      assert.deepEqual(byOptimizer, await trainedWeights({ optimizer: 'sgd', clip }));
      assert.notDeepEqual(byOptimizer, await trainedWeights({ optimizer: 'sgd' }));
      const { name, config } = train.sgd(option);
      assert.deepEqual(train.resolveOptimizer({ name: name as 'sgd', ...config }).clip, clip);
    });
  }
  test('accepts exactly one kind, with a limit above 0', () => {
    const cases: [() => unknown, RegExp][] = [
      [
        () => train.adam({ clipNorm: 1, clipValue: 1 }),
        /adam: set only one of clipNorm, .*, got clipNorm and clipValue/,
      ],
      [() => train.adam({ clipNorm: 0 }), /adam: clipNorm must be a number above 0, got 0/],
      [
        () =>
          train.train(forecaster(), { ...common, optimizer: train.adam({ clipNorm: 1 }), clip: { norm: 1 } }),
        /Set either clip or the clipping option of the optimizer adam, not both/,
      ],
      [
        () => train.train(forecaster(), { ...common, clip: 1 as unknown as train.Clip }),
        /exactly one of .*, got 1/,
      ],
    ];
    for (const [work, message] of cases) assert.throws(work, fails('value', message));
    assert.equal(train.adam().clip, null);
    assert.ok(!('clipNorm' in train.adam().config));
  });
});

test('the error for non-numeric data shows the value received', async () => {
  const objects = [{ input: [0], output: [1] }];
  await assert.rejects(
    async () => train.fit(forecaster(), { ...common, x: objects as never }),
    (error: UnrollError) => /got \{ input, output \}/.test(error.message),
  );
});

describe('undefined and NaN', () => {
  test('an undefined option counts as omitted', () => {
    assert.equal(new train.Plateau({ better: undefined, factor: undefined }).options.factor, 0.1);
    assert.equal(new train.Plateau({ better: undefined }).options.better, 'lower');
    const rate = { maxLearningRate: 1, totalSteps: 10 };
    const [omitted, undefinedOption] = [
      train.oneCycle(rate),
      train.oneCycle({ ...rate, pctStart: undefined }),
    ];
    assert.deepEqual(undefinedOption.config, omitted.config);
  });
  test('NaN is rejected where a number is required', () => {
    const calls: [() => unknown, RegExp][] = [
      [() => train.earlyStopping({ baseline: Number.NaN }), /baseline must be a number, got NaN/],
      [() => metrics.binaryAccuracy({ threshold: Number.NaN }), /threshold must be a number, got NaN/],
    ];
    for (const [call, message] of calls) assert.throws(call, message);
  });
});
