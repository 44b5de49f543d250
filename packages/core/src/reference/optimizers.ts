/** Optimizers in plain loops; ../backend.ts has the formulas. */
import type { FloatArray, Kernels, MomentsCall, OptimizerCall } from '../backend.js';
import { values } from './block.js';

/** w *= 1 - decay, then w -= change(d, i) for each weight and its gradient d. */
function descend(call: OptimizerCall, change: (d: number, i: number) => number): void {
  const [w, g] = [values(call.w), values(call.g)];
  for (let i = 0; i < w.length; i++) {
    const step = change(g[i] * call.gScale, i);
    w[i] = w[i] * (1 - call.decay) - step;
  }
}

/** x[i] = keep x[i] + fresh value; returns it. */
function moving(x: FloatArray, i: number, keep: number, fresh: number, value: number): number {
  return (x[i] = keep * x[i] + fresh * value);
}

/** Updates both moments and returns m and the divisor. */
function moments(call: MomentsCall): (d: number, i: number) => { m: number; divisor: number } {
  const [m, v] = [values(call.m), values(call.v)];
  const { beta1, beta2, epsilon, vScale } = call;
  return (d, i) => ({
    m: moving(m, i, beta1, 1 - beta1, d),
    divisor: Math.sqrt(moving(v, i, beta2, 1 - beta2, d * d)) * vScale + epsilon,
  });
}

export const optimizerKernels: Pick<Kernels, 'sgd' | 'rmsprop' | 'adam' | 'nadam'> = {
  sgd(call) {
    const m = call.m && values(call.m);
    const { keep, fresh, rateM, rateG } = call;
    descend(call, (d, i) => (m ? rateM * moving(m, i, keep, fresh, d) : 0) + rateG * d);
  },

  rmsprop(call) {
    const v = values(call.v);
    const [mean, m] = [call.mean, call.m].map((block) => block && values(block));
    const { keep, fresh, inside, outside, momentum, rateQ, rateM } = call;
    descend(call, (d, i) => {
      let spread = moving(v, i, keep, fresh, d * d);
      if (mean) spread = Math.max(0, spread - moving(mean, i, keep, fresh, d) ** 2);
      const step = (rateQ * d) / (Math.sqrt(spread + inside) + outside);
      return rateM * (m ? moving(m, i, momentum, 1, step) : step);
    });
  },

  adam(call) {
    const next = moments(call);
    descend(call, (d, i) => {
      const { m, divisor } = next(d, i);
      return (call.rate * m) / divisor;
    });
  },

  nadam(call) {
    const next = moments(call);
    descend(call, (d, i) => {
      const { m, divisor } = next(d, i);
      return (call.rateM * m + call.rateG * d) / divisor;
    });
  },
};
