/** Two small gradient-free optimisers for the parameters of baselines. */

const GOLDEN = (Math.sqrt(5) - 1) / 2;
const GRID_POINTS = 24;

/** Returns the x in an interval with the smallest f(x): the best point of a grid, refined by golden-section search (Kiefer 1953). */
export function minimiseOnInterval(f: (x: number) => number, low: number, high: number): number {
  const step = (high - low) / (GRID_POINTS - 1);
  const grid = Array.from({ length: GRID_POINTS }, (_, i) => low + i * step);
  const errors = grid.map(f);
  const best = errors.reduce((at, error, i) => (error < errors[at] ? i : at), 0);
  let [a, b] = [Math.max(low, grid[best] - step), Math.min(high, grid[best] + step)];
  let [c, d] = [b - GOLDEN * (b - a), a + GOLDEN * (b - a)];
  let [fc, fd] = [f(c), f(d)];
  while (b - a > 1e-7 * (high - low)) {
    if (fc < fd) {
      [b, d, fd] = [d, c, fc];
      c = b - GOLDEN * (b - a);
      fc = f(c);
    } else {
      [a, c, fc] = [c, d, fd];
      d = a + GOLDEN * (b - a);
      fd = f(d);
    }
  }
  const refined = (a + b) / 2;
  return f(refined) < errors[best] ? refined : grid[best];
}

/**
 * Minimises a function of a few variables in [0, 1] with the simplex method of Nelder & Mead 1965. Variables are clipped to [0, 1].
 * @param start initial point
 * @returns the best point found and its value
 */
export function minimiseInBox(
  f: (x: Float64Array) => number,
  start: readonly number[],
  maxEvaluations: number,
): { x: Float64Array; value: number } {
  const evaluate = (x: Float64Array) => ({ x, value: f(x) });
  const simplex = [evaluate(Float64Array.from(start))];
  for (let i = 0; i < start.length; i++) {
    const vertex = Float64Array.from(start);
    vertex[i] += vertex[i] > 0.5 ? -0.25 : 0.25;
    simplex.push(evaluate(vertex));
  }
  const byValue = (a: { value: number }, b: { value: number }) => a.value - b.value;
  for (let evaluations = simplex.length; evaluations < maxEvaluations; ) {
    simplex.sort(byValue);
    const [best, worst] = [simplex[0], simplex[simplex.length - 1]];
    if (worst.value - best.value <= 1e-9 * (Math.abs(best.value) + 1e-9)) break;
    const centre = new Float64Array(start.length);
    for (const vertex of simplex)
      if (vertex !== worst) for (let i = 0; i < centre.length; i++) centre[i] += vertex.x[i] / centre.length;
    // The point at `scale` on the line from the worst vertex (-1) through the centre (0).
    const pointAt = (scale: number) => {
      evaluations++;
      const point = new Float64Array(centre.length); // Float64Array.from takes longer than a short function to minimise
      for (let i = 0; i < point.length; i++) point[i] = clip(centre[i] + scale * (centre[i] - worst.x[i]));
      return evaluate(point);
    };
    let next = pointAt(1);
    if (next.value < best.value) {
      const further = pointAt(2);
      if (further.value < next.value) next = further;
    } else if (next.value >= simplex[simplex.length - 2].value) {
      next = pointAt(next.value < worst.value ? 0.5 : -0.5);
    }
    if (next.value < worst.value) simplex[simplex.length - 1] = next;
    else {
      for (let v = 1; v < simplex.length; v++) {
        simplex[v] = evaluate(simplex[v].x.map((value, i) => (value + best.x[i]) / 2));
        evaluations++;
      }
    }
  }
  return simplex.sort(byValue)[0];
}

const clip = (value: number): number => Math.min(1, Math.max(0, value));
