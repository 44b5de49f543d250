/**
 * Beam search: keeps the best `width` partial outputs of each sequence and extends all of them in every step.
 *
 *     const stream = translator.stream({ inputs: { source } });
 *     const [best] = (await beamSearch(stream, { prompt: START, stop: END, maxLength: 50, width: 5 }))[0];
 *
 * The score of an output is log P / ((5 + n) / 6)^α for n tokens, including the stop token (Wu et al. 2016). α is the
 * option `lengthPenalty`: 0 compares log-probabilities, which prefers short outputs; larger values prefer longer ones.
 */
import { valueError } from '@unroll/core';
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import { rowOf } from './generate.js';
import {
  checkVocabulary,
  DECODING,
  type Decoded,
  type DecodingOptions,
  type DecodingSettings,
  decodingSettings,
} from './options.js';
import { forbiddenTokens, restrictTokens } from './restrict.js';
import { type NextTokens, TokenScorer, type TokenStream } from './scorer.js';

export interface BeamSearchOptions extends DecodingOptions {
  /** Number of partial outputs kept per sequence. Default 5. */
  width?: number;
  /** Number of outputs returned per sequence, at most `width`. Default 1. */
  nBest?: number;
  /** α, the length penalty. Default 0.6. */
  lengthPenalty?: number;
  /**
   * True: the search ends when no partial output, at its present length, scores better than the worst of the `nBest` results
   * found so far. False: the search ends when no partial output can score better at any length up to `maxLength`, which may
   * take many more steps. Default true.
   */
  earlyStopping?: boolean;
}

/** An output of beam search. */
export interface BeamResult extends Decoded {
  /** The log-probability divided by ((5 + n) / 6)^α for n tokens, including the stop token. */
  score: number;
}

const BEAM: OptionTypes<BeamSearchOptions> = {
  ...DECODING,
  width: 'count',
  nBest: 'count',
  lengthPenalty: 'number',
  earlyStopping: 'boolean',
};

/** A partial output. */
interface Hypothesis {
  tokens: readonly number[];
  logProbability: number;
  alignment: readonly Float32Array[];
  /** Row of the stream that has processed these tokens. */
  row: number;
}

/** A possible next token of a hypothesis. */
interface Candidate {
  parent: Hypothesis;
  token: number;
  logProbability: number;
}

/** The search for one sequence. */
class Beam {
  hypotheses: Hypothesis[];
  readonly #finished: BeamResult[] = [];
  readonly #settings: DecodingSettings;
  readonly #sequence: number;
  readonly #width: number;
  readonly #nBest: number;
  readonly #alpha: number;
  readonly #earlyStopping: boolean;

  constructor(settings: DecodingSettings, sequence: number, options: BeamSearchOptions) {
    const { width = 5, nBest = 1, lengthPenalty = 0.6, earlyStopping = true } = options;
    this.#settings = settings;
    this.#sequence = sequence;
    this.#width = width;
    this.#nBest = nBest;
    this.#alpha = lengthPenalty;
    this.#earlyStopping = earlyStopping;
    this.hypotheses = [{ tokens: [], logProbability: 0, alignment: [], row: sequence }];
  }

  /** The finished outputs, best first. */
  get results(): BeamResult[] {
    return this.#finished.slice(0, this.#nBest);
  }

  /**
   * Returns how many of the most likely next tokens {@link extend} needs; null: all tokens.
   */
  get neededTokens(): number | null {
    const { restrict, prefixes } = this.#settings;
    const length = this.hypotheses[0]?.tokens.length ?? 0;
    if (restrict !== null || length < prefixes[this.#sequence].length) return null;
    const forbidden = this.hypotheses.map(({ tokens }) => this.#forbidden(tokens).length);
    return 2 * this.#width + Math.max(0, ...forbidden);
  }

  #forbidden(tokens: readonly number[]): number[] {
    return forbiddenTokens(this.#settings, this.#sequence, tokens);
  }

  /** Extends all hypotheses by one token. */
  extend(next: NextTokens): void {
    const width = this.#width;
    const candidates = this.#candidates(next, 2 * width);
    const extended: Hypothesis[] = [];
    for (const [rank, { parent, token, logProbability }] of candidates.entries()) {
      if (this.#settings.stop.has(token)) {
        // A stop token counts only among the best `width` candidates. Otherwise, an output with an unlikely stop token
        // could win, because the score favours long outputs.
        if (rank < width) this.#finish(parent.tokens, logProbability, 'stop', parent.alignment);
        continue;
      }
      if (extended.length === width) continue;
      const { alignments } = next;
      const alignment = alignments
        ? [...parent.alignment, rowOf(alignments, parent.row, next.rows)]
        : parent.alignment;
      extended.push({ tokens: [...parent.tokens, token], logProbability, alignment, row: parent.row });
    }
    this.hypotheses = extended;
    if (extended.length === 0) return;
    const length = extended[0].tokens.length;
    if (length === this.#settings.maxLength) {
      for (const { tokens, logProbability, alignment } of extended)
        this.#finish(tokens, logProbability, 'length', alignment);
      this.hypotheses = [];
    } else if (this.#isDone(length)) this.hypotheses = [];
  }

  /** Returns true if the hypotheses cannot improve the results. */
  #isDone(length: number): boolean {
    const worst = this.#finished[this.#nBest - 1];
    if (!worst) return false;
    const longest = this.#earlyStopping ? length : this.#settings.maxLength;
    return worst.score >= this.#score(this.hypotheses[0].logProbability, Math.max(length + 1, longest));
  }

  #score(logProbability: number, length: number): number {
    return logProbability / ((5 + length) / 6) ** this.#alpha;
  }

  #finish(
    tokens: readonly number[],
    logProbability: number,
    reason: Decoded['reason'],
    alignment: readonly Float32Array[],
  ): void {
    const score = this.#score(logProbability, tokens.length + (reason === 'stop' ? 1 : 0));
    const result: BeamResult = { tokens: [...tokens], logProbability, score, reason };
    if (alignment.length > 0) result.alignment = [...alignment];
    // Results of equal score stay in the order in which they were found.
    let index = this.#finished.length;
    while (index > 0 && this.#finished[index - 1].score < score) index--;
    this.#finished.splice(index, 0, result);
    this.#finished.length = Math.min(this.#finished.length, this.#nBest);
  }

  /**
   * Returns the `count` most likely continuations, best first. Continuations of equal probability are in the order of the
   * hypotheses, then of the tokens.
   */
  #candidates({ values, tokens, rows, V }: NextTokens, count: number): Candidate[] {
    const best: Candidate[] = [];
    let threshold = -Infinity;
    const consider = (parent: Hypothesis, token: number, score: number): void => {
      const logProbability = parent.logProbability + score;
      if (!(logProbability > threshold)) return;
      const full = best.length === count;
      let index = full ? count - 1 : best.length;
      while (index > 0 && best[index - 1].logProbability < logProbability) index--;
      best.splice(index, 0, { parent, token, logProbability });
      best.length = Math.min(best.length, count);
      if (best.length === count) threshold = best[count - 1].logProbability;
    };
    const rowSize = values.length / rows;
    for (const parent of this.hypotheses) {
      const first = parent.row * rowSize;
      if (tokens === null) {
        const scores = new Float64Array(values.subarray(first, first + V));
        restrictTokens(scores, this.#settings, this.#sequence, parent.tokens);
        for (let token = 0; token < V; token++) consider(parent, token, scores[token]);
      } else {
        const forbidden = new Set(this.#forbidden(parent.tokens));
        for (let i = first; i < first + rowSize; i++)
          if (!forbidden.has(tokens[i])) consider(parent, tokens[i], values[i]);
      }
    }
    return best;
  }
}

/**
 * Finds the most likely outputs with beam search.
 * @param stream a stream of a model whose first output has one score for each token of the vocabulary. Decoding runs on a copy
 * of the stream
 * @returns for each sequence of the stream, its `nBest` outputs, best first; fewer if the options forbid all others
 * @throws UnrollError as {@link generate}
 */
export async function beamSearch(stream: TokenStream, options: BeamSearchOptions): Promise<BeamResult[][]> {
  checkOptions('beamSearch', options, BEAM);
  const { width = 5, nBest = 1, lengthPenalty = 0.6 } = options;
  if (nBest > width) throw valueError(`beamSearch: nBest must be at most width ${width}, got ${nBest}.`);
  if (!(lengthPenalty >= 0 && lengthPenalty < Infinity))
    throw valueError(
      `beamSearch: lengthPenalty must be a finite, non-negative number, got ${lengthPenalty}.`,
    );
  const scorer = new TokenScorer('beamSearch', stream, options);
  const settings = decodingSettings('beamSearch', options, stream.batch);
  const beams = settings.prompts.map((_, sequence) => new Beam(settings, sequence, options));
  let next = await scorer.prompt(settings.prompts, neededCount(beams));
  checkVocabulary('beamSearch', settings, next.V);
  for (;;) {
    for (const beam of beams) beam.extend(next);
    const hypotheses = beams.flatMap((beam) => beam.hypotheses);
    if (hypotheses.length === 0) return beams.map(({ results }) => results);
    next = await scorer.next(
      hypotheses.map(({ row }) => row),
      hypotheses.map(({ tokens }) => tokens[tokens.length - 1]),
      neededCount(beams),
    );
    hypotheses.forEach((hypothesis, row) => {
      hypothesis.row = row;
    });
  }
}

/** Returns how many of the most likely next tokens the beams need; null: all tokens. */
function neededCount(beams: readonly Beam[]): number | null {
  const counts = beams.filter(({ hypotheses }) => hypotheses.length > 0).map((beam) => beam.neededTokens);
  return counts.some((count) => count === null) ? null : Math.max(...(counts as number[]));
}
