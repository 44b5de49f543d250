/** Scores of translations and summaries: BLEU and chrF as defined by sacrebleu, and ROUGE. All are 0 to 100. */
import { type BleuOptions, bleu, chrf, rouge } from '@unroll/data';
import type { ScoreTable } from '../shared/scores.js';

export interface TranslateScores {
  bleu: number;
  chrf: number;
  /** F1 of the unigrams shared with the reference. */
  rouge1: number;
  /** F1 of the bigrams shared with the reference. */
  rouge2: number;
  /** F1 of the longest common subsequence. */
  rougeL: number;
  /** The signatures of BLEU and chrF, which give their settings in the form of sacrebleu. */
  signatures: { bleu: string; chrf: string };
}

/** Returns the options of BLEU. The tokenizer depends on the writing system of the references. */
export function bleuOptions(references: readonly string[], lowercase: boolean): BleuOptions {
  const text = references.slice(0, 1000).join('');
  const count = (pattern: RegExp): number => text.match(pattern)?.length ?? 0;
  const letters = count(/\p{L}/gu);
  const han = count(/\p{Script=Han}/gu);
  const kana = count(/[\p{Script=Hiragana}\p{Script=Katakana}]/gu);
  const tokenizer = 2 * (han + kana) <= letters ? '13a' : kana > han / 10 ? 'char' : 'zh';
  return { tokenizer, lowercase };
}

/** Returns the scores of translations against references. */
export function translateScores(
  translations: readonly string[],
  references: readonly string[],
  options: BleuOptions,
): TranslateScores {
  const bleuScore = bleu(translations, references, options);
  const chrfScore = chrf(translations, references, { lowercase: options.lowercase ?? false });
  const tokenizer = options.tokenizer === '13a' ? 'rouge' : 'char';
  const { rouge1, rouge2, rougeL } = rouge(translations, references, { tokenizer });
  return {
    bleu: bleuScore.score,
    chrf: chrfScore.score,
    rouge1: 100 * rouge1.f1,
    rouge2: 100 * rouge2.f1,
    rougeL: 100 * rougeL.f1,
    signatures: { bleu: bleuScore.signature, chrf: chrfScore.signature },
  };
}

/** The scores of a model. */
export interface ModelScores extends TranslateScores {
  /** Perplexity of the target tokens. */
  perplexity: number;
}

/** Returns the scores as a table of one row. */
export function scoreTable(scores: ModelScores, pairs: number, model: string): ScoreTable {
  const number = { format: 'number' as const, decimals: 1 };
  return {
    columns: [
      { name: 'model', title: 'model', format: 'text' },
      { name: 'bleu', title: 'BLEU', ...number },
      { name: 'chrf', title: 'chrF', ...number },
      { name: 'rouge1', title: 'ROUGE-1', ...number },
      { name: 'rouge2', title: 'ROUGE-2', ...number },
      { name: 'rougeL', title: 'ROUGE-L', ...number },
      { name: 'perplexity', title: 'perplexity', format: 'number', decimals: 2 },
      { name: 'pairs', title: 'pairs', format: 'number' },
    ],
    rows: [[model, ...Object.values(metricsOf(scores)), pairs]],
  };
}

/** Returns the metrics for JSON. All except the perplexity are from 0 to 100. */
export const metricsOf = ({ bleu, chrf, rouge1, rouge2, rougeL, perplexity }: ModelScores) => ({
  ...{ bleu, chrf, rouge1, rouge2, rougeL, perplexity },
});

/** Returns the signatures as a sentence. */
export const signatureNote = ({ signatures }: TranslateScores): string =>
  `Signatures: BLEU ${signatures.bleu}, chrF ${signatures.chrf}.`;
