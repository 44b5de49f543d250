/** The function that `pipeline('describe', model)` returns. */
import type { Clip } from '../shared/frames/clips.js';
import type { SearchOptions } from '../translate/decode.js';
import { pipeOptions, type TranslatePipeOptions } from '../translate/pipe.js';
import type { Description } from './model.js';

/** The description of a clip. */
export interface DescribedClip {
  generatedText: string;
  /** The log-probability, divided by the length penalty. */
  score: number;
  /** Attention weights: for each token, one weight per frame. Only with the option `alignments`. */
  alignment?: { tokens: string[]; frames: number[]; weights: number[][] };
}

export type DescribePipeOptions = TranslatePipeOptions;

/**
 * Describes clips: lists of images such as ImageData, or arrays { shape, values }. The results have the form of the pipeline
 * "image-to-text" of transformers.js, a list even for one clip, with `generatedText` in place of `generated_text`.
 */
export type DescribePipe = (
  input: Clip | readonly Clip[],
  options?: DescribePipeOptions,
) => Promise<DescribedClip[]>;

/**
 * Describes one clip or a list of clips.
 * @throws UnrollError `value` for invalid options, and for inputs other than clips
 */
export async function describePipe(
  input: unknown,
  options: DescribePipeOptions,
  {
    isSingle,
    describe,
  }: {
    isSingle(input: unknown): boolean;
    describe(clips: readonly unknown[], options: SearchOptions): Promise<Description[]>;
  },
): Promise<DescribedClip[]> {
  const { alignments, search } = pipeOptions(options);
  const clips = isSingle(input) || !Array.isArray(input) ? [input] : input;
  const descriptions = await describe(clips, search);
  return descriptions.map(({ text, score, tokens, frames, alignment }) => ({
    ...{ generatedText: text, score },
    ...(alignments && {
      alignment: { tokens, frames, weights: alignment.map((weights) => Array.from(weights)) },
    }),
  }));
}
