/**
 * Prefix beam search for connectionist temporal classification (Graves & Jaitly 2014, "Towards End-to-End Speech
 * Recognition with Recurrent Neural Networks"; Hannun et al. 2014, "First-Pass Large Vocabulary Continuous Speech
 * Recognition using Bi-Directional Recurrent DNNs"). Each prefix has two probabilities: of the alignments that end with a
 * blank, and of those that end with its last label. A prefix can be extended by its own last label only after a blank:
 * without a blank between them, CTC merges two equal labels into one.
 */
import { valueError } from '@unroll/core';

/** Returns the log score for extending a prefix by a label. */
export type CtcPrefixScore = (prefix: readonly number[], next: number) => number;

export interface CtcHypothesis {
  labels: number[];
  /** `logProbability` plus the results of the options `score` and `scoreEnd`. Hypotheses are sorted by this score. */
  score: number;
  /** The log probability of the labels, summed over their alignments in the beam. */
  logProbability: number;
}

export interface BeamSettings {
  blank: number;
  beamWidth: number;
  score: CtcPrefixScore | null;
  scoreEnd: ((prefix: readonly number[]) => number) | null;
  minProbability: number;
}

const IMPOSSIBLE = Number.NEGATIVE_INFINITY;

/** A prefix in the beam, or the beginning of a prefix in the beam. All probabilities are logarithms. */
interface Prefix {
  readonly parent: Prefix | null;
  /** The last label; -1 for the empty prefix. */
  readonly label: number;
  readonly labels: readonly number[];
  /** The sum of the results of the option `score` for all labels. */
  readonly bonus: number;
  /** False: only longer prefixes that begin with this one are in the beam. */
  inBeam: boolean;
  /** The extensions of this prefix by a label. */
  readonly children: Map<number, Prefix>;
  /** The result of the option `score` for each label; NaN: not yet computed. Null: none has been computed. */
  scores: Float64Array | null;
  /** Probabilities of the alignments that end with a blank, and of those that end with the label. */
  blankEnd: number;
  labelEnd: number;
  /** The same probabilities after the step that is being added. */
  nextBlankEnd: number;
  nextLabelEnd: number;
}

/** An extension of a prefix by a label, or a prefix itself (label -1), with its score after the step. */
interface Candidate {
  prefix: Prefix;
  label: number;
  probability: number;
  bonus: number;
  /** probability + bonus */
  total: number;
}

/** Keeps the best candidates, best first. Candidates with equal totals stay in the order in which they were added. */
class BestCandidates {
  readonly candidates: Candidate[] = [];
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  /** The total that a new candidate must exceed. */
  get threshold(): number {
    const { candidates } = this;
    return candidates.length < this.#count ? IMPOSSIBLE : candidates[candidates.length - 1].total;
  }

  add(prefix: Prefix, label: number, probability: number, bonus: number): void {
    const total = probability + bonus;
    if (!(total > this.threshold)) return;
    const { candidates } = this;
    let [low, high] = [0, candidates.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (candidates[middle].total < total) high = middle;
      else low = middle + 1;
    }
    if (candidates.length === this.#count) candidates.pop();
    candidates.splice(low, 0, { prefix, label, probability, bonus, total });
  }
}

export class PrefixBeam {
  readonly classes: number;
  readonly #settings: BeamSettings;
  readonly #minLogProbability: number;
  #prefixes: Prefix[];

  constructor(classes: number, settings: BeamSettings) {
    this.classes = classes;
    this.#settings = settings;
    this.#minLogProbability = Math.log(settings.minProbability);
    const empty = newPrefix(null, -1, [], 0);
    empty.blankEnd = 0;
    this.#prefixes = [empty];
  }

  /** Adds one step. @param y log probability of each class */
  push(y: Float64Array): void {
    const { blank, beamWidth } = this.#settings;
    const labels = Array.from(y.keys()).filter(
      (label) => label !== blank && !(y[label] < this.#minLogProbability),
    );
    for (const prefix of this.#prefixes) {
      prefix.nextBlankEnd = logAdd(prefix.blankEnd, prefix.labelEnd) + y[blank];
      prefix.nextLabelEnd = prefix.label < 0 ? IMPOSSIBLE : prefix.labelEnd + y[prefix.label];
    }
    for (const prefix of this.#prefixes) {
      const { parent, label } = prefix;
      if (!parent?.inBeam || y[label] < this.#minLogProbability) continue;
      const before = label === parent.label ? parent.blankEnd : logAdd(parent.blankEnd, parent.labelEnd);
      prefix.nextLabelEnd = logAdd(prefix.nextLabelEnd, before + y[label]);
    }
    const best = new BestCandidates(beamWidth);
    for (const prefix of this.#prefixes) {
      best.add(prefix, -1, logAdd(prefix.nextBlankEnd, prefix.nextLabelEnd), prefix.bonus);
    }
    for (const prefix of this.#prefixes) this.#extend(prefix, labels, y, best);
    this.#keep(best.candidates);
  }

  /** Returns the best hypotheses. */
  best(count: number): CtcHypothesis[] {
    const { scoreEnd } = this.#settings;
    const all = this.#prefixes.map(({ labels, blankEnd, labelEnd, bonus }) => {
      const logProbability = logAdd(blankEnd, labelEnd);
      const score = logProbability + bonus + (scoreEnd?.(labels) ?? 0);
      return { labels: [...labels], score, logProbability };
    });
    const possible = all.filter(({ score }) => score > IMPOSSIBLE);
    return possible.sort((a, b) => b.score - a.score).slice(0, count);
  }

  /** Adds the extensions of a prefix to the candidates, except extensions that are already in the beam. */
  #extend(prefix: Prefix, labels: readonly number[], y: Float64Array, best: BestCandidates): void {
    const { score } = this.#settings;
    const total = logAdd(prefix.blankEnd, prefix.labelEnd);
    for (const label of labels) {
      const probability = (label === prefix.label ? prefix.blankEnd : total) + y[label];
      // Without the option `score`, the bonus is 0, and most extensions are rejected here.
      if (!(probability > (score ? IMPOSSIBLE : best.threshold))) continue;
      const child = prefix.children.get(label);
      if (!child?.inBeam) best.add(prefix, label, probability, child?.bonus ?? this.#bonus(prefix, label));
    }
  }

  /** Returns the bonus of a prefix after it is extended by a label. */
  #bonus(prefix: Prefix, label: number): number {
    const { score } = this.#settings;
    if (!score) return 0;
    prefix.scores ??= new Float64Array(this.classes).fill(Number.NaN);
    if (Number.isNaN(prefix.scores[label])) {
      const value = score(prefix.labels, label);
      if (!(value < Number.POSITIVE_INFINITY)) {
        throw valueError(
          `The option score must return a number or negative infinity, got ${value} for label ${label} after the prefix ` +
            `[${prefix.labels.join(', ')}].`,
          { value, label, prefix: prefix.labels },
        );
      }
      prefix.scores[label] = value;
    }
    return prefix.bonus + prefix.scores[label];
  }

  /** Replaces the beam by the prefixes of the candidates. */
  #keep(candidates: readonly Candidate[]): void {
    const previous = this.#prefixes;
    for (const prefix of previous) prefix.inBeam = false;
    this.#prefixes = candidates.map(({ prefix, label, probability, bonus }) => {
      if (label < 0) {
        prefix.blankEnd = prefix.nextBlankEnd;
        prefix.labelEnd = prefix.nextLabelEnd;
        return prefix;
      }
      const child = prefix.children.get(label) ?? newPrefix(prefix, label, [...prefix.labels, label], bonus);
      prefix.children.set(label, child);
      child.blankEnd = IMPOSSIBLE;
      child.labelEnd = probability;
      return child;
    });
    for (const prefix of this.#prefixes) prefix.inBeam = true;
    for (const prefix of previous) removeUnused(prefix);
  }
}

/** Removes a prefix from its parent if neither it nor an extension of it is in the beam, then its ancestors likewise. */
function removeUnused(prefix: Prefix): void {
  let unused: Prefix | null = prefix;
  while (unused?.parent && !unused.inBeam && unused.children.size === 0) {
    unused.parent.children.delete(unused.label);
    unused = unused.parent;
  }
}

function newPrefix(parent: Prefix | null, label: number, labels: readonly number[], bonus: number): Prefix {
  return {
    ...{ parent, label, labels, bonus, inBeam: true, children: new Map(), scores: null },
    ...{ blankEnd: IMPOSSIBLE, labelEnd: IMPOSSIBLE, nextBlankEnd: IMPOSSIBLE, nextLabelEnd: IMPOSSIBLE },
  };
}

/** Returns log(exp(a) + exp(b)). */
function logAdd(a: number, b: number): number {
  if (a === IMPOSSIBLE) return b;
  return a > b ? a + Math.log1p(Math.exp(b - a)) : b + Math.log1p(Math.exp(a - b));
}
