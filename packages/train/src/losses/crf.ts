/** The loss of taggers whose output layer is `crf`. */
import { crfLogLoss, formatShape, reshape, type Tensor, valueError } from '@unroll/core';
import { type AllowedTags, checkOptions, crfOutputOf, hostValues } from '@unroll/core/internal';
import { LOSS_OPTIONS, type Loss, type LossOptions } from './loss.js';
import { type SequenceBatch, sequenceLoss } from './sequence.js';

/**
 * Negative log-likelihood of the tags under a linear-chain conditional random field (Lafferty et al. 2001): one number per
 * sequence, as in pytorch-crf. The output of the model must be that of a `crf` layer, which has the transitions.
 *
 * Targets are the ids of the tags, [B, T] or [B, T, 1], from 0 to K - 1. Tags of masked steps are ignored.
 * @throws UnrollError (in training) `value` for the output of another layer, a target of the wrong shape, a tag out of range,
 * a tag sequence that the constraints of the layer rule out, or a sequence without a valid step
 */
export function crf(options: LossOptions = {}): Loss {
  checkOptions('crf', options, LOSS_OPTIONS);
  return sequenceLoss(
    {
      name: 'crf',
      check({ lengths, example }) {
        const empty = lengths.indexOf(0);
        if (empty < 0) return;
        throw valueError(
          `crf: ${example(empty)} has length 0: its mask has no valid step, or there are no steps. Remove empty sequences.`,
          { example: empty },
        );
      },
      losses(batch) {
        const { prediction, mask } = batch;
        const output = crfOutputOf(prediction);
        if (!output) {
          throw valueError(
            'crf: the loss needs the output of a crf layer. Make crf({ tags }) the last layer of the model.',
          );
        }
        const tags = tagIds(batch);
        checkTags(batch, tags, output.allowed);
        return crfLogLoss(prediction, output.scores(), tags, mask);
      },
    },
    options,
  );
}

/** Maximum number of tags of an example in a message. */
const MAX_TAGS = 10;

/** Returns the targets as [B, T]. @throws UnrollError `value` for other shapes */
function tagIds({ prediction, target }: SequenceBatch): Tensor {
  const [B, T] = prediction.shape;
  if ([`[${B}, ${T}]`, `[${B}, ${T}, 1]`].includes(formatShape(target.shape))) return reshape(target, [B, T]);
  throw valueError(
    `crf: the target must have the shape [${B}, ${T}], one tag id per step; got the shape ${formatShape(target.shape)}.`,
    {
      target: target.shape,
      prediction: prediction.shape,
    },
  );
}

/** @throws UnrollError `value` for the first tag that is not a tag id or that the constraints rule out */
function checkTags(
  { prediction, mask, example }: SequenceBatch,
  tags: Tensor,
  allowed: AllowedTags | null,
): void {
  const [B, T, K] = prediction.shape;
  const values = hostValues(tags, 'crf: the tags');
  const valid = mask && hostValues(mask, 'A mask');
  for (let b = 0; b < B; b++) {
    const fail = (step: number, problem: string): never => {
      const sequence = values.subarray(b * T, b * T + Math.min(T, MAX_TAGS)).join(', ');
      throw valueError(
        `crf: step index ${step} of ${example(b)} (tags ${sequence}${T > MAX_TAGS ? ', ...' : ''}): ${problem}`,
        { example: b, step },
      );
    };
    /** The last valid step before t; -1: none. */
    let last = -1;
    for (let t = 0; t < T; t++) {
      const tag = values[b * T + t];
      if (valid && valid[b * T + t] === 0) continue;
      if (!(Number.isInteger(tag) && tag >= 0 && tag < K)) {
        fail(t, `the tag must be an integer from 0 to ${K - 1}, got ${tag}. Mask padding steps.`);
      }
      if (allowed && last < 0 && !allowed.start[tag])
        fail(t, `the constraints do not allow a sequence to begin with tag ${tag}.`);
      const previousTag = last < 0 ? tag : values[b * T + last];
      if (allowed && last >= 0 && !allowed.transitions[previousTag][tag])
        fail(t, `the constraints do not allow tag ${tag} after tag ${previousTag}.`);
      last = t;
    }
    const end = values[b * T + last];
    if (allowed && !allowed.end[end])
      fail(last, `the constraints do not allow a sequence to end with tag ${end}.`);
  }
}
