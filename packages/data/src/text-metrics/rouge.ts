/**
 * ROUGE-1, ROUGE-2, ROUGE-L and ROUGE-Lsum (Lin, 2004, https://aclanthology.org/W04-1013), with the definitions and
 * numerical results of rouge-score 0.1.2. Scores are 0 to 1.
 */
import { valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { pairsOf, type References, removeWhitespace, splitWords } from './corpus.js';
import { countNgrams, matchesOf, totalOf } from './ngrams.js';
import { porterStem } from './porter-stemmer.js';

/**
 * How texts become tokens. All tokenizers except functions convert the text to lower case first.
 * - `rouge`: runs of the letters a to z and digits, as in rouge-score and ROUGE-1.5.5. It drops all other characters, so
 *   Chinese text has no tokens, and "über" becomes "ber".
 * - `char`: every character except whitespace, for Chinese and Japanese
 * - `whitespace`: splits at whitespace, for languages with other letters, or for text that is tokenized already
 * - a function from a text to its tokens
 */
export type RougeTokenizer = 'rouge' | 'char' | 'whitespace' | ((text: string) => readonly string[]);

export interface RougeOptions {
  /** Default `rouge`. */
  tokenizer?: RougeTokenizer;
  /** Applies the Porter stemmer for English to words of more than three letters. Only with the tokenizer `rouge`. Default false. */
  stemmer?: boolean;
}

export interface PrecisionRecall {
  /** 0 to 1. */
  precision: number;
  /** 0 to 1. */
  recall: number;
  /** Harmonic mean of precision and recall, 0 to 1. */
  f1: number;
}

export interface RougeScores {
  /** Words in common. */
  rouge1: PrecisionRecall;
  /** Pairs of adjacent words in common. */
  rouge2: PrecisionRecall;
  /** Longest common subsequence of the texts. Line breaks are ignored. */
  rougeL: PrecisionRecall;
  /** Longest common subsequences of sentences, for summaries of several sentences. Each line of a text is a sentence. */
  rougeLsum: PrecisionRecall;
}

const NAMES = ['rouge1', 'rouge2', 'rougeL', 'rougeLsum'] as const;

/**
 * Returns the mean ROUGE scores over the pairs of a corpus. If there are several references, each score is that of the reference
 * with the best F1.
 * @param hypotheses the texts to evaluate
 * @param references for each hypothesis, its reference or an array of its references
 * @throws UnrollError `shape` if the lengths differ, `value` for an empty corpus or an unknown option
 */
export function rouge(
  hypotheses: readonly string[],
  references: readonly References[],
  options: RougeOptions = {},
): RougeScores {
  const tokensOf = tokenizerOf('rouge', options);
  const all = pairsOf('rouge', hypotheses, references).map((pair) =>
    bestScores(pair.hypothesis, pair.references, tokensOf),
  );
  return scoresBy((name) => {
    const mean = (key: keyof PrecisionRecall) =>
      all.reduce((sum, scores) => sum + scores[name][key], 0) / all.length;
    return { precision: mean('precision'), recall: mean('recall'), f1: mean('f1') };
  });
}

/** Returns the ROUGE scores of one text. See {@link rouge}. */
export function sentenceRouge(
  hypothesis: string,
  references: References,
  options: RougeOptions = {},
): RougeScores {
  const tokensOf = tokenizerOf('sentenceRouge', options);
  const [pair] = pairsOf('sentenceRouge', [hypothesis], [references]);
  return bestScores(pair.hypothesis, pair.references, tokensOf);
}

const scoresBy = (score: (name: (typeof NAMES)[number]) => PrecisionRecall): RougeScores => ({
  rouge1: score('rouge1'),
  rouge2: score('rouge2'),
  rougeL: score('rougeL'),
  rougeLsum: score('rougeLsum'),
});

type Tokenize = (text: string) => readonly string[];

function tokenizerOf(owner: string, options: RougeOptions): Tokenize {
  checkOptions(owner, options, { tokenizer: true, stemmer: 'boolean' });
  const { tokenizer = 'rouge', stemmer = false } = options;
  if (stemmer && tokenizer !== 'rouge')
    throw valueError(`${owner}: stemmer: true needs the tokenizer "rouge", got ${formatValue(tokenizer)}.`);
  if (typeof tokenizer === 'function') return checkedTokenizer(owner, tokenizer);
  if (tokenizer === 'rouge') return (text) => rougeTokens(text, stemmer);
  if (tokenizer === 'char') return (text) => Array.from(removeWhitespace(text.toLowerCase()));
  if (tokenizer === 'whitespace') return (text) => splitWords(text.toLowerCase());
  throw valueError(
    `${owner}: tokenizer must be "rouge", "char", "whitespace" or a function from a text to its tokens, ` +
      `got ${formatValue(tokenizer)}.`,
  );
}

function checkedTokenizer(owner: string, tokenize: Tokenize): Tokenize {
  return (text) => {
    const tokens: unknown = tokenize(text);
    if (Array.isArray(tokens) && tokens.every((token) => typeof token === 'string')) return tokens;
    throw valueError(
      `${owner}: tokenizer must return an array of strings, got ${formatValue(tokens)} for ${formatValue(text)}.`,
    );
  };
}

function rougeTokens(text: string, stemmer: boolean): string[] {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return stemmer ? words.map((word) => (word.length > 3 ? porterStem(word) : word)) : words;
}

function bestScores(hypothesis: string, references: readonly string[], tokensOf: Tokenize): RougeScores {
  const all = references.map((reference) => scoresOf(hypothesis, reference, tokensOf));
  return scoresBy((name) =>
    all.map((scores) => scores[name]).reduce((best, next) => (next.f1 > best.f1 ? next : best)),
  );
}

function scoresOf(hypothesis: string, reference: string, tokensOf: Tokenize): RougeScores {
  const ids = new Map<string, number>();
  const idsOf = (text: string) =>
    tokensOf(text).map((token) => {
      const id = ids.get(token) ?? ids.size;
      ids.set(token, id);
      return id;
    });
  const sentencesOf = (text: string) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map(idsOf);
  const [hypothesisIds, referenceIds] = [idsOf(hypothesis), idsOf(reference)];
  const commonLength = lcsTable(referenceIds, hypothesisIds).at(-1)?.at(-1) ?? 0;
  return {
    rouge1: ngramScore(hypothesisIds, referenceIds, 1),
    rouge2: ngramScore(hypothesisIds, referenceIds, 2),
    rougeL: fromHits(commonLength, hypothesisIds.length, referenceIds.length),
    rougeLsum: summaryScore(sentencesOf(hypothesis), sentencesOf(reference)),
  };
}

type Ids = readonly number[];

function ngramScore(hypothesis: Ids, reference: Ids, order: number): PrecisionRecall {
  const [found, expected] = [countNgrams(hypothesis, order), countNgrams(reference, order)];
  return fromHits(matchesOf(found, expected), totalOf(found), totalOf(expected));
}

function fromHits(hits: number, hypothesisLength: number, referenceLength: number): PrecisionRecall {
  const precision = hits / Math.max(hypothesisLength, 1);
  const recall = hits / Math.max(referenceLength, 1);
  return { precision, recall, f1: hits > 0 ? (2 * precision * recall) / (precision + recall) : 0 };
}

/** Returns the length of the longest common subsequence of each pair of prefixes, [reference + 1, hypothesis + 1]. */
function lcsTable(reference: Ids, hypothesis: Ids): Uint32Array[] {
  const table = [new Uint32Array(hypothesis.length + 1)];
  for (let i = 1; i <= reference.length; i++) {
    const above = table[i - 1];
    const row = new Uint32Array(hypothesis.length + 1);
    for (let j = 1; j <= hypothesis.length; j++) {
      const equal = reference[i - 1] === hypothesis[j - 1];
      row[j] = equal ? above[j - 1] + 1 : Math.max(above[j], row[j - 1]);
    }
    table.push(row);
  }
  return table;
}

/** Adds the positions in `reference` of one longest common subsequence. rouge-score breaks ties in the same way. */
function addLcsPositions(positions: Set<number>, reference: Ids, hypothesis: Ids): void {
  const table = lcsTable(reference, hypothesis);
  let i = reference.length;
  let j = hypothesis.length;
  while (i > 0 && j > 0) {
    if (reference[i - 1] === hypothesis[j - 1]) {
      positions.add(--i);
      j--;
    } else if (table[i][j - 1] > table[i - 1][j]) j--;
    else i--;
  }
}

/**
 * Returns ROUGE-Lsum. The hits of a reference sentence are its words that are in the longest common subsequence with any sentence
 * of the hypothesis. A word has no more hits than occurrences in either text.
 */
function summaryScore(hypothesis: Ids[], reference: Ids[]): PrecisionRecall {
  const remaining = [countsOf(hypothesis.flat()), countsOf(reference.flat())];
  let hits = 0;
  for (const sentence of reference) {
    const positions = new Set<number>();
    for (const other of hypothesis) addLcsPositions(positions, sentence, other);
    for (const position of [...positions].sort((a, b) => a - b)) {
      const id = sentence[position];
      if (remaining.some((counts) => (counts.get(id) ?? 0) === 0)) continue;
      hits++;
      for (const counts of remaining) counts.set(id, (counts.get(id) ?? 0) - 1);
    }
  }
  return fromHits(hits, hypothesis.flat().length, reference.flat().length);
}

function countsOf(ids: Ids): Map<number, number> {
  const counts = new Map<number, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}
