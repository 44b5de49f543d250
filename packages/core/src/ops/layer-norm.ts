/** Layer normalisation over the last axis (Ba, Kiros & Hinton 2016), as one op. */
import { formatShape, shapeError } from '../errors.js';
import { apply1, type Op } from '../op.js';
import { sameShape } from '../shape.js';
import { asTensor, type Tensor, type TensorLike, temporaryTensor } from '../tensor.js';

export interface LayerNormAttributes {
  /** Added to the variance. */
  epsilon: number;
}

type LayerNormInputs = readonly [x: Tensor, gamma: Tensor | null, beta: Tensor | null];

const layerNormOp: Op<LayerNormAttributes, LayerNormInputs> = {
  name: 'layerNorm',
  shapes([x, gamma, beta]) {
    const width = x.slice(-1);
    for (const [name, shape] of Object.entries({ gamma, beta })) {
      if (shape === null || sameShape(shape, width)) continue;
      throw shapeError(
        `layerNorm: ${name} must have the shape ${formatShape(width)} for x ${formatShape(x)}, got ${formatShape(shape)}.`,
        { expected: width, got: shape },
      );
    }
    return [x];
  },
  forward({ inputs: [x, gamma, beta], attrs: { epsilon }, outputs: [y], kernels, saving }) {
    const { rows, n } = rowsOf(x);
    const statistics = saving ? temporaryTensor([rows, 2]) : null;
    kernels.layerNorm({
      ...{ rows, n, epsilon },
      x: x.block(),
      gamma: gamma?.block() ?? null,
      beta: beta?.block() ?? null,
      y: y.block(),
      statistics: statistics?.block() ?? null,
    });
    return statistics;
  },
  backward({ inputs: [x, gamma], saved, grads: [dy], needs, kernels }) {
    const { rows, n } = rowsOf(x);
    const dx = needs[0] ? temporaryTensor(x.shape) : null;
    const dgamma = needs[1] ? temporaryTensor([n]) : null;
    const dbeta = needs[2] ? temporaryTensor([n]) : null;
    kernels.layerNormBackward({
      ...{ rows, n },
      x: x.block(),
      gamma: gamma?.block() ?? null,
      statistics: (saved as Tensor).block(),
      dy: dy.block(),
      dx: dx?.block() ?? null,
      dgamma: dgamma?.block() ?? null,
      dbeta: dbeta?.block() ?? null,
    });
    return [dx, dgamma, dbeta];
  },
};

function rowsOf(x: Tensor): { rows: number; n: number } {
  const n = x.shape[x.rank - 1];
  return { rows: n === 0 ? 0 : x.size / n, n };
}

export const layerNormOps = { layerNorm: layerNormOp };

/**
 * Returns γ (x - mean) / √(variance + ε) + β, with mean and (biased) variance over the last axis, as in
 * `torch.nn.functional.layer_norm`.
 * @param x [..., n]
 * @param options gamma [n] (default: ones), beta [n] (default: zeros), epsilon (default 1e-5)
 * @throws UnrollError `shape` for a single number, and for γ or β of a shape other than [n]
 */
export function layerNorm(
  x: TensorLike,
  {
    gamma = null,
    beta = null,
    epsilon = 1e-5,
  }: { gamma?: Tensor | null; beta?: Tensor | null; epsilon?: number } = {},
): Tensor {
  const input = asTensor(x);
  if (input.rank === 0) throw shapeError('layerNorm needs a tensor of rank 1 or more, got a single number.');
  return apply1(layerNormOp, [input, gamma, beta], { epsilon });
}
