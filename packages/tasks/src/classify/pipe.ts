/** The function that `pipeline('classify', model)` returns. */
import { checkOptions } from '@unroll/core/internal';
import type { Clip } from '../shared/frames/clips.js';
import type { Sound } from '../shared/sounds.js';

/** A label with its probability. */
export interface LabelScore {
  label: string;
  /** From 0 to 1. */
  score: number;
}

export interface ClassifyPipeOptions {
  /**
   * Maximum number of labels per input, best first; null: no maximum. Default 1. If an input may have several labels, only those
   * with a probability of at least 0.5 are returned, and the default is null.
   */
  topK?: number | null;
}

/** Steps of a sequence: numbers, or lists of the features of each step. */
export type SequenceValue = readonly (number | null)[] | readonly (readonly unknown[])[];

/**
 * Classifies inputs of the kind that the model was trained on: texts, sequences, sounds (bytes of WAV files, or
 * { samples, sampleRate }) or clips (lists of images such as ImageData, or { shape, values }). The results have the form of the
 * pipeline "text-classification" of transformers.js.
 */
export interface ClassifyPipe {
  /** Returns the `topK` best labels of an input. */
  (input: string | SequenceValue | Sound | Clip, options?: ClassifyPipeOptions): Promise<LabelScore[]>;
  /**
   * Returns one result for each input. If an input has one label and `topK` is 1, the result is its best label. Otherwise, the
   * result is the list of its `topK` best labels, which is empty for an input without a label.
   */
  (
    inputs: readonly string[] | readonly SequenceValue[] | readonly Sound[] | readonly Clip[],
    options?: ClassifyPipeOptions,
  ): Promise<LabelScore[] | LabelScore[][]>;
}

/**
 * Returns the labels of one input, or of each input of a list, see {@link ClassifyPipe}.
 * @throws UnrollError `value` for invalid options
 */
export async function classifyPipe(
  input: unknown,
  options: ClassifyPipeOptions,
  { labels, threshold, isSingle, scoresOf }: ClassifyPipeSource,
): Promise<LabelScore[] | LabelScore[][]> {
  const { topK = threshold === null ? 1 : null } = options;
  checkOptions('pipeline', { topK: topK ?? undefined, ...withoutTopK(options) }, { topK: 'count' });
  const single = isSingle(input);
  const inputs = (single ? [input] : input) as readonly unknown[];
  if (inputs.length === 0) return [];
  const results = (await scoresOf(inputs)).map((scores) =>
    Array.from(scores, (score, k): LabelScore => ({ label: labels[k], score }))
      .filter(({ score }) => threshold === null || score >= threshold)
      .sort((a, b) => b.score - a.score)
      .slice(0, topK ?? labels.length),
  );
  if (single) return results[0];
  return topK === 1 && threshold === null ? results.flat() : results;
}

export interface ClassifyPipeSource {
  labels: readonly string[];
  /** Minimum probability of a returned label if an input may have several labels, otherwise null. */
  threshold: number | null;
  /** Returns whether a value is one input, not a list of inputs. */
  isSingle(input: unknown): boolean;
  /** Returns the probabilities of all labels for each input: [input][label]. */
  scoresOf(inputs: readonly unknown[]): Promise<readonly ArrayLike<number>[]>;
}

/** Returns the options except `topK`, which may be null. */
const withoutTopK = ({ topK: _, ...others }: ClassifyPipeOptions): object => others;
