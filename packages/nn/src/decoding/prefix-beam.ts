/**
 * Prefix beam search for connectionist temporal classification (Graves & Jaitly 2014, "Towards End-to-End Speech
 * Recognition with Recurrent Neural Networks"; Hannun et al. 2014, "First-Pass Large Vocabulary Continuous Speech
 * Recognition using Bi-Directional Recurrent DNNs"). Each prefix has two probabilities: of the alignments that end with a
 * blank, and of those that end with its last label. Only after a blank can the same label follow as a new one.
 */
import { valueError } from '@unroll/core';

/** Returns the log score for extending a prefix by a label. */
export type CtcPrefixScore = (prefix: readonly number[], next: number) => number;

export interface CtcHypothesis {
  labels: number[];
  /** `logProbability` plus all scores of the callbacks. Hypotheses are sorted by it. */
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

/** A prefix in the beam, or one that is not in it but has extensions in it. All probabilities are logarithms. */
interface Prefix {
  readonly parent: Prefix | null;
  /** The last label; -1 for the empty prefix. */
  readonly label: number;
  readonly labels: readonly number[];
  /** The sum of the scores of the callback. */
  readonly bonus: number;
  /** False: only extensions of this prefix are in the beam. */
  inBeam: boolean;
  /** The extensions of this prefix by a label. */
  readonly children: Map<number, Prefix>;
  /** The scores of extensions, by label; NaN: not yet computed. Null: not needed yet. */
  scores: Float64Array | null;
  /** Probabilities of the alignments that end with a blank, and of those that end with the label. */
  blank: number;
  last: number;
  /** The same after the next step. */
  nextBlank: number;
  nextLast: number;
}

/** An extension of a prefix by a label, or a prefix itself (label -1), with its score after the step. */
interface Candidate {
  prefix: Prefix;
  label: number;
  probability: number;
  bonus: number;
  /** The sum of both. */
  total: number;
}

export class PrefixBeam {
  readonly classes: number;
  readonly #settings: BeamSettings;
  readonly #least: number;
  #prefixes: Prefix[];

  constructor(classes: number, settings: BeamSettings) {
    this.classes = classes;
    this.#settings = settings;
    this.#least = Math.log(settings.minProbability);
    const empty = newPrefix(null, -1, [], 0);
    empty.blank = 0;
    this.#prefixes = [empty];
  }

  /** Adds one step. @param y log probability of each class */
  push(y: Float64Array): void {
    const { blank, beamWidth } = this.#settings;
    const candidates: Candidate[] = [];
    for (const prefix of this.#prefixes) {
      prefix.nextBlank = logAdd(prefix.blank, prefix.last) + y[blank];
      prefix.nextLast = prefix.label < 0 ? IMPOSSIBLE : prefix.last + y[prefix.label];
    }
    for (const prefix of this.#prefixes) this.#extend(prefix, y, candidates);
    for (const prefix of this.#prefixes) {
      const probability = logAdd(prefix.nextBlank, prefix.nextLast);
      const { bonus } = prefix;
      candidates.push({ prefix, label: -1, probability, bonus, total: probability + bonus });
    }
    const possible = candidates.filter(({ total }) => total > IMPOSSIBLE);
    if (possible.length > beamWidth) possible.sort((a, b) => b.total - a.total);
    this.#keep(possible.slice(0, beamWidth));
  }

  /** Returns the best hypotheses. */
  best(count: number): CtcHypothesis[] {
    const { scoreEnd } = this.#settings;
    const all = this.#prefixes.map(({ labels, blank, last, bonus }) => {
      const logProbability = logAdd(blank, last);
      const score = logProbability + bonus + (scoreEnd?.(labels) ?? 0);
      return { labels: [...labels], score, logProbability };
    });
    const possible = all.filter(({ score }) => score > IMPOSSIBLE);
    return possible.sort((a, b) => b.score - a.score).slice(0, count);
  }

  /** Adds the extensions of a prefix by every label: to the prefix that they result in if it is in the beam, or to `out`. */
  #extend(prefix: Prefix, y: Float64Array, out: Candidate[]): void {
    const { blank } = this.#settings;
    const total = logAdd(prefix.blank, prefix.last);
    for (let label = 0; label < this.classes; label++) {
      if (label === blank || y[label] < this.#least) continue;
      const probability = (label === prefix.label ? prefix.blank : total) + y[label];
      if (probability === IMPOSSIBLE) continue;
      const child = prefix.children.get(label);
      if (child?.inBeam) {
        child.nextLast = logAdd(child.nextLast, probability);
        continue;
      }
      const bonus = child?.bonus ?? this.#bonus(prefix, label);
      out.push({ prefix, label, probability, bonus, total: probability + bonus });
    }
  }

  /** Returns the sum of the scores of a prefix and its extension. */
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

  /** Replaces the beam. */
  #keep(candidates: readonly Candidate[]): void {
    const before = this.#prefixes;
    for (const prefix of before) prefix.inBeam = false;
    this.#prefixes = candidates.map(({ prefix, label, probability, bonus }) => {
      if (label < 0) {
        prefix.blank = prefix.nextBlank;
        prefix.last = prefix.nextLast;
        return prefix;
      }
      const child = prefix.children.get(label) ?? newPrefix(prefix, label, [...prefix.labels, label], bonus);
      prefix.children.set(label, child);
      child.blank = IMPOSSIBLE;
      child.last = probability;
      return child;
    });
    for (const prefix of this.#prefixes) prefix.inBeam = true;
    for (const prefix of before) forget(prefix);
  }
}

/** Removes a prefix from its parent if neither it nor an extension is in the beam; likewise its parents. */
function forget(prefix: Prefix): void {
  let unused: Prefix | null = prefix;
  while (unused?.parent && !unused.inBeam && unused.children.size === 0) {
    unused.parent.children.delete(unused.label);
    unused = unused.parent;
  }
}

function newPrefix(parent: Prefix | null, label: number, labels: readonly number[], bonus: number): Prefix {
  return {
    ...{ parent, label, labels, bonus, inBeam: true, children: new Map(), scores: null },
    ...{ blank: IMPOSSIBLE, last: IMPOSSIBLE, nextBlank: IMPOSSIBLE, nextLast: IMPOSSIBLE },
  };
}

/** Returns log(exp(a) + exp(b)). */
function logAdd(a: number, b: number): number {
  if (a === IMPOSSIBLE) return b;
  return a > b ? a + Math.log1p(Math.exp(b - a)) : b + Math.log1p(Math.exp(a - b));
}
