// compile, fit, evaluate, predict and save reject options that do not exist, and data that are not numbers.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  type Cell,
  concatenate,
  dense,
  type FitOptions,
  model as functional,
  input,
  load,
  lstm,
  padSequences,
  sequential,
  stackedCells,
  UnrollError,
} from 'unrolljs';
import { csvLog, tensorBoard } from 'unrolljs/node';

const [x, y] = [
  [[0], [1], [2]],
  [[0], [2], [4]],
];
const model = () => sequential([dense({ units: 1 })]).compile({ loss: 'mse' });

const refuses = (work: () => unknown, message: RegExp): Promise<void> =>
  assert.rejects(
    async () => work(),
    (error: unknown) => {
      assert.ok(error instanceof UnrollError && error.code === 'value', String(error));
      assert.match(error.message, message);
      return true;
    },
  );

describe('rejected options', () => {
  const compile = (options: object) => () => model().compile({ loss: 'mse', ...options });
  const fit = (options: object) => () => model().fit(x, y, options as FitOptions);
  const evaluate = (options: object) => () => model().evaluate(x, y, options);
  const predict = (options: object) => () => model().predict(x, options);
  const save = (options: object) => () => model().save('nowhere', options);
  const cases: [string, () => unknown, RegExp][] = [
    ['compile: optimiser', compile({ optimiser: 'adam' }), /^compile: .* Did you mean "optimizer"\?$/],
    ['compile: metric', compile({ metric: ['mae'] }), /^compile: .* Did you mean "metrics"\?$/],
    ['compile: loss_weights', compile({ loss_weights: [1] }), /Did you mean "lossWeights"\?$/],
    ['compile: learning_rate', compile({ learning_rate: 1 }), /Pass it to the optimizer: \{ name: 'adam', /],
    [
      'compile: epochs',
      compile({ epochs: 1 }),
      /^compile: there is no option "epochs"\. Pass it to fit\(\)\.$/,
    ],
    ['compile: an unknown option', compile({ qqqqqq: 1 }), /The options are optimizer, loss, lossWeights/],
    ['compile: a wrong clip', compile({ clip: 1 }), /clip must be exactly one of .* got 1/],
    [
      'compile: clip twice',
      compile({ optimizer: { name: 'adam', clipNorm: 1 }, clip: { norm: 1 } }),
      /not both/,
    ],
    ['compile: a wrong average', compile({ average: { momentum: '1' } }), /must be in \[0, 1\), got "1"/],
    [
      'compile: metrics as text',
      compile({ metrics: 'mae' }),
      /^compile: metrics must be an array or an object, got "mae"\.$/,
    ],
    [
      'fit: one callback',
      fit({ callbacks: () => {} }),
      /^fit: callbacks must be an array, got a function\.$/,
    ],
    [
      'fit: batch_size',
      fit({ batch_size: 32 }),
      /^fit: there is no option "batch_size"\. Did you mean "batchSize"\?$/,
    ],
    ['fit: epoch', fit({ epoch: 50 }), /^fit: there is no option "epoch"\. Did you mean "epochs"\?$/],
    ['fit: validation_data', fit({ validation_data: [x, y] }), /Did you mean "validationData"\?$/],
    ['fit: validation_split', fit({ validation_split: 0.1 }), /Did you mean "validationSplit"\?$/],
    ['fit: sample_weight', fit({ sample_weight: [1] }), /Did you mean "sampleWeights"\?$/],
    ['fit: class_weight', fit({ class_weight: {} }), /Did you mean "classWeights"\?$/],
    ['fit: metrics', fit({ metrics: ['mae'] }), /^fit: .* Pass it to compile\(\)\.$/],
    ['fit: an unknown option', fit({ qqqqqq: 1 }), /The options are epochs, batchSize/],
    ['fit: a wrong value', fit({ epochs: '50' }), /^fit: epochs must be a positive integer, got "50"\.$/],
    ['fit: a wrong verbose', fit({ verbose: true }), /^fit: verbose must be 0, 1, 2 or "auto", got true\.$/],
    ['evaluate: batch_size', evaluate({ batch_size: 1 }), /^evaluate: .* Did you mean "batchSize"\?$/],
    ['evaluate: verbose', evaluate({ verbose: 0 }), /^evaluate: .* It is not needed: only fit\(\) prints/],
    ['evaluate: a wrong value', evaluate({ batchSize: '1' }), /must be a positive integer, got "1"/],
    ['predict: batch_size', predict({ batch_size: 1 }), /^predict: .* Did you mean "batchSize"\?$/],
    [
      'predictAll: batch_size',
      () => model().predictAll(x, { batch_size: 1 } as object),
      /^predictAll: .* Did you mean "batchSize"\?$/,
    ],
    [
      'predictArray: batch_size',
      () => model().predictArray(x, { batch_size: 1 } as object),
      /^predictArray: .* Did you mean "batchSize"\?$/,
    ],
    ['predict: an unknown option', predict({ qqqqqq: 1 }), /The options are batchSize, mask\.$/],
    ['predict: a wrong value', predict({ batchSize: null }), /^predict: batchSize must be .* got null\.$/],
    ['save: weight', save({ weight: 'float16' }), /^save: .* Did you mean "weights"\?$/],
    [
      'save: a wrong value',
      save({ weights: 'int8' }),
      /^save: weights must be "float32" or "float16", got "int8"\.$/,
    ],
  ];
  for (const [name, work, message] of cases) test(name, () => refuses(work, message));

  test('fit: a callback that monitors a metric that the run does not have', () =>
    refuses(
      fit({ checkpointDir: undefined, callbacks: [{ name: 'own', monitors: 'val_loss', onEvent() {} }] }),
      /val_loss/,
    ));
});

describe('rejected arguments in the style of Keras', () => {
  const cases: [string, () => unknown, RegExp][] = [
    [
      'tensorBoard: log_dir',
      () => tensorBoard({ log_dir: 'logs' } as unknown as string),
      /^tensorBoard: the first argument must be the path of a folder, got \{ log_dir \}\.$/,
    ],
    [
      'csvLog: filename',
      () => csvLog({ filename: 'a.csv' } as unknown as string),
      /^csvLog: the first argument must be the path of a file, got \{ filename \}\.$/,
    ],
    [
      'stackedCells: cells',
      () => stackedCells({ cells: [] } as unknown as Cell[]),
      /^stackedCells takes an array of cells, .* got \{ cells \}\.$/,
    ],
    [
      'model: no outputs',
      () => functional({ inputs: input({ shape: [3] }) } as Parameters<typeof functional>[0]),
      /^model: outputs must be a tensor or an array of tensors, got undefined\.$/,
    ],
    [
      'apply: initial_state',
      () => lstm({ units: 2 }).apply(input({ shape: [null, 1] }), { initial_state: [] } as object),
      /^apply: there is no option "initial_state"\. Did you mean "initialState"\?$/,
    ],
    [
      'apply: one initial state',
      () => {
        const x = input({ shape: [null, 1] });
        return lstm({ units: 2 }).apply(x, { initialState: x as never });
      },
      /^apply: initialState must be an array, got a SymbolicTensor\.$/,
    ],
    [
      'padSequences: maxLength',
      () => padSequences([[1]], { maxLength: 3 } as object),
      /Did you mean "steps"\?$/,
    ],
  ];
  for (const [name, work, message] of cases) test(name, () => refuses(work, message));
});

describe('inputs and targets', () => {
  test('fit and evaluate reject a call without y', async () => {
    const message = /^fit: y is missing\. Pass the targets after x, as in fit\(x, y, options\)\.$/;
    await refuses(() => model().fit(x, { epochs: 3 } as never), message);
    await refuses(() => model().fit(x, undefined as never), message);
    await refuses(() => model().evaluate(x, { batchSize: 3 } as never), /^evaluate: y is missing\./);
  });
  test('fit, evaluate and trainOnBatch reject x and y in one object', async () => {
    const both = { x, y } as never;
    await refuses(
      () => model().fit(both),
      /^fit takes x and y as separate arguments, got \{ x, y \}\. Write fit\(x, y\)\.$/,
    );
    await refuses(() => model().fit(both, { epochs: 3 } as never), /Write fit\(x, y\)\.$/);
    const more = { x, y, epochs: 3, batchSize: 2 } as never;
    await refuses(() => model().fit(more), /Write fit\(x, y, \{ epochs, batchSize \}\)\.$/);
    await refuses(() => model().evaluate(both), /^evaluate takes .* Write evaluate\(x, y\)\.$/);
    await refuses(() => model().trainOnBatch(both, undefined as never), /Write trainOnBatch\(x, y\)\.$/);
  });
  test('inputs may be named x and y', async () => {
    const [a, b] = ['x', 'y'].map((name) => input({ shape: [1], name }));
    const outputs = dense({ units: 1 }).apply(concatenate().apply([a, b]));
    const network = functional({ inputs: [a, b], outputs }).compile({ loss: 'mse' });
    assert.equal((await network.fit({ x, y }, y, { verbose: 0 })).epochs, 1);
    await refuses(() => network.fit({ x, y }, undefined as never), /^fit: y is missing\./);
  });
  test('an output may have the name of an option', async () => {
    const source = input({ shape: [1] });
    const outputs = [dense({ units: 1, name: 'mask' }).apply(source)];
    const network = functional({ inputs: [source], outputs }).compile({ loss: 'mse' });
    assert.equal((await network.fit([[1], [2]], { mask: [[1], [2]] }, { verbose: 0 })).epochs, 1);
  });
  const pairs = [{ input: [0], output: [0] }];
  const cases: [string, unknown, RegExp][] = [
    [
      'pairs',
      pairs,
      /^x\[0\] must be .* got \{ input, output \}\. Pass inputs and outputs separately: fit\(inputs, outputs\)\.$/,
    ],
    ['a date', new Date(0), /^x must be .* got a Date\. Convert dates to numbers first/],
    ['dates', [[new Date(0)]], /^x\[0\]\[0\] must be .* got a Date/],
    [
      'text',
      '1',
      /^x must be a number or an array of numbers, got "1"\. Convert strings to numbers first\.$/,
    ],
    ['null', null, /^x must be .* got null\.$/],
    ['undefined', undefined, /^x must be .* got undefined\.$/],
    ['a promise', Promise.resolve(x), /^x must be .* got a Promise\. Await it first\.$/],
    ['named texts', { a: ['1'] }, /^x\.a\[0\] must be .* got "1"/],
    ['a text after a number', [[0], ['1']], /^x\[1\]\[0\] must be .* got "1"/],
  ];
  for (const [name, values, message] of cases) {
    test(`fit rejects ${name}`, () => refuses(() => model().fit(values as number[], y), message));
    test(`predict rejects ${name}`, () => refuses(() => model().predict(values as number[]), message));
  }
  test('y, sampleWeights and mask must be numbers, too', async () => {
    await refuses(() => model().evaluate(x, null as never), /^y must be .* got null/);
    await refuses(() => model().fit(x, [['1'], [2], [3]] as never), /^y\[0\]\[0\] must be .* got "1"/);
    await refuses(
      () => model().fit(x, y, { sampleWeights: 'all' as never }),
      /^sampleWeights must be .* got "all"/,
    );
    await refuses(
      () => model().fit(x, y, { mask: [[null]] as never }),
      /^mask\[0\]\[0\] must be .* got null/,
    );
  });
});

test("an optimizer's clipping is saved and loaded with the model", async () => {
  const trained = sequential([dense({ units: 1 })], { seed: 1 });
  trained.compile({ optimizer: { name: 'sgd', clipNorm: 1e-3 }, loss: 'mse' });
  await trained.fit(x, y, { verbose: 0 });
  const folder = await mkdtemp(join(tmpdir(), 'unroll-'));
  try {
    await trained.save(join(folder, 'model'));
    const loaded = await load(join(folder, 'model'));
    const before = loaded.getWeights()[0].values[0];
    await loaded.fit(x, y, { verbose: 0 });
    const moved = Math.abs(loaded.getWeights()[0].values[0] - before);
    assert.ok(moved > 0 && moved < 1.1e-5, `a step of 0.01 times a gradient clipped to 0.001 moved ${moved}`);
  } finally {
    await rm(folder, { recursive: true });
  }
});
