/** Scores of transcripts: word and character error rate, as jiwer defines them, and the share of exact transcripts. */
import { characterErrorRate, wordErrorRate } from '@unroll/data';
import type { ScoreTable } from '../shared/scores.js';

export interface TranscribeScores {
  /** (substitutions + deletions + insertions) / words of the references; 0.25 is 25 %. */
  wordErrorRate: number;
  /** The same ratio for characters. */
  characterErrorRate: number;
  /** Share of transcripts without an error. */
  exactMatch: number;
  /** Number of substituted words. */
  substitutions: number;
  deletions: number;
  insertions: number;
}

/** Returns the scores of transcripts against references. @param transcripts at least one */
export function transcribeScores(
  transcripts: readonly string[],
  references: readonly string[],
): TranscribeScores {
  const { errorRate, substitutions, deletions, insertions } = wordErrorRate(transcripts, references);
  const exact = transcripts.filter((text, i) => text === references[i]).length;
  return {
    wordErrorRate: errorRate,
    characterErrorRate: characterErrorRate(transcripts, references).errorRate,
    exactMatch: exact / transcripts.length,
    ...{ substitutions, deletions, insertions },
  };
}

/** Returns the scores as a table of one row. */
export function scoreTable(scores: TranscribeScores, sounds: number, model: string): ScoreTable {
  const share = { format: 'share' as const, decimals: 1 };
  const number = { format: 'number' as const };
  const { substitutions, deletions, insertions } = scores;
  return {
    columns: [
      { name: 'model', title: 'model', format: 'text' },
      { name: 'wer', title: 'word error rate', ...share },
      { name: 'cer', title: 'character error rate', ...share },
      { name: 'exact_match', title: 'exact', ...share },
      { name: 'substitutions', title: 'substituted', ...number },
      { name: 'deletions', title: 'deleted', ...number },
      { name: 'insertions', title: 'inserted', ...number },
      { name: 'sounds', title: 'sounds', ...number },
    ],
    rows: [[model, ...Object.values(metricsOf(scores)), substitutions, deletions, insertions, sounds]],
  };
}

/** Returns the metrics for JSON, as fractions. */
export const metricsOf = (scores: TranscribeScores) => ({
  wer: scores.wordErrorRate,
  cer: scores.characterErrorRate,
  exact_match: scores.exactMatch,
});
