/**
 * Recurrent weights that are declared float16 are packed as float16 if the batch has few rows and the matrices are large.
 * Detects a result that is not bit-identical to that of float32 weights, float16 for weights that were not declared float16, and
 * a float16 path that is never used.
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
  rnnSequence,
  type Tensor,
  tensor,
} from '@unroll/core';
import { cpuBackend, fromFloat16Bits, layOut, toFloat16Bits } from '@unroll/core/internal';
import {
  Cell,
  callPack,
  type KernelExports,
  type KernelModule,
  loadKernelsSync,
  WeightFormat,
} from '@unroll/kernels';
import { bitMismatch, onBackend } from '@unroll/testkit';
import { moduleOf, testBackends } from '@unroll/testkit/node';

const ATTRIBUTES: RecurrentAttributes = {
  ...{ activation: 'tanh', recurrentActivation: 'sigmoid', returnSequences: true },
  ...{ reverse: false, timeOrder: false, zeroOutputForMask: false },
};

/** Returns a copy of a parameter as a plain tensor, which kernels pack as float32 at every call. */
const copyOf = (parameter: Parameter): Tensor => tensor(parameter.dataSync(), parameter.shape);

const loadModule = (backend: Backend): KernelModule => {
  const { kind, variant } = moduleOf(backend)!;
  return loadKernelsSync(kind === 'native' ? { kind, isa: variant } : { kind, threads: false });
};

/** Returns a separate backend with the kernels of `backend`, and the number of its calls with float16 weights. */
function countFloat16Calls(backend: Backend): {
  backend: Backend;
  module: KernelModule;
  calls: () => number;
} {
  const module = loadModule(backend);
  let calls = 0;
  const kernels = new Proxy(module.kernels, {
    get(target, name: keyof KernelExports) {
      if (!/_forward$/.test(name)) return target[name];
      return (at: number) => {
        // The packed weights, field 5 of every recurrent call, begin with their format.
        const packed = module.calls.slots[5];
        calls += new Float32Array(module.memory.buffer, packed, 1)[0];
        (target[name] as (at: number) => void)(at);
      };
    },
  });
  const countingModule = Object.create(module, { kernels: { value: kernels } }) as KernelModule;
  return { backend: cpuBackend(countingModule), module, calls: () => calls };
}

/** `gruBefore` is the GRU whose reset gate multiplies h' before the matrix product. */
type Kind = 'rnn' | 'lstm' | 'gru' | 'gruBefore';
const GATES = { rnn: 1, lstm: 4, gru: 3, gruBefore: 3 };

interface Layer {
  kind: Kind;
  I: number;
  H: number;
  W: Parameter;
  U: Parameter;
  b: Parameter;
}

/** Returns a layer with matrices of multiples of 1/8, which float16 represents exactly, and an arbitrary bias. */
function makeLayer(kind: Kind, I: number, H: number): Layer {
  const eighths = (name: string, shape: [number, number]): Parameter => {
    const values = new RandomStream(9, name).uniform(shape[0] * shape[1]);
    return new Parameter(
      name,
      shape,
      values.map((value) => Math.round(value * 16 - 8) / 8),
    );
  };
  const width = GATES[kind] * H;
  const shape = kind === 'gru' ? [2, width] : [width];
  const b = new Parameter('b', shape, new RandomStream(4).normal(kind === 'gru' ? 2 * width : width));
  const layer = { kind, I, H, W: eighths('W', [I, width]), U: eighths('U', [H, width]), b };
  layOut([layer.W, layer.U, layer.b]);
  layer.W.setWeightFormat('float16');
  layer.U.setWeightFormat('float16');
  return layer;
}

function run({ kind, I, b }: Layer, W: Tensor, U: Tensor, B: number): Float32Array | Float64Array {
  const T = 7;
  const x = tensor(new RandomStream(2).normal(B * T * I), [B, T, I]);
  const inputs = { x, W, U, b };
  if (kind === 'lstm') return lstmSequence(inputs, ATTRIBUTES).y.dataSync();
  if (kind === 'rnn') return rnnSequence(inputs, ATTRIBUTES).y.dataSync();
  return gruSequence(inputs, {
    ...ATTRIBUTES,
    resetAfter: kind === 'gru',
    updateGateOnCandidate: false,
  }).y.dataSync();
}

const compiledBackends = testBackends().filter(({ name, backend }) => backend && /^(native|wasm)/.test(name));
for (const { name, backend } of compiledBackends) {
  const hasFloat16Kernels = /avx/.test(name);
  describe(`float16 weights on ${name}`, () => {
    test('are used only where they are faster, with the same results', () => {
      const { backend: counted, module, calls } = countFloat16Calls(backend!);
      assert.equal(module.kernels.float16_from(1) > 0, hasFloat16Kernels);
      assert.equal(module.kernels.float16_from(64), 0);
      onBackend(counted, () => {
        const layers = [
          makeLayer('lstm', 60, 170),
          makeLayer('gru', 70, 190),
          makeLayer('gruBefore', 70, 190),
          makeLayer('rnn', 60, 340),
          makeLayer('lstm', 5, 17),
        ];
        for (const layer of layers) {
          const { W, U, kind, H } = layer;
          for (const B of [1, 2, 9]) {
            const before = calls();
            const found = run(layer, W, U, B);
            assert.equal(
              calls() - before,
              hasFloat16Kernels && B === 1 && H > 17 ? 1 : 0,
              `${B} rows of ${H} units`,
            );
            // Copies are not parameters, so they are packed as float32.
            const plain = run(layer, copyOf(W), copyOf(U), B);
            assert.equal(bitMismatch(`${kind}, ${B} rows of ${H} units`, found, plain), null);
          }
        }
      });
    });

    test('weights are packed as float32 before they are declared float16, and after every write', () => {
      const { backend: counted, calls } = countFloat16Calls(backend!);
      onBackend(counted, () => {
        const layer = makeLayer('lstm', 60, 170);
        const float16Calls = (): number => {
          const before = calls();
          run(layer, layer.W, layer.U, 1);
          return calls() - before;
        };
        const expectedCalls = hasFloat16Kernels ? 1 : 0;
        assert.equal(float16Calls(), expectedCalls);
        layer.U.assign(layer.U.dataSync().with(-1, 0.1));
        assert.equal(float16Calls(), 0, 'float32 after a write');
        layer.U.assign(layer.U.dataSync().with(-1, 0.125));
        assert.equal(
          float16Calls(),
          0,
          'float32 although every value is exact in float16: values are not checked',
        );
        layer.U.setWeightFormat('float16');
        assert.equal(float16Calls(), 0, 'W shares the buffer');
        layer.W.setWeightFormat('float16');
        assert.equal(float16Calls(), expectedCalls);
        layer.U.setWeightFormat('float32');
        assert.equal(float16Calls(), 0);
      });
    });

    test('packing rounds to the nearest float16', {
      skip: !hasFloat16Kernels && 'this build has no float16 kernels',
    }, () => {
      const module = loadModule(backend!);
      const { memory } = module;
      const W = memory.heapBase;
      const packed = W + 4096;
      assert.ok(memory.reserve(W + 65536));
      const H = 16;
      for (const value of [0.1, 65504, 2 ** -24, 1 + 2 ** -11, 1 / 3]) {
        new Float32Array(memory.buffer, W, 16 * 4 * H).fill(value);
        for (const format of [WeightFormat.float32, WeightFormat.float16]) {
          callPack(module, { cell: Cell.lstm, format, I: 0, H, W, U: W, packed });
          const [stored] = new Float32Array(memory.buffer, packed, 1);
          assert.equal(stored, format);
        }
        const [bits] = new Uint16Array(memory.buffer, packed + 4 * (16 + 4 * H), 1);
        assert.equal(fromFloat16Bits(bits), fromFloat16Bits(toFloat16Bits([value], 'w')[0]), `${value}`);
      }
    });
  });
}
