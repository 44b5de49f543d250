/** Optimizers in plain loops. ../backend.ts documents the formulas. */
import type { FloatArray, Kernels, MomentsCall, OptimizerCall } from '../backend.js';
import { values } from './block.js';

/** Updates each weight: w[i] = w[i] (1 - decay) - change(d, i), where d is the scaled gradient of w[i]. */
function descend(call: OptimizerCall, change: (d: number, i: number) => number): void {
  const [w, g] = [values(call.w), values(call.g)];
  for (let i = 0; i < w.length; i++) {
    const step = change(g[i] * call.gScale, i);
    w[i] = w[i] * (1 - call.decay) - step;
  }
}

/** Updates a moving average and returns it: x[i] = beta * x[i] + scale * value. */
function updateAverage(x: FloatArray, i: number, beta: number, scale: number, value: number): number {
  return (x[i] = beta * x[i] + scale * value);
}

/** Returns a function that updates m and v with a gradient d, and returns m and the divisor of the update. */
function momentUpdater(call: MomentsCall): (d: number, i: number) => { m: number; divisor: number } {
  const [m, v] = [values(call.m), values(call.v)];
  const { beta1, beta2, epsilon, vScale } = call;
  return (d, i) => ({
    m: updateAverage(m, i, beta1, 1 - beta1, d),
    divisor: Math.sqrt(updateAverage(v, i, beta2, 1 - beta2, d * d)) * vScale + epsilon,
  });
}

export const optimizerKernels: Pick<Kernels, 'sgd' | 'rmsprop' | 'adam' | 'nadam'> = {
  sgd(call) {
    const m = call.m && values(call.m);
    const { momentum, dScale, rateM, rateG } = call;
    descend(call, (d, i) => (m ? rateM * updateAverage(m, i, momentum, dScale, d) : 0) + rateG * d);
  },

  rmsprop(call) {
    const v = values(call.v);
    const [mean, m] = [call.mean, call.m].map((block) => block && values(block));
    const { rho, dScale, epsilonInside, epsilonOutside, momentum, rateQ, rateM } = call;
    descend(call, (d, i) => {
      let variance = updateAverage(v, i, rho, dScale, d * d);
      if (mean) variance = Math.max(0, variance - updateAverage(mean, i, rho, dScale, d) ** 2);
      const step = (rateQ * d) / (Math.sqrt(variance + epsilonInside) + epsilonOutside);
      return rateM * (m ? updateAverage(m, i, momentum, 1, step) : step);
    });
  },

  adam(call) {
    const updateMoments = momentUpdater(call);
    descend(call, (d, i) => {
      const { m, divisor } = updateMoments(d, i);
      return (call.rate * m) / divisor;
    });
  },

  nadam(call) {
    const updateMoments = momentUpdater(call);
    descend(call, (d, i) => {
      const { m, divisor } = updateMoments(d, i);
      return (call.rateM * m + call.rateG * d) / divisor;
    });
  },
};
