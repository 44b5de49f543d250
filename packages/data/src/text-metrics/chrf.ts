/**
 * chrF (Popović, 2015, https://aclanthology.org/W15-3049) and chrF++ (Popović, 2017, https://aclanthology.org/W17-4770),
 * with the definitions and numerical results of sacrebleu 2.6.0. Scores are 0 to 100.
 */
import { valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { pairsOf, type References, removeWhitespace, splitWords } from './corpus.js';
import { countCharNgrams, countNgrams, matchesOf, type NgramCounts, totalOf } from './ngrams.js';
import { signatureOf } from './signature.js';

export interface ChrfOptions {
  /** The highest order of character n-grams. Default 6. */
  charOrder?: number;
  /** The highest order of word n-grams: 0 is chrF (default), 2 is chrF++. */
  wordOrder?: number;
  /** Recall counts `beta` times as much as precision. Default 2. */
  beta?: number;
  /** Whether case is ignored. Default false. */
  lowercase?: boolean;
  /** Whether character n-grams include whitespace. Default false. */
  whitespace?: boolean;
  /**
   * True: the mean of the F-scores of all orders, with 1e-16 for undefined ratios, as in chrF++.py, NLTK and Moses.
   * Default false: the F-score of the mean precision and recall over the orders that occur in hypothesis and reference.
   */
  epsSmoothing?: boolean;
}

export interface ChrfScore {
  /** 0 to 100. */
  score: number;
  /** The options that determine the score, in the format of sacrebleu. Report it with the score. */
  signature: string;
}

type Settings = Required<ChrfOptions>;

/** Numbers of n-grams of one order: in the hypothesis, in the reference, and in both. */
interface OrderCounts {
  hypothesis: number;
  reference: number;
  matches: number;
}

/**
 * Returns the chrF score of a corpus; with `wordOrder: 2`, chrF++. If there are several references, each sentence is scored with the best one.
 * @param hypotheses the texts to evaluate
 * @param references for each hypothesis, its reference or an array of its references
 * @throws UnrollError `shape` if the lengths differ, `value` for an empty corpus or an unknown option
 */
export function chrf(
  hypotheses: readonly string[],
  references: readonly References[],
  options: ChrfOptions = {},
): ChrfScore {
  return compute('chrf', hypotheses, references, options);
}

/** Returns the chrF score of one sentence. The {@link chrf} of a corpus is not the mean of these scores. */
export function sentenceChrf(
  hypothesis: string,
  references: References,
  options: ChrfOptions = {},
): ChrfScore {
  return compute('sentenceChrf', [hypothesis], [references], options);
}

function compute(
  owner: string,
  hypotheses: readonly string[],
  references: readonly References[],
  options: ChrfOptions,
): ChrfScore {
  const settings = settingsOf(owner, options);
  const pairs = pairsOf(owner, hypotheses, references);
  const sums = Array.from({ length: settings.charOrder + settings.wordOrder }, () => ({
    hypothesis: 0,
    reference: 0,
    matches: 0,
  }));
  for (const pair of pairs) {
    bestCounts(pair.hypothesis, pair.references, settings).forEach((counts, i) => {
      sums[i].hypothesis += counts.hypothesis;
      sums[i].reference += counts.reference;
      sums[i].matches += counts.matches;
    });
  }
  return {
    score: scoreOf(sums, settings),
    signature: signatureOf(pairs, {
      case: settings.lowercase ? 'lc' : 'mixed',
      eff: settings.epsSmoothing ? 'no' : 'yes',
      nc: settings.charOrder,
      nw: settings.wordOrder,
      space: settings.whitespace ? 'yes' : 'no',
    }),
  };
}

function settingsOf(owner: string, options: ChrfOptions): Settings {
  checkOptions(owner, options, {
    charOrder: 'count',
    wordOrder: 'nonNegativeInteger',
    beta: 'number',
    lowercase: 'boolean',
    whitespace: 'boolean',
    epsSmoothing: 'boolean',
  });
  const { charOrder = 6, wordOrder = 0, beta = 2 } = options;
  const { lowercase = false, whitespace = false, epsSmoothing = false } = options;
  if (beta <= 0) throw valueError(`${owner}: beta must be above 0, got ${beta}.`);
  return { charOrder, wordOrder, beta, lowercase, whitespace, epsSmoothing };
}

/** Returns the counts for the reference with the best score. If several are best, the first one is used. */
function bestCounts(hypothesis: string, references: readonly string[], settings: Settings): OrderCounts[] {
  const hypothesisNgrams = ngramsOf(hypothesis, settings);
  let best: OrderCounts[] = [];
  let bestScore = -1;
  for (const reference of references) {
    const counts = ngramsOf(reference, settings).map((ngrams, i) => ({
      // If the reference is too short for an order, the n-grams of the hypothesis do not count as wrong.
      hypothesis: ngrams.size > 0 ? totalOf(hypothesisNgrams[i]) : 0,
      reference: totalOf(ngrams),
      matches: matchesOf(hypothesisNgrams[i], ngrams),
    }));
    const score = scoreOf(counts, settings);
    if (score <= bestScore) continue;
    best = counts;
    bestScore = score;
  }
  return best;
}

/** Returns the counts of the n-grams of each order: first of characters, then of words. */
function ngramsOf(text: string, settings: Settings): NgramCounts[] {
  const line = settings.lowercase ? text.toLowerCase() : text;
  const characters = Array.from(settings.whitespace ? line : removeWhitespace(line));
  const words = settings.wordOrder > 0 ? separateEnds(line) : [];
  return [
    ...Array.from({ length: settings.charOrder }, (_, i) => countCharNgrams(characters, i + 1)),
    ...Array.from({ length: settings.wordOrder }, (_, i) => countNgrams(words, i + 1)),
  ];
}

const PUNCTUATION = new Set('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~');

/** Splits at whitespace, and separates an ASCII punctuation mark at the end of a word, otherwise one at its start. */
function separateEnds(line: string): string[] {
  return splitWords(line).flatMap((word) => {
    if (word.length === 1) return [word];
    if (PUNCTUATION.has(word[word.length - 1])) return [word.slice(0, -1), word[word.length - 1]];
    return PUNCTUATION.has(word[0]) ? [word[0], word.slice(1)] : [word];
  });
}

/** The value of an undefined precision, recall or F-score. */
const EPSILON = 1e-16;

function scoreOf(orders: readonly OrderCounts[], { beta, epsSmoothing }: Settings): number {
  const weight = beta ** 2;
  let sumOfScores = 0;
  let precisions = 0;
  let recalls = 0;
  let effectiveOrders = 0;
  for (const { hypothesis, reference, matches } of orders) {
    const precision = hypothesis > 0 ? matches / hypothesis : EPSILON;
    const recall = reference > 0 ? matches / reference : EPSILON;
    const denominator = weight * precision + recall;
    sumOfScores += denominator > 0 ? ((1 + weight) * precision * recall) / denominator : EPSILON;
    if (hypothesis === 0 || reference === 0) continue;
    precisions += precision;
    recalls += recall;
    effectiveOrders++;
  }
  if (epsSmoothing) return (100 * sumOfScores) / orders.length;
  if (precisions + recalls === 0) return 0;
  const precision = precisions / effectiveOrders;
  const recall = recalls / effectiveOrders;
  return (100 * ((1 + weight) * precision * recall)) / (weight * precision + recall);
}
