/**
 * Convolution and pooling over images: gradients by central differences, frames of a video, and errors.
 * (goldens-convolution.test.ts compares the layers with Keras.) Detects a layer that mixes frames or rows of the batch, or
 * confuses height and width.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { slice } from '@unroll/core';
import {
  averagePooling2d,
  conv1d,
  conv2d,
  flatten,
  type Layer,
  lstm,
  maxPooling2d,
  sequential,
  timeDistributed,
} from '@unroll/nn';
import { checkGradients, randomTensor, run } from './helpers.js';

const image = randomTensor('image', 2, 4, 5, 2);
const video = randomTensor('video', 2, 3, 4, 5, 2);
const layers: Record<string, () => Layer> = {
  conv2d: () => conv2d({ filters: 3, kernelSize: [3, 2], activation: 'tanh', biasInitializer: 'ones' }),
  'conv2d, same, strides': () => conv2d({ filters: 2, kernelSize: [2, 3], strides: [1, 2], padding: 'same' }),
  'conv2d, dilated': () => conv2d({ filters: 2, kernelSize: 2, dilationRate: [3, 2], useBias: false }),
  maxPooling2d: () => maxPooling2d({ poolSize: [2, 3], strides: 1 }),
  'maxPooling2d, same': () => maxPooling2d({ poolSize: [3, 2], padding: 'same' }),
  'averagePooling2d, same': () => averagePooling2d({ poolSize: [3, 2], padding: 'same' }),
};

describe('gradients equal central differences', () => {
  for (const [name, make] of Object.entries(layers)) {
    test(name, () => checkGradients(make, image));
    test(`${name}, of frames`, () => checkGradients(() => timeDistributed(make()), video));
  }
});

describe('the output of an image does not depend on earlier images of another size, or on its batch', () => {
  const other = randomTensor('other image', 3, 6, 4, 2);
  for (const [name, make] of Object.entries(layers)) {
    test(name, () => {
      const layer = make();
      const valuesOf = (x: typeof image): number[] => [...run(layer, x)[0].value.dataSync()];
      const first = valuesOf(image);
      const second = valuesOf(other);
      assert.deepEqual(valuesOf(image), first);
      assert.deepEqual(
        valuesOf(slice(other, 0, 1, 2)),
        second.slice(second.length / 3, (2 * second.length) / 3),
      );
    });
  }
});

test('maxPooling2d over the whole image returns the largest value of each channel', () => {
  const layer = maxPooling2d({ poolSize: [4, 5] });
  const [{ value }] = run(layer, image);
  const values = image.dataSync();
  const largest = [0, 1].flatMap((b) =>
    [0, 1].map((c) => Math.max(...values.slice(40 * b, 40 * (b + 1)).filter((_, i) => i % 2 === c))),
  );
  assert.deepEqual([...value.dataSync()], largest);
});

describe('a video', () => {
  for (const [name, make] of Object.entries(layers)) {
    test(`${name}: each frame has the same output as alone`, () => {
      const layer = timeDistributed(make());
      const [{ value }] = run(layer, video);
      const frameOf = (t: typeof video, b: number, step: number) =>
        slice(slice(t, 0, b, b + 1), 1, step, step + 1);
      for (const [b, step] of [
        [0, 2],
        [1, 0],
      ]) {
        const [{ value: alone }] = run(layer, frameOf(video, b, step));
        assert.deepEqual([...alone.dataSync()], [...frameOf(value, b, step).dataSync()]);
      }
    });
  }

  test('a network that reads frames has the same outputs in a stream', () => {
    const network = sequential([
      timeDistributed(conv2d({ filters: 2, kernelSize: 2, activation: 'relu' })),
      timeDistributed(maxPooling2d()),
      timeDistributed(flatten()),
      lstm({ units: 3, returnSequences: true }),
    ]);
    const [{ value: whole }] = run(network, video);
    const stream = network.stream({ batch: 2 });
    const parts = [0, 1, 2].map((t) => stream.push(slice(video, 1, t, t + 1)));
    for (const [t, part] of parts.entries())
      assert.deepEqual([...part.dataSync()], [...slice(whole, 1, t, t + 1).dataSync()]);
  });
});

test('conv2d over an image of one row gives the results of conv1d over a sequence', () => {
  const [wide, long] = [conv2d({ filters: 3, kernelSize: [1, 2] }), conv1d({ filters: 3, kernelSize: 2 })];
  const x = randomTensor('row', 2, 1, 5, 2);
  const sequence = x.withShape([2, 5, 2]);
  run(wide, x);
  run(long, sequence);
  const [kernel, bias] = wide.parameters;
  long.setWeights([
    { shape: [2, 2, 3], values: kernel.dataSync() },
    { shape: [3], values: bias.dataSync() },
  ]);
  assert.deepEqual([...run(wide, x)[0].value.dataSync()], [...run(long, sequence)[0].value.dataSync()]);
});

describe('errors', () => {
  const conv = (options: object) => conv2d({ filters: 1, kernelSize: 2, name: 'front', ...options });
  const mistakes: Record<string, [() => unknown, RegExp]> = {
    'a sequence instead of images': [
      () => run(conv({}), randomTensor('s', 2, 4, 3)),
      /Layer front: expected images \[batch, height, width, channels\], got \[2, 4, 3\]/,
    ],
    'an image smaller than the window': [
      () => run(conv({ kernelSize: [2, 3], dilationRate: [1, 3] }), image),
      /Layer front: expected images with a width of at least 7 pixels, got \[2, 4, 5, 2\]/,
    ],
    'an image with more channels than the layer was built for': [
      () => {
        const layer = conv({});
        run(layer, image);
        run(layer, randomTensor('rgb', 2, 4, 5, 3));
      },
      /Layer front: expected \[batch, height, width, 2\], got \[2, 4, 5, 3\]/,
    ],
    'a kernel size with three numbers': [
      () => conv({ kernelSize: [2, 3, 4] }),
      /Layer front: kernelSize must be a positive integer or \[height, width\], got \[2, 3, 4\]/,
    ],
    'strides of zero': [
      () => maxPooling2d({ strides: [1, 0], name: 'pool' }),
      /Layer pool: strides must be a positive integer or \[height, width\], got \[1, 0\]/,
    ],
  };
  for (const [name, [work, message]] of Object.entries(mistakes))
    test(name, () => assert.throws(work, message));
});

test('default names are those of Keras', () => {
  const network = sequential([conv2d({ filters: 1, kernelSize: 1 }), maxPooling2d(), averagePooling2d()]);
  run(network, image);
  assert.deepEqual(
    network.layers.map(({ name }) => name),
    ['conv2d', 'max_pooling2d', 'average_pooling2d'],
  );
});
