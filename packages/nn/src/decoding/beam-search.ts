/**
 * Beam search: keeps the best `width` partial outputs of each sequence and extends all of them in every step.
 *
 *     const stream = translator.stream({ inputs: { source } });
 *     const [best] = (await beamSearch(stream, { prompt: START, stop: END, maxLength: 50, width: 5 }))[0];
 *
 * The score of an output is log P / ((5 + n) / 6)^α for n tokens, including the stop token (Wu et al. 2016). α is the
 * length penalty: 0 compares log-probabilities, which prefers short outputs; larger values prefer longer ones.
 */
import { valueError } from '@unroll/core';
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import { rowOf } from './generate.js';
import {
  checkVocabulary,
  DECODING,
  type Decoded,
  type DecodingOptions,
  type Plan,
  planOf,
} from './options.js';
import { restrictTokens } from './restrict.js';
import { type NextTokens, TokenScorer, type TokenStream } from './scorer.js';

export interface BeamSearchOptions extends DecodingOptions {
  /** Number of partial outputs kept per sequence. Default 5. */
  width?: number;
  /** Number of outputs returned per sequence, at most `width`. Default 1. */
  nBest?: number;
  /** α. Default 0.6. */
  lengthPenalty?: number;
  /**
   * True: a sequence ends when no partial output scores better than the `nBest` finished ones at its present length, as
   * usual. False: when none can do so at any length up to `maxLength`, which may take many more steps. Default true.
   */
  earlyStopping?: boolean;
}

/** An output of beam search. */
export interface BeamResult extends Decoded {
  /** The log-probability divided by the length penalty. */
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
  /** Row in the stream. */
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
  readonly #plan: Plan;
  readonly #sequence: number;
  readonly #width: number;
  readonly #nBest: number;
  readonly #alpha: number;
  readonly #early: boolean;

  constructor(plan: Plan, sequence: number, options: BeamSearchOptions) {
    const { width = 5, nBest = 1, lengthPenalty = 0.6, earlyStopping = true } = options;
    this.#plan = plan;
    this.#sequence = sequence;
    this.#width = width;
    this.#nBest = nBest;
    this.#alpha = lengthPenalty;
    this.#early = earlyStopping;
    this.hypotheses = [{ tokens: [], logProbability: 0, alignment: [], row: sequence }];
  }

  /** The finished outputs, best first. */
  get results(): BeamResult[] {
    return this.#finished.slice(0, this.#nBest);
  }

  /** Extends all hypotheses by one token. @param rows number of rows in `next` */
  extend(next: NextTokens, rows: number): void {
    const width = this.#width;
    const candidates = this.#candidates(next, 2 * width);
    const extended: Hypothesis[] = [];
    for (const [rank, { parent, token, logProbability }] of candidates.entries()) {
      if (this.#plan.stop.has(token)) {
        // A stop token counts only among the best `width` candidates, so that unlikely ends do not win by their length.
        if (rank < width) this.#finish(parent.tokens, logProbability, 'stop', parent.alignment);
        continue;
      }
      if (extended.length === width) continue;
      const { alignments } = next;
      const alignment = alignments
        ? [...parent.alignment, rowOf(alignments, parent.row, rows)]
        : parent.alignment;
      extended.push({ tokens: [...parent.tokens, token], logProbability, alignment, row: parent.row });
    }
    this.hypotheses = extended;
    if (extended.length === 0) return;
    const length = extended[0].tokens.length;
    if (length === this.#plan.maxLength) {
      for (const { tokens, logProbability, alignment } of extended)
        this.#finish(tokens, logProbability, 'length', alignment);
      this.hypotheses = [];
    } else if (this.#isDone(length)) this.hypotheses = [];
  }

  /** Returns true if the hypotheses cannot improve the results. */
  #isDone(length: number): boolean {
    const worst = this.#finished[this.#nBest - 1];
    if (!worst) return false;
    const longest = this.#early ? length : this.#plan.maxLength;
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

  /** Returns the `count` most likely continuations, best first; those of equal probability in the order of hypotheses and tokens. */
  #candidates({ values, V }: NextTokens, count: number): Candidate[] {
    const best: Candidate[] = [];
    let threshold = -Infinity;
    const scores = new Float64Array(V);
    for (const parent of this.hypotheses) {
      scores.set(values.subarray(parent.row * V, (parent.row + 1) * V));
      restrictTokens(scores, this.#plan, this.#sequence, parent.tokens);
      for (let token = 0; token < V; token++) {
        const logProbability = parent.logProbability + scores[token];
        if (!(logProbability > threshold)) continue;
        const full = best.length === count;
        let index = full ? count - 1 : best.length;
        while (index > 0 && best[index - 1].logProbability < logProbability) index--;
        best.splice(index, 0, { parent, token, logProbability });
        best.length = Math.min(best.length, count);
        if (best.length === count) threshold = best[count - 1].logProbability;
      }
    }
    return best;
  }
}

/**
 * Finds the most likely outputs with beam search.
 * @param stream a stream of a model whose first output has one score per token; it is not changed
 * @returns for each sequence of the stream, its `nBest` outputs, best first; fewer if fewer are allowed
 * @throws UnrollError as {@link generate}
 */
export async function beamSearch(stream: TokenStream, options: BeamSearchOptions): Promise<BeamResult[][]> {
  checkOptions('beamSearch', options, BEAM);
  const { width = 5, nBest = 1, lengthPenalty = 0 } = options;
  if (nBest > width) throw valueError(`beamSearch: nBest must be at most width ${width}, got ${nBest}.`);
  if (!(lengthPenalty >= 0 && lengthPenalty < Infinity))
    throw valueError(
      `beamSearch: lengthPenalty must be a finite, non-negative number, got ${lengthPenalty}.`,
    );
  const scorer = new TokenScorer('beamSearch', stream, options);
  const plan = planOf('beamSearch', options, stream.batch);
  const beams = plan.prompts.map((_, sequence) => new Beam(plan, sequence, options));
  let next = await scorer.prompt(plan.prompts);
  checkVocabulary('beamSearch', plan, next.V);
  for (;;) {
    const rows = next.values.length / next.V;
    for (const beam of beams) beam.extend(next, rows);
    const hypotheses = beams.flatMap((beam) => beam.hypotheses);
    if (hypotheses.length === 0) return beams.map(({ results }) => results);
    next = await scorer.next(
      hypotheses.map(({ row }) => row),
      hypotheses.map(({ tokens }) => tokens[tokens.length - 1]),
    );
    hypotheses.forEach((hypothesis, row) => {
      hypothesis.row = row;
    });
  }
}
