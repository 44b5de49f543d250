/** Decodes the outputs of models whose output layer is `crf`. */
import {
  type MaskedSequence,
  type Model,
  nBestPaths,
  type PredictOptions,
  type RankedTagPath,
  scope,
  type TagScores,
  type Tensor,
  tagProbabilities,
  valueError,
  viterbi,
} from '@unroll/core';
import {
  type CrfOutput,
  checkPositiveInteger,
  crfOutputOf,
  hostValues,
  inferenceContext,
  masksFor,
  sliceRows,
  toHost,
  yieldIfDue,
} from '@unroll/core/internal';

/**
 * Returns the best tags of the valid steps of each sequence (Viterbi).
 * @param x a tensor [N, ...], or a list with one tensor for each input of the model
 * @throws UnrollError `value` unless exactly one output of the model comes from a `crf` layer; also if a sequence has no valid
 * step, or if the constraints of the layer allow no tag path of the length of a sequence
 */
export async function decodeTags(
  model: Model,
  x: Tensor | readonly Tensor[],
  options?: PredictOptions,
): Promise<number[][]> {
  return decodeEach(model, x, options, (scores) => viterbi(scores).tags);
}

/** Returns the n best tag paths of each sequence, best first. See {@link decodeTags}. */
export async function nBestTags(
  model: Model,
  x: Tensor | readonly Tensor[],
  n: number,
  options?: PredictOptions,
): Promise<RankedTagPath[][]> {
  checkPositiveInteger('n', n);
  return decodeEach(model, x, options, (scores) => nBestPaths(scores, n));
}

/** Returns the probability of each tag at each valid step of each sequence, [N][steps][K]. See {@link decodeTags}. */
export async function tagMarginals(
  model: Model,
  x: Tensor | readonly Tensor[],
  options?: PredictOptions,
): Promise<number[][][]> {
  return decodeEach(model, x, options, (scores) => {
    const K = scores.start.length;
    const flat = tagProbabilities(scores);
    return Array.from({ length: flat.length / K }, (_, t) => [...flat.subarray(t * K, (t + 1) * K)]);
  });
}

/** Runs the model, and calls `decode` with the scores of each sequence. */
async function decodeEach<R>(
  model: Model,
  x: Tensor | readonly Tensor[],
  { batchSize = 256, mask }: PredictOptions = {},
  decode: (scores: TagScores) => R,
): Promise<R[]> {
  checkPositiveInteger('batchSize', batchSize);
  const inputs = [x].flat() as Tensor[];
  const hostInputs = await toHost([...inputs, ...masksFor(inputs, mask)]);
  const results: R[] = [];
  for (let start = 0; start < inputs[0].shape[0]; start += batchSize) {
    const rows = hostInputs.map(
      (tensor) => tensor && sliceRows(tensor, start, Math.min(start + batchSize, tensor.shape[0])),
    );
    const sequences = inputs.map((_, i) => ({ value: rows[i] as Tensor, mask: rows[inputs.length + i] }));
    const tensors = scope(() => {
      const { value, mask, output } = crfOutputIn(model, model.forward(sequences, inferenceContext()));
      const { transitions, start, end } = output.scores();
      return [value, transitions, start, end, ...(mask ? [mask] : [])];
    });
    for (const scores of scoresOf(await toHost(tensors), start)) results.push(decode(scores));
    await yieldIfDue();
  }
  return results;
}

/** Returns the output of the `crf` layer. @throws UnrollError `value` unless exactly one output is from such a layer */
function crfOutputIn(
  model: Model,
  outputs: readonly MaskedSequence[],
): MaskedSequence & { output: CrfOutput } {
  const found = outputs.flatMap((sequence) => {
    const output = crfOutputOf(sequence.value);
    return output ? [{ ...sequence, output }] : [];
  });
  if (found.length === 1) return found[0];
  const remedy =
    found.length > 0 ? 'Build a model with one of these outputs.' : 'Make crf({ tags }) the last layer.';
  throw valueError(
    `To decode tags, exactly one output of ${model.name} must come from a crf layer, but ${found.length} do. ${remedy}`,
    { found: found.length },
  );
}

/** Returns the scores of each sequence of a batch. @param first index of the batch's first sequence, for messages */
function scoresOf([emissions, ...rest]: readonly Tensor[], first: number): TagScores[] {
  const [B, T, K] = emissions.shape;
  const values = hostValues(emissions, 'Emissions');
  const [transitions, start, end, mask] = rest.map((tensor) => hostValues(tensor, 'Scores'));
  return Array.from({ length: B }, (_, b) => {
    const steps = Array.from({ length: T }, (_, t) => b * T + t).filter((step) => mask?.[step] !== 0);
    if (steps.length === 0) {
      throw valueError(
        `The sequence at index ${first + b} has length 0: its mask has no valid step, or there are no steps.`,
        {
          sequence: first + b,
        },
      );
    }
    const valid = new Float64Array(steps.length * K);
    steps.forEach((step, s) => void valid.set(values.subarray(step * K, (step + 1) * K), s * K));
    return { emissions: valid, transitions, start, end };
  });
}
