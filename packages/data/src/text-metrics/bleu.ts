/**
 * BLEU (Papineni et al., 2002, https://aclanthology.org/P02-1040), with the definitions and numerical results of
 * sacrebleu 2.6.0 (Post, 2018, https://aclanthology.org/W18-6319). Scores are 0 to 100.
 */
import { valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { BLEU_TOKENIZERS, type BleuTokenizer } from './bleu-tokenizers.js';
import { pairsOf, type References, trimEnd } from './corpus.js';
import { countNgrams, matchesOf, type NgramCounts, totalOf } from './ngrams.js';
import { signatureOf } from './signature.js';

/**
 * How an n-gram order without matches is counted (Chen and Cherry, 2014, https://aclanthology.org/W14-3346):
 * - `exp`: as 1/2 of a match for the first such order, 1/4 for the second, and so on
 * - `floor`: as `smoothValue` matches
 * - `none`: as no match
 * - `add-k`: `smoothValue` is added to the matches and totals of all orders above 1
 */
export type BleuSmoothing = 'exp' | 'floor' | 'add-k' | 'none';

export interface BleuOptions {
  /** Default `13a`. Use `zh` or `char` for Chinese. `none` splits at whitespace, for text that is tokenized already. */
  tokenizer?: BleuTokenizer;
  /** Default `exp`. */
  smoothing?: BleuSmoothing;
  /** The value of `floor` (default 0.1) or `add-k` (default 1). */
  smoothValue?: number;
  /** Whether case is ignored. Default false. */
  lowercase?: boolean;
  /** The highest n-gram order. Default 4. */
  maxOrder?: number;
  /**
   * Whether orders for which the hypothesis is too short are left out of the mean. Default false for {@link bleu}, true for
   * {@link sentenceBleu}.
   */
  effectiveOrder?: boolean;
}

export interface BleuScore {
  /** 0 to 100. */
  score: number;
  /** Precision of each n-gram order after smoothing, 0 to 100. All are 0 if no word matches. */
  precisions: number[];
  /** Number of matching n-grams of each order, before smoothing. */
  counts: number[];
  /** Number of n-grams of each order in the hypotheses, before smoothing. */
  totals: number[];
  /** The factor for hypotheses that are shorter than the references, 0 to 1. */
  brevityPenalty: number;
  /** Number of tokens of all hypotheses. */
  hypothesisLength: number;
  /** Number of tokens of the references. If a hypothesis has several references, only the one closest in length counts. */
  referenceLength: number;
  /** The options that determine the score, in the format of sacrebleu. Report it with the score. */
  signature: string;
}

type Settings = Required<BleuOptions>;

/** Sums over sentences. */
interface Statistics {
  counts: number[];
  totals: number[];
  hypothesisLength: number;
  referenceLength: number;
}

/**
 * Returns the BLEU score of a corpus.
 * @param hypotheses the texts to evaluate
 * @param references for each hypothesis, its reference or an array of its references. The arrays may have different lengths.
 *   (sacrebleu groups references differently: one list of all first references, and so on.)
 * @throws UnrollError `shape` if the lengths differ, `value` for an empty corpus or an unknown option
 */
export function bleu(
  hypotheses: readonly string[],
  references: readonly References[],
  options: BleuOptions = {},
): BleuScore {
  return compute('bleu', hypotheses, references, settingsOf('bleu', options, false));
}

/**
 * Returns the BLEU score of one sentence, by default with `effectiveOrder`. The {@link bleu} of a corpus is not the mean of
 * these scores.
 */
export function sentenceBleu(
  hypothesis: string,
  references: References,
  options: BleuOptions = {},
): BleuScore {
  return compute('sentenceBleu', [hypothesis], [references], settingsOf('sentenceBleu', options, true));
}

function compute(
  owner: string,
  hypotheses: readonly string[],
  references: readonly References[],
  settings: Settings,
): BleuScore {
  const pairs = pairsOf(owner, hypotheses, references);
  const tokensOf = (text: string) =>
    BLEU_TOKENIZERS[settings.tokenizer](trimEnd(settings.lowercase ? text.toLowerCase() : text));
  const sums: Statistics = {
    counts: new Array<number>(settings.maxOrder).fill(0),
    totals: new Array<number>(settings.maxOrder).fill(0),
    hypothesisLength: 0,
    referenceLength: 0,
  };
  for (const pair of pairs) addSentence(sums, tokensOf(pair.hypothesis), pair.references.map(tokensOf));
  const { smoothing, smoothValue } = settings;
  const takesValue = smoothing === 'floor' || smoothing === 'add-k';
  return {
    ...scoreOf(sums, settings),
    ...sums,
    signature: signatureOf(pairs, {
      case: settings.lowercase ? 'lc' : 'mixed',
      eff: settings.effectiveOrder ? 'yes' : 'no',
      tok: settings.tokenizer,
      smooth: takesValue ? `${smoothing}[${smoothValue.toFixed(2)}]` : smoothing,
    }),
  };
}

function settingsOf(owner: string, options: BleuOptions, effectiveOrderDefault: boolean): Settings {
  checkOptions(owner, options, {
    tokenizer: Object.keys(BLEU_TOKENIZERS),
    smoothing: ['exp', 'floor', 'add-k', 'none'],
    smoothValue: 'number',
    lowercase: 'boolean',
    maxOrder: 'count',
    effectiveOrder: 'boolean',
  });
  const {
    tokenizer = '13a',
    smoothing = 'exp',
    lowercase = false,
    maxOrder = 4,
    effectiveOrder = effectiveOrderDefault,
  } = options;
  const { smoothValue = smoothing === 'floor' ? 0.1 : 1 } = options;
  if (options.smoothValue !== undefined && smoothing !== 'floor' && smoothing !== 'add-k')
    throw valueError(`${owner}: smoothValue needs smoothing "floor" or "add-k", got "${smoothing}".`);
  if (smoothValue < 0) throw valueError(`${owner}: smoothValue must be 0 or more, got ${smoothValue}.`);
  return { tokenizer, smoothing, smoothValue, lowercase, maxOrder, effectiveOrder };
}

function addSentence(sums: Statistics, hypothesis: string[], references: string[][]): void {
  sums.hypothesisLength += hypothesis.length;
  sums.referenceLength += closestLength(hypothesis.length, references);
  for (let n = 1; n <= sums.counts.length; n++) {
    const ngrams = countNgrams(hypothesis, n);
    sums.totals[n - 1] += totalOf(ngrams);
    sums.counts[n - 1] += matchesOf(ngrams, highestCounts(references, n));
  }
}

/** Returns the length of the reference whose length is closest to `length`; of two equally close lengths, the smaller one. */
function closestLength(length: number, references: string[][]): number {
  const lengths = references.map((reference) => reference.length).sort((a, b) => a - b);
  return lengths.reduce((best, next) => (Math.abs(next - length) < Math.abs(best - length) ? next : best));
}

/** Returns for each n-gram its highest count in any one reference. */
function highestCounts(references: string[][], order: number): NgramCounts {
  if (references.length === 1) return countNgrams(references[0], order);
  const highest = new Map<string, number>();
  for (const reference of references) {
    for (const [ngram, count] of countNgrams(reference, order))
      highest.set(ngram, Math.max(count, highest.get(ngram) ?? 0));
  }
  return highest;
}

/** The logarithm that stands for a precision of 0; exp of it is 0. */
const LOG_ZERO = -9999999999;

function scoreOf(
  sums: Statistics,
  settings: Settings,
): Pick<BleuScore, 'score' | 'precisions' | 'brevityPenalty'> {
  const { hypothesisLength, referenceLength } = sums;
  const { smoothing, smoothValue, maxOrder } = settings;
  const brevityPenalty =
    hypothesisLength >= referenceLength
      ? 1
      : hypothesisLength > 0
        ? Math.exp(1 - referenceLength / hypothesisLength)
        : 0;
  const precisions = new Array<number>(maxOrder).fill(0);
  if (sums.counts.every((count) => count === 0)) return { score: 0, precisions, brevityPenalty };
  let orders = maxOrder;
  let halvings = 1;
  for (let i = 0; i < maxOrder; i++) {
    const added = smoothing === 'add-k' && i > 0 ? smoothValue : 0;
    const count = sums.counts[i] + added;
    const total = sums.totals[i] + added;
    if (total === 0) break;
    if (settings.effectiveOrder) orders = i + 1;
    if (count > 0) precisions[i] = (100 * count) / total;
    else if (smoothing === 'exp') precisions[i] = 100 / ((halvings *= 2) * total);
    else if (smoothing === 'floor') precisions[i] = (100 * smoothValue) / total;
  }
  const logs = precisions.slice(0, orders).map((p) => (p === 0 ? LOG_ZERO : Math.log(p)));
  const score = brevityPenalty * Math.exp(logs.reduce((sum, value) => sum + value, 0) / orders);
  return { score, precisions, brevityPenalty };
}
