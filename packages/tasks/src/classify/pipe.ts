/** The function of `pipeline('classify', model)`. */
import { valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';

/** A label with its probability. */
export interface LabelScore {
  label: string;
  /** From 0 to 1. */
  score: number;
}

export interface ClassifyPipeOptions {
  /** Number of labels, best first; null: all. Default 1. */
  topK?: number | null;
}

/** Classifies texts. The results have the form of the pipeline "text-classification" of transformers.js. */
export interface ClassifyPipe {
  /** Returns the `topK` best labels of a text. */
  (text: string, options?: ClassifyPipeOptions): Promise<LabelScore[]>;
  /** Returns the best label of each text. */
  (texts: readonly string[], options?: { topK?: 1 }): Promise<LabelScore[]>;
  /** Returns the `topK` best labels of each text; if `topK` is 1, a label for each text, without inner lists. */
  (texts: readonly string[], options: ClassifyPipeOptions): Promise<LabelScore[] | LabelScore[][]>;
}

/**
 * Predicts from one input or a list of inputs.
 * @param isSingle whether the value is one input
 * @param scoresOf returns the scores of all labels for each input: [input][label]
 * @throws UnrollError `value` for invalid options
 */
export async function classifyPipe<I>(
  input: I | readonly I[],
  options: ClassifyPipeOptions,
  { labels, isSingle, scoresOf }: ClassifyPipeSource<I>,
): Promise<LabelScore[] | LabelScore[][]> {
  const { topK = 1 } = options;
  checkOptions('pipeline', { topK: topK ?? undefined, ...without(options) }, { topK: 'count' });
  const single = isSingle(input);
  const inputs = (single ? [input] : input) as readonly I[];
  if (inputs.length === 0) return [];
  const results = (await scoresOf(inputs)).map((scores) =>
    Array.from(scores, (score, k): LabelScore => ({ label: labels[k], score }))
      .sort((a, b) => b.score - a.score)
      .slice(0, topK ?? labels.length),
  );
  return single || topK === 1 ? results.flat() : results;
}

export interface ClassifyPipeSource<I> {
  labels: readonly string[];
  isSingle(input: unknown): boolean;
  scoresOf(inputs: readonly I[]): Promise<readonly ArrayLike<number>[]>;
}

/** Returns the options except `topK`, which may be null. */
const without = ({ topK: _, ...others }: ClassifyPipeOptions): object => others;

/** @throws UnrollError `value` for other values than texts with at least one character that is not white space */
export function checkTexts(texts: readonly unknown[]): void {
  const wrong = texts.findIndex((text) => typeof text !== 'string' || text.trim() === '');
  if (wrong < 0) return;
  const position = texts.length === 1 ? '' : ` ${wrong + 1}`;
  throw valueError(`Text${position} must be a string that is not empty, got ${formatValue(texts[wrong])}.`);
}
