/** Tests the checks of options: the errors for unknown options and invalid values say what would be valid. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Tensor, tensor, type UnrollError } from '@unroll/core';
import { checkOptions, formatValue, nameHint, type OptionTypes, unknownOption } from '@unroll/core/internal';

interface Options {
  units?: number;
  rate?: number;
  learningRate?: number;
  returnSequences?: boolean;
  mode?: 'min' | 'max';
  name?: string;
  trainable?: boolean;
}
const known: OptionTypes<Options> = {
  units: 'count',
  rate: 'fraction',
  learningRate: 'number',
  returnSequences: 'boolean',
  mode: ['min', 'max'],
  name: 'string',
  trainable: true,
};

const refuses = (options: unknown, message: string): void =>
  assert.throws(
    () => checkOptions('lstm', options as Options, known),
    (error: UnrollError) => {
      assert.equal(error.message, message);
      return error.code === 'value';
    },
  );

describe('options', () => {
  test('accepts known options and omitted values', () => {
    checkOptions<Options>('lstm', { units: 1, rate: 0, learningRate: 0.1, mode: 'max' }, known);
    checkOptions('lstm', { units: undefined, returnSequences: undefined } as unknown as Options, known);
  });

  test('rejects NaN as a number', () =>
    refuses({ learningRate: Number.NaN }, 'lstm: learningRate must be a number, got NaN.'));

  const suggestions = {
    return_sequences: 'returnSequences',
    ReturnSequences: 'returnSequences',
    unit: 'units',
    lr: 'learningRate',
    hidden_size: 'units',
    out_features: 'units',
    p: 'rate',
  };
  for (const [option, meant] of Object.entries(suggestions)) {
    test(`suggests ${meant} for ${option}`, () =>
      refuses({ [option]: 1 }, `lstm: there is no option "${option}". Did you mean "${meant}"?`));
  }

  test('lists all options for an unrelated name', () =>
    refuses(
      { colour: 1 },
      'lstm: there is no option "colour". The options are units, rate, learningRate, returnSequences, mode, name, trainable.',
    ));

  test('rejects names of Object.prototype members like any other unknown option', () =>
    refuses({ constructor: 1 }, unknownOption('lstm', 'constructor', Object.keys(known)).message));

  const hints = {
    use_cudnn: 'It is not needed: the fastest implementation is always used.',
    input_shape:
      'It is not needed: shapes are taken from the data, or from input({ shape }) as the first layer.',
    batch_first: 'It is not needed: tensors are always [batch, time, features].',
    class_weight: 'Pass it to fit().',
    input_dim:
      'It is not needed: shapes are taken from the data, or from input({ shape }) as the first layer.',
    in_features:
      'It is not needed: shapes are taken from the data, or from input({ shape }) as the first layer.',
    batch_shape: 'Pass the shape without the batch: input({ shape: [null, 8], batchSize: 32 }).',
    initial_state:
      'Pass it when the layer is applied: lstm({ units: 8 }).apply(x, { initialState: [h, c] }).',
    num_layers: 'Add several recurrent layers to the model, all but the last with returnSequences: true.',
    bidirectional: 'Wrap the layer: bidirectional(lstm({ units: 8 })).',
    padding_idx: 'With maskZero: true, id 0 is padding.',
    initial_epoch: 'It is not needed: fit() continues after the last epoch of the previous call.',
    validation_freq: 'It is not needed: validation runs after every epoch.',
    validation_batch_size: 'It is not needed: validation also uses batchSize.',
    optimizer: 'Pass it to compile().',
  };
  for (const [option, hint] of Object.entries(hints)) {
    test(`says what to do instead of ${option}`, () =>
      refuses({ [option]: 1 }, `lstm: there is no option "${option}". ${hint}`));
  }

  test('reports that there are no options', () =>
    assert.equal(unknownOption('auc', 'k', []).message, 'auc: there is no option "k". It has no options.'));

  test('rejects values of the wrong type', () => {
    refuses({ units: '32' }, 'lstm: units must be a positive integer, got "32".');
    refuses(
      { units: [32], name: 'lstm_1' },
      'lstm: units must be a positive integer, got [32] (layer "lstm_1").',
    );
    refuses({ rate: 1 }, 'lstm: rate must be in [0, 1), got 1.');
    refuses({ learningRate: '1' }, 'lstm: learningRate must be a number, got "1".');
    refuses({ returnSequences: 1 }, 'lstm: returnSequences must be true or false, got 1.');
    refuses({ mode: 'up' }, 'lstm: mode must be "min" or "max", got "up".');
    refuses({ name: 3 }, 'lstm: name must be a string, got 3.');
  });

  test('rejects anything other than an object of options', () => {
    refuses(32, 'lstm takes an object of options, { units, rate, learningRate, ... }, got 32.');
    refuses(undefined, 'lstm takes an object of options, { units, rate, learningRate, ... }, got undefined.');
    refuses([32], 'lstm takes an object of options, { units, rate, learningRate, ... }, got [32].');
  });
});

test('for an unknown name, lists the valid names and suggests the nearest one or the equivalent of a Keras name', () => {
  assert.equal(nameHint('mean', ['mse', 'mae']), 'Choose one of mse, mae.');
  assert.equal(nameHint('mean_squared_error', ['mse', 'mae']), 'Choose one of mse, mae. Did you mean "mse"?');
  assert.equal(nameHint('MAE', ['mse', 'mae']), 'Choose one of mse, mae. Did you mean "mae"?');
  assert.equal(nameHint(3, ['mse', 'mae']), 'Choose one of mse, mae.');
});

test('formatValue abbreviates values', () => {
  const cases: [unknown, string][] = [
    ['32', '"32"'],
    ['x'.repeat(50), `"${'x'.repeat(40)}..."`],
    [3n, '3n'],
    [Symbol('s'), 'Symbol(s)'],
    [Number.NaN, 'NaN'],
    [null, 'null'],
    [() => 1, 'a function'],
    [[], '[]'],
    [[1, 2, 3, 4], '[1, 2, 3, ...]'],
    [[{ input: [0], output: [1] }], '[{ input, output }]'],
    [{}, '{}'],
    [{ a: 1, b: 2, c: 3, d: 4 }, '{ a, b, c, ... }'],
    [new Date(0), 'a Date'],
    [new Int8Array(2), 'an Int8Array'],
    [Promise.resolve(1), 'a Promise'],
    [Object.create(null), '{}'],
  ];
  for (const [value, text] of cases) assert.equal(formatValue(value), text);
  assert.equal(formatValue(tensor([1])), `a ${Tensor.name}`);
});
