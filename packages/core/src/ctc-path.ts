/**
 * Returns the labels of the most probable alignment of connectionist temporal classification: the class with the largest score
 * at each step, where a class that is repeated in consecutive steps counts once, and blanks are left out. Also returns the first
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
    const at = offsetOf(t);
    let best = 0;
    for (let k = 1; k < classes; k++) if (scores[at + k] > scores[at + best]) best = k;
    if (best !== previous && best !== blank) {
      labels.push(best);
      firstSteps.push(t);
    }
    previous = best;
  }
  return { labels, firstSteps };
}
