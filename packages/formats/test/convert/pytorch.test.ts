// Models imported from state dicts and checkpoints of PyTorch have the same outputs as in PyTorch. Also tests refused files
// and NumPy arrays.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { predict, ready, tensor } from '@unroll/core';
import { writeSafetensors } from '@unroll/formats';
import { bytesSource, formatNamed, formatOfFile, readNpz } from '@unroll/formats/convert';
import { fileSource } from '@unroll/formats/convert/node';
import { cases, decode, FOLDER, largestError, others } from './torch-cases.js';

before(() => ready());

describe('imported models have the outputs of PyTorch', () => {
  for (const [name, { file, options, map, x, y }] of Object.entries(cases)) {
    test(`${name}: ${JSON.stringify(options)}`, async () => {
      const source = await fileSource(join(FOLDER, file));
      const format = await formatOfFile(source);
      const { model, report } = await format.read(source, map === null ? {} : { map });
      const input = decode(x);
      const output = await predict(model, tensor(Array.from(input.values), input.shape));
      const expected = decode(y);
      assert.deepEqual([...output.shape], expected.shape);
      const error = largestError(await output.data(), expected.values);
      assert.ok(error < 1e-5, `error ${error}`);
      assert.ok(report.mapped.length > 0);
    });
  }
});

const fileOf = async (name: string) => {
  const source = await fileSource(join(FOLDER, name));
  return { source, format: await formatOfFile(source) };
};
const hasOtherFolder = process.env.UNROLL_TORCH_CASES !== undefined;

describe('other files of PyTorch', {
  skip: hasOtherFolder && 'UNROLL_TORCH_CASES is a folder that has only models',
}, () => {
  const refused: Record<string, RegExp> = {
    'refused-module.pt':
      /is a whole module \(it contains torch\.nn\.modules\.rnn\.GRU\).*torch\.save\(model\.state_dict\(\)/,
    'refused-script.pt':
      /is a TorchScript archive, which contains a program.*torch\.save\(model\.state_dict\(\)/,
    'refused-args.pt':
      /contains argparse\.Namespace, but Unroll reads only tensors.*torch\.save\(model\.state_dict\(\)/,
  };
  for (const [name, message] of Object.entries(refused)) {
    test(`${name} is refused`, async () => {
      const { source, format } = await fileOf(name);
      assert.equal(format.name, 'pytorch');
      await assert.rejects(format.read(source), message);
      await assert.rejects(format.describe(source), message);
    });
  }
  test('tied weights are copied, and reported', async () => {
    const { source, format } = await fileOf('tied.pt');
    const { model, report } = await format.read(source);
    assert.equal(model.countParams(), 15 + 9 + 9 + 3 + 15 + 5);
    assert.deepEqual(
      report.defaulted.find(({ name }) => name === 'head.weight'),
      {
        name: 'head.weight',
        value: 'a copy',
        reason: 'it is tied to embedding.weight in the file; in training, the two will differ',
      },
    );
    assert.deepEqual(
      report.dropped.map(({ name }) => name),
      ['epoch', 'loss'],
    );
  });
  test('tensors that are views of one storage, with offsets and strides, are read', async () => {
    const { source, format } = await fileOf('views.pt');
    const { model } = await format.read(source);
    const kernel = await model.parameters[0]?.data();
    const { values, shape } = decode(others.views?.['lstm.weight_ih_l0'] ?? { shape: [], values: '' });
    assert.deepEqual(shape, [8, 3]);
    const [rows, columns] = shape as [number, number];
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) assert.equal(kernel?.[c * rows + r], values[r * columns + c]);
  });
});

test('if a layer in a map has an option of a wrong type, the error names the layer', async () => {
  const { file, map } = Object.values(cases).find((each) => each.map !== null)!;
  const { layers, ...rest } = map as { layers: unknown[] };
  const permute = { layer: 'Permute', config: { name: 'swap', dims: 'x' } };
  const format = await formatNamed('pytorch');
  await assert.rejects(
    format.read(await fileSource(join(FOLDER, file)), { map: { ...rest, layers: [...layers, permute] } }),
    {
      code: 'format',
      message: /^Layer "swap" \(Permute\) has an option of a wrong type \(.*dims.*\)\. Correct it in/,
    },
  );
});

/** Returns a state dict of zeros. */
const stateDictOf = (shapes: Record<string, number[]>) => {
  const tensors = Object.entries(shapes).map(([name, shape]) => {
    const bytes = new Uint8Array(4 * shape.reduce((product, extent) => product * extent, 1));
    return [name, { dtype: 'F32', shape, bytes }] as const;
  });
  return bytesSource(writeSafetensors(new Map(tensors)), 'weights.safetensors');
};

test('the groups of a convolution follow from the input width, even if a map adds a layer before the convolution', async () => {
  const source = stateDictOf({
    'fc.weight': [4, 3],
    'fc.bias': [4],
    'conv.weight': [6, 2, 3],
    'conv.bias': [6],
  });
  const dropout = { layer: 'Dropout', config: { rate: 0.5 } };
  const map = { layers: [{ module: 'fc' }, dropout, { module: 'conv' }], omit: [] };
  const { model, report } = await (await formatNamed('safetensors')).read(source, { map });
  const { groups } = model.layers.at(-1)!.config.config;
  assert.equal(groups, 2);
  assert.ok(report.defaulted.every(({ name }) => !name.includes('groups')));
});

test('the report names every option that was set to its default', async () => {
  const source = stateDictOf({
    'embedding.weight': [9, 4],
    'rnn.weight_ih_l0': [5, 4],
    'rnn.weight_hh_l0': [5, 5],
    'rnn.weight_ih_l1': [5, 5],
    'rnn.weight_hh_l1': [5, 5],
    'norm.weight': [5],
    'norm.bias': [5],
    'norm.running_mean': [5],
    'norm.running_var': [5],
    'conv.weight': [6, 5, 3],
  });
  const map = {
    layers: ['embedding', 'rnn', 'norm', 'conv'].map((module) => ({
      module,
      ...(module === 'embedding' && { type: 'Embedding' }),
      ...(module === 'conv' && { strides: 2 }),
    })),
  };
  const format = await formatNamed('safetensors');
  const { report } = await format.read(source, { map });
  assert.deepEqual(
    report.defaulted.map(({ name, value }) => `${name} ${value}`),
    [
      ...['embedding: maskZero false', 'rnn: output sequence', 'rnn: nonlinearity tanh', 'rnn: dropout 0'],
      ...['norm: epsilon 1e-5', 'norm: momentum 0.9'],
      ...['conv: activation linear', 'conv: padding valid', 'conv: dilationRate 1'],
    ],
  );
  const first = await format.read(stateDictOf({ 'conv.weight': [4, 2, 3] }));
  assert.ok(first.report.defaulted.some(({ name, value }) => name === 'conv: groups' && value === '1'));
});

describe('NumPy arrays', {
  skip: hasOtherFolder && 'UNROLL_TORCH_CASES is a folder that has only models',
}, () => {
  const arraysIn = async (name: string) => readNpz(await fileSource(join(FOLDER, name)));
  test('every type of number, both byte orders and both orders of axes are read', async () => {
    const arrays = await arraysIn('arrays.npz');
    for (const [name, expected] of Object.entries(others.arrays ?? {})) {
      const { shape, values } = decode(expected);
      const found = arrays.get(name);
      assert.deepEqual([found?.shape, Array.from(found?.values ?? [])], [shape, Array.from(values)], name);
    }
    assert.equal(arrays.size, Object.keys(others.arrays ?? {}).length);
  });
  test('a compressed file, and a file with a single array, are read', async () => {
    const arrays = await arraysIn('compressed.npz');
    assert.deepEqual(arrays.get('zeros')?.shape, [100, 100]);
    assert.deepEqual(Array.from(arrays.get('x')?.values ?? []), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual((await arraysIn('single.npy')).get('')?.shape, [2, 3]);
  });
  test('arrays of objects are refused', async () => {
    await assert.rejects(
      arraysIn('objects.npz'),
      /its data type "\|O" is not supported; arrays of Python objects are not read/,
    );
  });
});
