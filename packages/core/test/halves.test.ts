/**
 * Recurrent weights that 16 bits hold are packed so where few rows meet large matrices. Rejects: another bit in any
 * result; weights taken so that 16 bits do not hold; and the path never being taken.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Backend,
  gruSequence,
  lstmSequence,
  Parameter,
  RandomStream,
  type RecurrentAttributes,
  type Tensor,
  tensor,
} from '@unroll/core';
import { cpuBackend, layOut } from '@unroll/core/internal';
import { type KernelExports, type KernelModule, loadKernelsSync } from '@unroll/kernels';
import { bitMismatch, onBackend } from '@unroll/testkit';
import { moduleOf, testBackends } from '@unroll/testkit/node';

const ATTRIBUTES: RecurrentAttributes = {
  ...{ activation: 'tanh', recurrentActivation: 'sigmoid', returnSequences: true },
  ...{ reverse: false, realign: false, zeroOutputForMask: false },
};

/** The values of a parameter, which nothing is packed for. */
const copyOf = (own: Parameter): Tensor => tensor(own.dataSync(), own.shape);

/** A backend of its own over the kernels of `backend`, that counts the calls that read weights of 16 bits. */
function counting(backend: Backend): { backend: Backend; module: KernelModule; calls: () => number } {
  const { kind, variant } = moduleOf(backend)!;
  const module = loadKernelsSync(kind === 'native' ? { kind, isa: variant } : { kind, threads: false });
  let calls = 0;
  const { lstm_forward, gru_forward } = module.kernels;
  const watched: Partial<KernelExports> = {
    lstm_forward: (...args) => {
      calls += args[6];
      lstm_forward(...args);
    },
    gru_forward: (...args) => {
      calls += args[7];
      gru_forward(...args);
    },
  };
  const kernels = new Proxy(module.kernels, {
    get: (target, name: keyof KernelExports) => watched[name] ?? target[name],
  });
  const watching = Object.create(module, { kernels: { value: kernels } }) as KernelModule;
  return { backend: cpuBackend(watching), module, calls: () => calls };
}

interface Layer {
  gates: 3 | 4;
  I: number;
  H: number;
  W: Parameter;
  U: Parameter;
  b: Parameter;
}

/** A layer whose matrices are eighths below 1: float16 holds them. Its bias is anything. */
function makeLayer(gates: 3 | 4, I: number, H: number): Layer {
  const eighths = (name: string, shape: [number, number]): Parameter => {
    const values = new RandomStream(9, name).uniform(shape[0] * shape[1]);
    return new Parameter(
      name,
      shape,
      values.map((value) => Math.round(value * 16 - 8) / 8),
    );
  };
  const shape = gates === 4 ? [4 * H] : [2, 3 * H];
  const b = new Parameter('b', shape, new RandomStream(4).normal(gates === 4 ? 4 * H : 6 * H));
  const layer = { gates, I, H, W: eighths('W', [I, gates * H]), U: eighths('U', [H, gates * H]), b };
  layOut([layer.W, layer.U, layer.b]);
  return layer;
}

function run({ gates, I, b }: Layer, W: Tensor, U: Tensor, B: number): Float32Array | Float64Array {
  const T = 7;
  const x = tensor(new RandomStream(2).normal(B * T * I), [B, T, I]);
  const result =
    gates === 4
      ? lstmSequence({ x, W, U, b }, ATTRIBUTES)
      : gruSequence({ x, W, U, b }, { ...ATTRIBUTES, resetAfter: true, textbook: false });
  return result.y.dataSync();
}

const natives = testBackends().filter(({ name, backend }) => backend && /^(native|wasm)/.test(name));
for (const { name, backend } of natives) {
  const wide = /avx/.test(name);
  describe(`float16 weights on ${name}`, () => {
    test('are used only where they are faster, with the same results', () => {
      const { backend: own, module, calls } = counting(backend!);
      assert.equal(module.kernels.float16_from(1) > 0, wide);
      assert.equal(module.kernels.float16_from(64), 0);
      onBackend(own, () => {
        const layers = [makeLayer(4, 60, 170), makeLayer(3, 70, 190), makeLayer(4, 5, 17)];
        for (const layer of layers) {
          const { W, U, gates, H } = layer;
          for (const B of [1, 2, 9]) {
            const before = calls();
            const found = run(layer, W, U, B);
            assert.equal(calls() - before, wide && B === 1 && H > 17 ? 1 : 0, `${B} rows of ${H} units`);
            // Copies do not stay in memory, so that their weights are packed as they are.
            const plain = run(layer, copyOf(W), copyOf(U), B);
            assert.equal(bitMismatch(`${gates} gates, ${B} rows of ${H} units`, found, plain), null);
          }
        }
      });
    });

    test('are not used if one weight is not exact in float16', () => {
      const { backend: own, calls } = counting(backend!);
      onBackend(own, () => {
        const layer = makeLayer(4, 60, 170);
        layer.U.assign(layer.U.dataSync().with(-1, 0.1));
        run(layer, layer.W, layer.U, 1);
        assert.equal(calls(), 0);
        layer.U.assign(layer.U.dataSync().with(-1, 0.125));
        run(layer, layer.W, layer.U, 1);
        assert.equal(calls(), wide ? 1 : 0);
      });
    });

    test('detects exactly which values float16 can represent', {
      skip: !wide && 'the build has none',
    }, () => {
      const { kernels, memory } = counting(backend!).module;
      const at = memory.heapBase;
      assert.ok(memory.reserve(at + 4096));
      const holds = (...values: number[]): boolean => {
        new Float32Array(memory.buffer, at, values.length).set(values);
        return kernels.all_float16(at, values.length) === 1;
      };
      // The largest, the least normal and the least of all; and beside each what lies between two of them.
      for (const value of [0, -0, 1, -1.5, 65504, -65504, 2 ** -14, 2 ** -24, 3 * 2 ** -24, 1 + 2 ** -10])
        assert.equal(holds(value), true, `${value}`);
      for (const value of [65505, 65536, 1e30, 0.1, 2 ** -25, 1.5 * 2 ** -24, 1 + 2 ** -11, Number.NaN])
        assert.equal(holds(value), false, `${value}`);
      for (let n = 1; n < 40; n++) {
        const values = new Array<number>(n).fill(0.25);
        assert.equal(holds(...values), true);
        assert.equal(holds(...values.with(n - 1, 0.1)), false, `the last of ${n}`);
        assert.equal(holds(...values.with(0, 0.1)), false, `the first of ${n}`);
      }
    });
  });
}
