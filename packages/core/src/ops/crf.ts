/** The op of linear-chain conditional random fields: the negative log-likelihood of sequences of tags. */
import { formatShape, shapeError, valueError } from '../errors.js';
import { apply1, NO_ATTRIBUTES, type NoAttributes, type Op } from '../op.js';
import type { Shape } from '../shape.js';
import { asTensor, hostValues, type Tensor, type TensorLike, temporaryTensor } from '../tensor.js';

type CrfInputs = readonly [
  emissions: Tensor,
  transitions: Tensor,
  start: Tensor,
  end: Tensor,
  tags: Tensor,
  mask: Tensor | null,
];

/** Returns the arguments that both kernels share. */
function callOf([emissions, transitions, start, end, tags, mask]: CrfInputs) {
  const [B, T, K] = emissions.shape;
  return {
    ...{ B, T, K },
    emissions: emissions.block(),
    transitions: transitions.block(),
    start: start.block(),
    end: end.block(),
    tags: tags.block(),
    mask: mask?.block() ?? null,
  };
}

const crfLogLossOp: Op<NoAttributes, CrfInputs> = {
  name: 'crfLogLoss',
  shapes: ([emissions]) => [[emissions[0]]],
  forward: ({ inputs, outputs: [losses], kernels }) =>
    kernels.crfForward({ ...callOf(inputs), losses: losses.block() }),
  backward({ inputs, grads: [g], needs, kernels }) {
    const [emissions, transitions, start, end] = inputs;
    const dEmissions = temporaryTensor(emissions.shape);
    const dTransitions = temporaryTensor(transitions.shape);
    const [dStart, dEnd] = [temporaryTensor(start.shape), temporaryTensor(end.shape)];
    kernels.crfBackward({
      ...callOf(inputs),
      g: g.block(),
      dEmissions: dEmissions.block(),
      dTransitions: dTransitions.block(),
      dStart: dStart.block(),
      dEnd: dEnd.block(),
    });
    return [
      needs[0] ? dEmissions : null,
      needs[1] ? dTransitions : null,
      needs[2] ? dStart : null,
      needs[3] ? dEnd : null,
      null,
      null,
    ];
  },
};

export const crfOps = { crfLogLoss: crfLogLossOp };

/** The scores of a linear-chain conditional random field with K tags, besides the emissions. -∞: forbidden. */
export interface CrfScores {
  /** [K, K]: the score of the transition from the tag of the row to the tag of the column. */
  transitions: Tensor;
  /** [K]: the score of each tag as the first tag. */
  start: Tensor;
  /** [K]: the score of each tag as the last tag. */
  end: Tensor;
}

/**
 * Returns -log P(tags) of each sequence under a linear-chain conditional random field (Lafferty et al. 2001), [B].
 * The score of a sequence of tags is the sum of the start score of the first tag, the emission of each step, the transition
 * of each pair of adjacent steps, and the end score of the last tag. P is the softmax of the scores of all K^T sequences.
 *
 * Masked steps are skipped, wherever they are. A sequence without a valid step has loss 0. Tags and transitions with the
 * score -∞ have probability 0 and no gradient.
 * @param emissions [B, T, K]
 * @param tags [B, T], integers from 0 to K - 1; tags of masked steps are ignored
 * @param mask [B, T], 1 for valid steps; null: all are valid
 * @throws UnrollError `shape` for inputs that do not fit each other, `value` for the first invalid tag
 */
export function crfLogLoss(
  emissions: Tensor,
  { transitions, start, end }: CrfScores,
  tags: TensorLike,
  mask: TensorLike | null = null,
): Tensor {
  if (emissions.rank !== 3)
    throw shapeError(
      `crfLogLoss: the emissions must be [batch, time, tags], got ${formatShape(emissions.shape)}.`,
      {
        emissions: emissions.shape,
      },
    );
  const [B, T, K] = emissions.shape;
  const ids = asTensor(tags);
  const steps = mask === null ? null : asTensor(mask);
  const check = (what: string, { shape }: Tensor, expected: Shape): void => {
    if (formatShape(shape) === formatShape(expected)) return;
    throw shapeError(
      `crfLogLoss: ${what} must have shape ${formatShape(expected)} for emissions ${formatShape(emissions.shape)}, got ${formatShape(shape)}.`,
      { emissions: emissions.shape, expected, got: shape },
    );
  };
  check('transitions', transitions, [K, K]);
  check('start', start, [K]);
  check('end', end, [K]);
  check('tags', ids, [B, T]);
  if (steps) check('mask', steps, [B, T]);
  checkTags(ids, steps, K);
  return apply1(crfLogLossOp, [emissions, transitions, start, end, ids, steps], NO_ATTRIBUTES);
}

/** @throws UnrollError `value` for the first valid step whose tag is not an integer from 0 to K - 1 */
function checkTags(tags: Tensor, mask: Tensor | null, K: number): void {
  const values = hostValues(tags, 'crfLogLoss: the tags');
  const valid = mask && hostValues(mask, 'crfLogLoss: the mask');
  const i = values.findIndex(
    (tag, step) => valid?.[step] !== 0 && !(Number.isInteger(tag) && tag >= 0 && tag < K),
  );
  if (i < 0) return;
  const [example, step] = [Math.floor(i / tags.shape[1]), i % tags.shape[1]];
  throw valueError(
    `crfLogLoss: the tag at index [${example}, ${step}] must be an integer from 0 to ${K - 1}, got ${values[i]}.`,
    { example, step, tag: values[i], tags: K },
  );
}
