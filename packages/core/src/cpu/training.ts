/** The kernels that only training calls. A page that only runs models does not include them. */
import { Activation, type KernelExports } from '@unroll/kernels';
import type { Kernels } from '../backend.js';
import { address, markDirty } from './block.js';
import { type Packer, start } from './recurrent.js';

type Steps = Pick<Kernels, 'accumulate' | 'scatterAdd' | `random${'Uniform' | 'Mask'}`>;
type Cells = Pick<Kernels, `${'rnn' | 'lstm' | 'gru'}Backward`>;
type Optimizers = Pick<Kernels, 'sgd' | 'rmsprop' | 'adam' | 'nadam'>;
export type TrainingKernels = Steps & Cells & Optimizers;

export function trainingKernels(k: KernelExports, packed: Packer): TrainingKernels {
  return { ...stepKernels(k), ...cellKernels(k, packed), ...optimizerKernels(k) };
}

function stepKernels(k: KernelExports): Steps {
  return {
    accumulate(y, x, scale) {
      k.accumulate(address(y), address(x), y.length, scale);
      markDirty(y);
    },
    scatterAdd(table, ids, g, width) {
      k.scatter_add(address(table), address(ids), address(g), ids.length, width);
      markDirty(table);
    },
    randomUniform(key, counter, y) {
      k.random_uniform(key[0], key[1], counter >>> 0, Math.floor(counter / 2 ** 32), address(y), y.length);
      markDirty(y);
    },
    randomMask(key, counter, y, keep, scale) {
      const block = [counter >>> 0, Math.floor(counter / 2 ** 32)] as const;
      k.random_mask(key[0], key[1], ...block, address(y), y.length, keep, scale);
      markDirty(y);
    },
  };
}

function cellKernels(k: KernelExports, packed: Packer): Cells {
  // biome-ignore format: the kernels' arguments as kernels.h lists them
  return {
    rnnBackward(c) {
      const { T, B, I, H, U, dy } = c;
      const weights = packed('rnn backward', [U], () => k.rnn_packed_backward_size(H), (to) =>
        k.rnn_pack_backward(H, address(U), to));
      k.rnn_backward(
        T, B, I, H, Activation[c.activation], weights, address(c.xh), address(c.hs),
        address(c.rmask), address(c.mask), address(c.outputMask), start(dy), dy?.strideT ?? 0, dy?.strideB ?? 0,
        address(c.dh), address(c.dG), address(c.dhAll),
      );
    },
    lstmBackward(c) {
      const { T, B, H, U, dy } = c;
      const weights = packed('lstm backward', [U], () => k.lstm_packed_backward_size(H), (to) =>
        k.lstm_pack_backward(H, address(U), to));
      k.lstm_backward(
        T, B, H, Activation[c.activation], Activation[c.recurrentActivation], weights, address(c.gates),
        address(c.c), address(c.rmask), address(c.mask), address(c.outputMask), start(dy), dy?.strideT ?? 0,
        dy?.strideB ?? 0, address(c.dh), address(c.dc), address(c.dG), address(c.dhAll), address(c.dcAll),
      );
    },
    gruBackward(c) {
      const { T, B, I, H, U, dy } = c;
      const weights = c.resetAfter
        ? packed('gru backward', [U], () => k.gru_packed_backward_size(H), (to) =>
            k.gru_pack_backward(H, address(U), to))
        : packed('gru before backward', [U], () => k.gru_before_packed_backward_size(H), (to) =>
            k.gru_before_pack_backward(H, address(U), to));
      const run = c.resetAfter ? k.gru_backward : k.gru_before_backward;
      run(
        T, B, I, H, Activation[c.activation], Activation[c.recurrentActivation], c.textbook ? 1 : 0, weights,
        address(c.gates), address(c.xh), address(c.hs), address(c.rmask), address(c.mask), address(c.outputMask),
        start(dy), dy?.strideT ?? 0, dy?.strideB ?? 0, address(c.dh), address(c.dG), address(c.dhAll),
      );
    },
  };
}

function optimizerKernels(k: KernelExports): Optimizers {
  return {
    sgd(c) {
      const at = [address(c.w), address(c.g), address(c.m)] as const;
      k.sgd(...at, c.w.length, c.keep, c.fresh, c.rateM, c.rateG, c.decay, c.gScale);
      markDirty(c.w);
    },
    rmsprop(c) {
      const at = [address(c.w), address(c.g), address(c.v), address(c.mean), address(c.m)] as const;
      const square = [c.keep, c.fresh, c.inside, c.outside] as const;
      k.rmsprop(...at, c.w.length, ...square, c.momentum, c.rateQ, c.rateM, c.decay, c.gScale);
      markDirty(c.w);
    },
    adam(c) {
      const at = [address(c.w), address(c.g), address(c.m), address(c.v)] as const;
      k.adam(...at, c.w.length, c.rate, c.beta1, c.beta2, c.epsilon, c.vScale, c.decay, c.gScale);
      markDirty(c.w);
    },
    nadam(c) {
      const at = [address(c.w), address(c.g), address(c.m), address(c.v)] as const;
      const moments = [c.beta1, c.beta2, c.epsilon, c.vScale] as const;
      k.nadam(...at, c.w.length, c.rateM, c.rateG, ...moments, c.decay, c.gScale);
      markDirty(c.w);
    },
  };
}
