/** The optimizers' kernels as the backend offers them. */
import type { KernelExports } from '@unroll/kernels';
import type { Block, Kernels } from '../backend.js';
import { address, type CpuBlock } from './block.js';

export function optimizerKernels(k: KernelExports): Pick<Kernels, 'sgd' | 'rmsprop' | 'adam' | 'nadam'> {
  /** Weights have changed: their packed forms are stale. */
  const touched = (w: Block): void => {
    (w as CpuBlock).root.version++;
  };
  return {
    sgd(c) {
      const at = [address(c.w), address(c.g), address(c.m)] as const;
      k.sgd(...at, c.w.length, c.keep, c.fresh, c.rateM, c.rateG, c.decay, c.gScale);
      touched(c.w);
    },
    rmsprop(c) {
      const at = [address(c.w), address(c.g), address(c.v), address(c.mean), address(c.m)] as const;
      const square = [c.keep, c.fresh, c.inside, c.outside] as const;
      k.rmsprop(...at, c.w.length, ...square, c.momentum, c.rateQ, c.rateM, c.decay, c.gScale);
      touched(c.w);
    },
    adam(c) {
      const at = [address(c.w), address(c.g), address(c.m), address(c.v)] as const;
      k.adam(...at, c.w.length, c.rate, c.beta1, c.beta2, c.epsilon, c.vScale, c.decay, c.gScale);
      touched(c.w);
    },
    nadam(c) {
      const at = [address(c.w), address(c.g), address(c.m), address(c.v)] as const;
      const moments = [c.beta1, c.beta2, c.epsilon, c.vScale] as const;
      k.nadam(...at, c.w.length, c.rateM, c.rateG, ...moments, c.decay, c.gScale);
      touched(c.w);
    },
  };
}
