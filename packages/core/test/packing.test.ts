/**
 * Recurrent kernels read packed weights: copies of the weights in another layout. The packed copies of parameters are cached,
 * and renewed after each change of the parameters. Detects packed copies that are stale after any kind of change, layers that
 * read the packed weights of another layer, and parameters that are packed at every call.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Backend,
  lstmSequence,
  Parameter,
  permute,
  RandomStream,
  type RecurrentAttributes,
  scope,
  type Tensor,
  tensor,
  zeros,
} from '@unroll/core';
import {
  type Block,
  cpuBackend,
  type FlatBuffer,
  type Kernels,
  layOut,
  runtime,
} from '@unroll/core/internal';
import { type KernelExports, type KernelModule, loadKernelsSync } from '@unroll/kernels';
import { bitMismatch, onBackend } from '@unroll/testkit';
import { moduleOf, testBackends } from '@unroll/testkit/node';

const [T, B, I, H] = [3, 2, 3, 5];
const x = new RandomStream(1, 'x').normal(B * T * I);

/** Returns the values of a parameter as a tensor, for which no packed weights are cached. */
const copyOf = (parameter: Parameter): Tensor => tensor(parameter.dataSync(), parameter.shape);

interface Layer {
  W: Parameter;
  U: Parameter;
  b: Parameter;
}

function makeLayer(seed: number): Layer {
  const make = (name: string, shape: number[]): Parameter =>
    new Parameter(name, shape, new RandomStream(seed, name).normal(shape.reduce((a, n) => a * n)));
  return { W: make('W', [I, 4 * H]), U: make('U', [H, 4 * H]), b: make('b', [4 * H]) };
}

const ATTRIBUTES: RecurrentAttributes = {
  ...{ activation: 'tanh', recurrentActivation: 'sigmoid', returnSequences: true },
  ...{ reverse: false, timeOrder: false, zeroOutputForMask: false },
};

const run = (weights: { W: Tensor; U: Tensor; b: Tensor }): Float32Array | Float64Array =>
  lstmSequence({ x: tensor(x, [B, T, I]), ...weights }, ATTRIBUTES).y.dataSync();

/**
 * Returns the output of the layer. Checks that it equals the output with copies of the weights, which are packed at every call.
 */
function check({ W, U, b }: Layer, what: string): Float32Array | Float64Array {
  const found = run({ W, U, b });
  const freshlyPacked = run({ W: copyOf(W), U: copyOf(U), b: copyOf(b) });
  assert.equal(bitMismatch(what, found, freshlyPacked), null);
  return found;
}

/** Returns a separate backend with the kernels of `backend`, and the number of times that it has packed weights. */
function countingBackend(backend: Backend): { backend: Backend; packs: () => number } {
  const { kind, variant } = moduleOf(backend)!;
  const module = loadKernelsSync(kind === 'native' ? { kind, isa: variant } : { kind, threads: false });
  let packs = 0;
  const kernels = new Proxy(module.kernels, {
    get(target, name: keyof KernelExports) {
      if (name === 'pack') packs++;
      return target[name];
    },
  });
  const counting = Object.create(module, { kernels: { value: kernels } }) as KernelModule;
  return { backend: cpuBackend(counting), packs: () => packs };
}

function blockOf(parameter: Parameter): Block {
  return parameter.storage.buffer.blockFor(parameter.storage.offset, parameter.size);
}

/** Every way in which a kernel or the backend may change weights in place. */
const CHANGES: Record<string, (kernels: Kernels, w: Block, backend: Backend) => void> = {
  fill: (kernels, w) => kernels.fill(w, 0.25),
  copy: (kernels, w, backend) => kernels.copy({ x: noise(backend, w.length), y: w }),
  unary: (kernels, w) => kernels.unary('neg', w, w),
  binary: (kernels, w) => kernels.binary({ op: 'add', a: w, b: w, y: w, shape: [w.length] }),
  reduce: (kernels, w, backend) => kernels.reduce('sum', noise(backend, 2 * w.length), w, w.length),
  accumulate: (kernels, w, backend) => kernels.accumulate(w, noise(backend, w.length), 0.5),
  gemm: (kernels, w, backend) =>
    kernels.gemm(noise(backend, w.length), noise(backend, 1), w, { m: w.length, n: 1, k: 1 }),
  softmax: (kernels, w, backend) => kernels.softmax(noise(backend, w.length), w, w.length, false),
  gather: (kernels, w, backend) => {
    const ids = backend.temporary(w.length);
    kernels.fill(ids, 1);
    kernels.gather(noise(backend, 2), ids, w, 1);
  },
  scatterAdd: (kernels, w, backend) => {
    const ids = backend.temporary(1);
    kernels.fill(ids, 0);
    kernels.scatterAdd(w, ids, noise(backend, w.length), w.length);
  },
  randomUniform: (kernels, w) => kernels.randomUniform([1, 2], 0, w),
  randomMask: (kernels, w) => kernels.randomMask([1, 2], 0, w, { keep: 0.5, scale: 2 }),
  sgd: (kernels, w, backend) =>
    kernels.sgd({ ...update(w, backend), m: null, momentum: 0, dScale: 0, rateM: 0, rateG: 0.1 }),
  rmsprop: (kernels, w, backend) =>
    kernels.rmsprop({
      ...{ ...update(w, backend), v: noise(backend, w.length), mean: null, m: null, rho: 0.9, dScale: 0.1 },
      ...{ epsilonInside: 1, epsilonOutside: 0, momentum: 0, rateQ: 0.1, rateM: 1 },
    }),
  adam: (kernels, w, backend) => kernels.adam({ ...update(w, backend), ...moments(w, backend), rate: 0.1 }),
  nadam: (kernels, w, backend) =>
    kernels.nadam({ ...update(w, backend), ...moments(w, backend), rateM: 0.1, rateG: 0.1 }),
  write: (_kernels, w, backend) => backend.write(w, new RandomStream(8).normal(w.length)),
};

function noise(backend: Backend, length: number): Block {
  const block = backend.temporary(length);
  backend.write(block, new RandomStream(7).uniform(length));
  return block;
}
const update = (w: Block, backend: Backend) => ({ w, g: noise(backend, w.length), decay: 0, gScale: 1 });
const moments = (w: Block, backend: Backend) => ({
  ...{ m: noise(backend, w.length), v: noise(backend, w.length) },
  ...{ beta1: 0.9, beta2: 0.999, epsilon: 1e-7, vScale: 1 },
});

const compiledBackends = testBackends().filter(
  ({ backend }) => backend !== null && moduleOf(backend) !== null,
);
for (const { name, backend } of compiledBackends) {
  describe(`packed weights on ${name}`, () => {
    const layersInOneBuffer = (...seeds: number[]): { layers: Layer[]; buffer: FlatBuffer } => {
      const layers = seeds.map(makeLayer);
      return { layers, buffer: layOut(layers.flatMap(({ W, U, b }) => [W, U, b])) };
    };

    for (const part of ['W', 'U', 'b'] as const) {
      test(`assigning ${part} takes effect immediately`, () => {
        onBackend(backend!, () => {
          const [layer] = layersInOneBuffer(1).layers as [Layer];
          const before = check(layer, 'before');
          layer[part].assign(new RandomStream(5, part).normal(layer[part].size));
          assert.notDeepEqual(check(layer, 'after'), before);
        });
      });
    }

    for (const [kernel, change] of Object.entries(CHANGES)) {
      test(`overwriting weights with ${kernel} takes effect immediately`, () => {
        onBackend(backend!, () => {
          for (const whole of [true, false]) {
            const { layers, buffer } = layersInOneBuffer(1);
            const [layer] = layers as [Layer];
            const before = check(layer, 'before');
            scope(() => {
              const { backend: current } = runtime.scope!;
              change(current.kernels, whole ? buffer.block() : blockOf(layer.U), current);
            });
            assert.notDeepEqual(check(layer, 'after'), before);
          }
        });
      });
    }

    test('two layers in one buffer have separate packed weights', () => {
      onBackend(backend!, () => {
        const [first, second] = layersInOneBuffer(1, 2).layers as [Layer, Layer];
        const [one, two] = [check(first, 'first'), check(second, 'second')];
        assert.notDeepEqual(one, two);
        second.U.assign(first.U);
        assert.equal(bitMismatch('first', check(first, 'first'), one), null);
        assert.notDeepEqual(check(second, 'second'), two);
        first.b.assign(new Float64Array(4 * H));
        assert.notDeepEqual(check(first, 'first'), one);
      });
    });

    test('weights in reused memory are packed again', () => {
      onBackend(backend!, () => {
        const { W, U, b } = layersInOneBuffer(3).layers[0]!;
        const sizes = [W, U, b].map((parameter) => parameter.size);
        const total = sizes.reduce((a, n) => a + n);
        const results = [1, 2].map((seed) => {
          const block = backend!.allocate(total);
          backend!.write(block, new RandomStream(seed).normal(total));
          const [w, u, bias] = sizes.map((size, i) =>
            backend!.view(block, sizes.slice(0, i).reduce((a, n) => a + n, 0), size),
          ) as [Block, Block, Block]; // biome-ignore format: one expression
          const y = scope(() => firstStep(backend!, w, u, bias));
          backend!.release(block);
          return y;
        });
        assert.notDeepEqual(results[0], results[1]);
      });
    });
  });
}

/** Returns h after one step from x = 1, by calling the kernel directly. */
function firstStep(backend: Backend, W: Block, U: Block, b: Block): number[] {
  const xh = backend.temporary(2 * (I + H));
  const c = backend.temporary(H);
  backend.write(xh, new Float64Array(2 * (I + H)).fill(1, 0, I));
  backend.write(c, new Float64Array(H));
  const nothing = {
    rmask: null,
    mask: null,
    outputMask: null,
    hs: null,
    gates: null,
    x: null,
    reverse: false,
    y: null,
  };
  backend.kernels.lstmForward({
    ...{ T: 1, B: 1, I, H, activation: 'tanh', recurrentActivation: 'sigmoid' },
    ...{ W, U, b, xh, c, keepCells: false, ...nothing },
  });
  return Array.from(backend.readSync!(xh).slice(-H));
}

for (const { name, backend } of compiledBackends
  .filter(({ name }) => /^native:|single/.test(name))
  .slice(0, 4)) {
  test(`weights are packed once after each change on ${name}`, () => {
    const { backend: counting, packs } = countingBackend(backend!);
    onBackend(counting, () => {
      const layer = makeLayer(4);
      layOut([layer.W, layer.U, layer.b]);
      for (let i = 0; i < 4; i++) run(layer);
      assert.equal(packs(), 1, 'packed once for four calls');
      layer.b.assign(zeros([4 * H]));
      for (let i = 0; i < 4; i++) run(layer);
      assert.equal(packs(), 2);
      run({ W: copyOf(layer.W), U: layer.U, b: layer.b });
      run({ W: copyOf(layer.W), U: layer.U, b: layer.b });
      assert.equal(packs(), 4, 'weights that are not parameters are packed at every call');
    });
  });

  test(`permute rejects more axes than the kernels support on ${name}`, () => {
    onBackend(backend!, () => {
      const nine = zeros([2, 2, 2, 2, 2, 2, 2, 2, 2]);
      assert.throws(
        () => permute(nine, [8, 7, 6, 5, 4, 3, 2, 1, 0]),
        /^UnrollError: Strided kernels support at most 8 axes, got \[2, 2, 2, 2, 2, 2, 2, 2, 2\]\. Reshape to fewer axes\.$/,
      );
    });
  });
}
