/**
 * Decoding for connectionist temporal classification (CTC): converts the scores of the classes at every step to labels.
 *
 *     const y = await model.predict(x);                                    // [B, T, C] logits
 *     ctcGreedy(y)[0].labels;                                              // the most probable alignment
 *     ctcBeamSearch(y, { beamWidth: 50, score: languageModel })[0][0].labels;
 *
 * Scores are logits or log probabilities, not probabilities: each step is normalised by a log softmax. The functions run
 * in plain TypeScript.
 */
import { asTensor, formatShape, shapeError, type Tensor, type TensorLike, valueError } from '@unroll/core';
import { bestPath, checkOptions, hostValues, type OptionTypes } from '@unroll/core/internal';
import { type CtcHypothesis, type CtcPrefixScore, PrefixBeam } from './prefix-beam.js';

export interface CtcGreedyOptions {
  /** The class of the blank. Default 0. */
  blank?: number;
  /** The number of valid steps of each sequence; set it for padded batches. Default: all steps. */
  lengths?: ArrayLike<number> | null;
}

export interface CtcBeamOptions extends CtcGreedyOptions {
  /** The number of prefixes kept after every step. Default 25. */
  beamWidth?: number;
  /** The number of hypotheses to return, at most `beamWidth`. Default 1. */
  nBest?: number;
  /**
   * Returns a log score that is added when a label extends a prefix, for a language model, a lexicon or a bonus per label.
   * Negative infinity forbids the extension. The function must depend only on its arguments. Default: 0.
   */
  score?: CtcPrefixScore | null;
  /** Returns a log score that is added to a hypothesis when it is returned, as if its sequence ended there. Default: 0. */
  scoreEnd?: ((prefix: readonly number[]) => number) | null;
  /** In each step, only labels of at least this probability extend prefixes. Default 0: all labels. */
  minProbability?: number;
}

export type CtcDecoderOptions = Omit<CtcBeamOptions, 'lengths'>;

/** The most probable alignment of a sequence. */
export interface CtcPath {
  labels: number[];
  /** The log probability of this one alignment. */
  score: number;
  /** For each label, the step at which it begins. */
  steps: number[];
}

/** A decoder for one sequence that receives its steps in chunks. */
export interface CtcDecoder {
  /** Adds steps [T, C], or one step [C]. @throws UnrollError `shape` if the number of classes is not the same as before */
  push(steps: TensorLike): void;
  /** Returns the best hypotheses for the steps so far, the best one first. @param count default: `nBest` */
  best(count?: number): CtcHypothesis[];
  /** Starts a new sequence. */
  reset(): void;
}

const GREEDY_OPTIONS: OptionTypes<CtcGreedyOptions> = { blank: 'nonNegativeInteger', lengths: true };
const DECODER_OPTIONS: OptionTypes<CtcDecoderOptions> = {
  ...{ blank: 'nonNegativeInteger', beamWidth: 'count', nBest: 'count', score: true, scoreEnd: true },
  minProbability: 'fraction',
};

/**
 * Returns the most probable alignment of each sequence: the most probable class of every step, with repeated classes
 * merged and blanks removed.
 * @param scores logits or log probabilities, [B, T, C], or [T, C] for one sequence
 * @throws UnrollError `shape` or `value` if the scores, the lengths or the blank are invalid
 */
export function ctcGreedy(scores: TensorLike, options: CtcGreedyOptions = {}): CtcPath[] {
  checkOptions('ctcGreedy', options, GREEDY_OPTIONS);
  const { blank = 0, lengths = null } = options;
  return sequencesOf('ctcGreedy', asTensor(scores), blank, lengths).map(({ values, steps, classes }) => {
    const { labels, firstSteps } = bestPath(values, steps, classes, blank);
    let score = 0;
    for (let t = 0; t < steps; t++) {
      const row = values.subarray(t * classes, (t + 1) * classes);
      let best = row[0];
      for (const value of row) best = Math.max(best, value);
      score += best - logSumExp(row);
    }
    return { labels, score, steps: firstSteps };
  });
}

/**
 * Returns the most probable labellings of each sequence, the best one first. Prefix beam search (Graves & Jaitly 2014,
 * Hannun et al. 2014) adds up the probabilities of all alignments of a labelling; it is exact if the beam holds all
 * prefixes.
 * @param scores logits or log probabilities, [B, T, C], or [T, C] for one sequence
 * @throws UnrollError `shape` or `value` if the scores, the lengths or other options are invalid
 */
export function ctcBeamSearch(scores: TensorLike, options: CtcBeamOptions = {}): CtcHypothesis[][] {
  checkOptions('ctcBeamSearch', options, { ...DECODER_OPTIONS, ...GREEDY_OPTIONS });
  const { lengths = null, ...decoding } = options;
  const { blank = 0, nBest } = beamSettings('ctcBeamSearch', decoding);
  return sequencesOf('ctcBeamSearch', asTensor(scores), blank, lengths).map(({ values, steps, classes }) => {
    const beam = new PrefixBeam(classes, beamSettings('ctcBeamSearch', decoding));
    for (let t = 0; t < steps; t++) beam.push(logSoftmaxOf(values.subarray(t * classes, (t + 1) * classes)));
    return beam.best(nBest);
  });
}

/**
 * Creates a decoder with prefix beam search for one sequence that arrives in chunks, such as the outputs of a stream.
 * @throws UnrollError `value` for invalid options
 */
export function ctcDecoder(options: CtcDecoderOptions = {}): CtcDecoder {
  checkOptions('ctcDecoder', options, DECODER_OPTIONS);
  const checked = beamSettings('ctcDecoder', options);
  let beam: PrefixBeam | null = null;
  return {
    push(steps) {
      const input = asTensor(steps);
      const table = input.rank === 1 ? input.withShape([1, input.size]) : input;
      if (table.rank !== 2) {
        throw shapeError(
          `ctcDecoder: push takes steps [T, C] or one step [C], got ${formatShape(input.shape)}.`,
        );
      }
      const [{ values, steps: count, classes }] = sequencesOf('ctcDecoder', table, checked.blank, null);
      beam ??= new PrefixBeam(classes, checked);
      if (beam.classes !== classes) {
        throw shapeError(`ctcDecoder: steps must have ${beam.classes} classes, as before, got ${classes}.`);
      }
      for (let t = 0; t < count; t++)
        beam.push(logSoftmaxOf(values.subarray(t * classes, (t + 1) * classes)));
    },
    best: (count = checked.nBest) =>
      beam ? beam.best(count) : [{ labels: [], score: checked.scoreEnd?.([]) ?? 0, logProbability: 0 }],
    reset() {
      beam = null;
    },
  };
}

/** Returns the options with their defaults. @throws UnrollError `value` if `nBest` exceeds `beamWidth` */
function beamSettings(name: string, options: CtcDecoderOptions) {
  const { blank = 0, beamWidth = 25, nBest = 1, score = null, scoreEnd = null, minProbability = 0 } = options;
  if (nBest > beamWidth) {
    throw valueError(`${name}: nBest must be at most beamWidth (${beamWidth}), got ${nBest}.`, {
      nBest,
      beamWidth,
    });
  }
  return { blank, beamWidth, nBest, score, scoreEnd, minProbability };
}

/** The valid scores of one sequence, [steps, classes]. */
interface Sequence {
  values: Float32Array | Float64Array;
  steps: number;
  classes: number;
}

/** Splits scores [B, T, C] or [T, C] into sequences. @throws UnrollError `shape` or `value` if an argument is invalid */
function sequencesOf(
  name: string,
  scores: Tensor,
  blank: number,
  lengths: ArrayLike<number> | null,
): Sequence[] {
  if (scores.rank !== 2 && scores.rank !== 3) {
    throw shapeError(`${name}: scores must be [B, T, C] or [T, C], got ${formatShape(scores.shape)}.`, {
      scores: scores.shape,
    });
  }
  const [B, T, C] = scores.rank === 2 ? [1, ...scores.shape] : scores.shape;
  if (blank >= C) {
    throw valueError(`${name}: blank must be a class index from 0 to ${C - 1}, got ${blank}.`, {
      blank,
      classes: C,
    });
  }
  if (lengths && lengths.length !== B) {
    throw valueError(
      `${name}: lengths must have one number for each of the ${B} sequences, got ${lengths.length}.`,
    );
  }
  const values = hostValues(scores, `${name}: the scores`);
  return Array.from({ length: B }, (_, b) => {
    const steps = lengths ? lengths[b] : T;
    if (!(Number.isInteger(steps) && steps >= 0 && steps <= T)) {
      throw valueError(
        `${name}: the length of sequence ${b} must be an integer from 0 to ${T}, got ${steps}.`,
        {
          sequence: b,
          length: steps,
        },
      );
    }
    const part = values.subarray(b * T * C, (b * T + steps) * C);
    const invalidIndex = part.findIndex((value) => Number.isNaN(value) || value === Number.POSITIVE_INFINITY);
    if (invalidIndex < 0) return { values: part, steps, classes: C };
    throw valueError(
      `${name}: the scores must not be NaN or Infinity, got ${part[invalidIndex]} at step ${Math.floor(invalidIndex / C)} of ` +
        `sequence ${b}.`,
      { sequence: b, step: Math.floor(invalidIndex / C) },
    );
  });
}

function logSumExp(row: Float32Array | Float64Array): number {
  let top = Number.NEGATIVE_INFINITY;
  for (const value of row) if (value > top) top = value;
  let total = 0;
  for (const value of row) total += Math.exp(value - top);
  return top + Math.log(total);
}

function logSoftmaxOf(row: Float32Array | Float64Array): Float64Array {
  const total = logSumExp(row);
  return Float64Array.from(row, (value) => value - total);
}
