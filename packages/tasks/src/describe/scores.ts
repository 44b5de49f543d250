/** Scores of generated sentences: BLEU, chrF and ROUGE as for translations, the perplexity, and the share of exact matches. */
import type { BleuOptions } from '@unroll/data';
import type { ScoreTable } from '../shared/scores.js';
import { type TranslateScores, translateScores } from '../translate/scores.js';

export interface DescribeScores extends TranslateScores {
  /** Share of the sentences that equal the reference, apart from white space and, with `lowercase`, from case: 0 to 1. */
  exactMatch: number;
  /** Perplexity of the tokens. */
  perplexity: number;
}

const normalizeSentence = (text: string, lowercase: boolean): string => {
  const collapsed = text.trim().replace(/\s+/g, ' ');
  return lowercase ? collapsed.toLowerCase() : collapsed;
};

/** Returns the scores of sentences against references. */
export function describeScores(
  sentences: readonly string[],
  references: readonly string[],
  { perplexity, bleu }: { perplexity: number; bleu: BleuOptions },
): DescribeScores {
  const { lowercase = false } = bleu;
  const right = sentences.filter(
    (text, i) => normalizeSentence(text, lowercase) === normalizeSentence(references[i], lowercase),
  ).length;
  return {
    ...translateScores(sentences, references, bleu),
    exactMatch: right / sentences.length,
    perplexity,
  };
}

/** Returns the scores as a table of one row. */
export function scoreTable(scores: DescribeScores, clips: number, model: string): ScoreTable {
  const number = { format: 'number' as const, decimals: 1 };
  return {
    columns: [
      { name: 'model', title: 'model', format: 'text' },
      { name: 'exact_match', title: 'exact match', format: 'share', decimals: 1 },
      { name: 'bleu', title: 'BLEU', ...number },
      { name: 'chrf', title: 'chrF', ...number },
      { name: 'rougeL', title: 'ROUGE-L', ...number },
      { name: 'perplexity', title: 'perplexity', format: 'number', decimals: 2 },
      { name: 'clips', title: 'clips', format: 'number' },
    ],
    rows: [[model, ...Object.values(metricsOf(scores)), clips]],
  };
}

/** Returns the metrics for JSON: the exact match from 0 to 1, BLEU, chrF and ROUGE-L from 0 to 100, and the perplexity. */
export const metricsOf = ({ exactMatch, bleu, chrf, rougeL, perplexity }: DescribeScores) => ({
  ...{ exact_match: exactMatch, bleu, chrf, rougeL, perplexity },
});
