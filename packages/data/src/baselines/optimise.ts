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

/** A point and its value. */
interface Vertex {
  x: number[];
  value: number;
}

/**
 * Minimises a function of a few variables in [0, 1] with the simplex method of Nelder & Mead 1965. Variables are clipped to [0, 1].
 * @param start initial point
 * @returns the best point found and its value
 */
export function minimiseInBox(
  f: (x: readonly number[]) => number,
  start: readonly number[],
  maxEvaluations: number,
): Vertex {
  const evaluate = (x: number[]): Vertex => ({ x, value: f(x) });
  const size = start.length;
  const simplex = [evaluate([...start])];
  for (let i = 0; i < size; i++) {
    const vertex = [...start];
    vertex[i] += vertex[i] > 0.5 ? -0.25 : 0.25;
    simplex.push(evaluate(vertex));
  }
  let evaluations = simplex.length;
  const centre = new Array<number>(size).fill(0);
  let worst = simplex[size];
  // The point at `scale` on the line from the worst vertex (-1) through the centre (0).
  const pointAt = (scale: number): Vertex => {
    evaluations++;
    const x = centre.slice();
    for (let i = 0; i < size; i++) x[i] = clip(x[i] + scale * (x[i] - worst.x[i]));
    return evaluate(x);
  };
  while (evaluations < maxEvaluations) {
    sortByValue(simplex);
    const best = simplex[0];
    worst = simplex[size];
    if (worst.value - best.value <= 1e-9 * (Math.abs(best.value) + 1e-9)) break;
    centre.fill(0);
    for (let v = 0; v < size; v++) for (let i = 0; i < size; i++) centre[i] += simplex[v].x[i] / size;
    let next = pointAt(1);
    if (next.value < best.value) {
      const further = pointAt(2);
      if (further.value < next.value) next = further;
    } else if (next.value >= simplex[size - 1].value) {
      next = pointAt(next.value < worst.value ? 0.5 : -0.5);
    }
    if (next.value < worst.value) simplex[size] = next;
    else {
      for (let v = 1; v <= size; v++) {
        simplex[v] = evaluate(simplex[v].x.map((value, i) => (value + best.x[i]) / 2));
        evaluations++;
      }
    }
  }
  return sortByValue(simplex)[0];
}

/** Sorts a few vertices in place by insertion, which is faster than `sort` for a list that is nearly sorted. */
function sortByValue(simplex: Vertex[]): Vertex[] {
  for (let i = 1; i < simplex.length; i++) {
    const vertex = simplex[i];
    let to = i;
    for (; to > 0 && simplex[to - 1].value > vertex.value; to--) simplex[to] = simplex[to - 1];
    simplex[to] = vertex;
  }
  return simplex;
}

const clip = (value: number): number => Math.min(1, Math.max(0, value));
