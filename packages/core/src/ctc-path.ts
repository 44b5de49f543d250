/**
 * Decodes the output of connectionist temporal classification greedily, as the most probable alignment: takes the class with the
 * largest score at each step, merges repetitions in consecutive steps, and removes blanks. Returns the labels, and the first
 * step of each label.
 * @param scores scores of `classes` classes per step, row-major
 * @param offsetOf returns the index in `scores` of the first score of the t-th valid step
 */
export function bestPath(
  scores: ArrayLike<number>,
  steps: number,
  classes: number,
  blank: number,
  offsetOf: (t: number) => number = (t) => t * classes,
): { labels: number[]; firstSteps: number[] } {
  const labels: number[] = [];
  const firstSteps: number[] = [];
  let previous = blank;
  for (let t = 0; t < steps; t++) {
    const offset = offsetOf(t);
    let best = 0;
    for (let k = 1; k < classes; k++) if (scores[offset + k] > scores[offset + best]) best = k;
    if (best !== previous && best !== blank) {
      labels.push(best);
      firstSteps.push(t);
    }
    previous = best;
  }
  return { labels, firstSteps };
}
