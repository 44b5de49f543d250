/** Orders of the units in heat maps. */

export const ORDERS = ['index', 'mean', 'peak', 'cluster'] as const;
export type OrderName = (typeof ORDERS)[number];

/**
 * Returns the units of values [T, H] in an order: by index, by mean, by the step of the largest absolute value, or so that
 * similar units are neighbours.
 */
export function unitOrder(values: Float32Array, steps: number, units: number, order: OrderName): number[] {
  const all = Array.from({ length: units }, (_, unit) => unit);
  if (order === 'index') return all;
  if (order === 'cluster') return chain(values, steps, units);
  const key = order === 'mean' ? meanOf : peakOf;
  const keys = all.map((unit) => key(values, steps, units, unit));
  return all.sort((a, b) => (order === 'mean' ? keys[b] - keys[a] : keys[a] - keys[b]));
}

function meanOf(values: Float32Array, steps: number, units: number, unit: number): number {
  let sum = 0;
  for (let t = 0; t < steps; t++) sum += values[t * units + unit];
  return sum / steps;
}

function peakOf(values: Float32Array, steps: number, units: number, unit: number): number {
  let peak = 0;
  for (let t = 1; t < steps; t++)
    if (Math.abs(values[t * units + unit]) > Math.abs(values[peak * units + unit])) peak = t;
  return peak;
}

/** Returns the units in a chain: first the unit that varies most, then each time the remaining unit nearest to the previous one. */
function chain(values: Float32Array, steps: number, units: number): number[] {
  const distance = (a: number, b: number): number => {
    let sum = 0;
    for (let t = 0; t < steps; t++) sum += (values[t * units + a] - values[t * units + b]) ** 2;
    return sum;
  };
  const remaining = new Set(Array.from({ length: units }, (_, unit) => unit));
  const variation = (unit: number): number => {
    const mean = meanOf(values, steps, units, unit);
    let sum = 0;
    for (let t = 0; t < steps; t++) sum += (values[t * units + unit] - mean) ** 2;
    return sum;
  };
  let current = [...remaining].reduce((best, unit) => (variation(unit) > variation(best) ? unit : best), 0);
  const order = [current];
  remaining.delete(current);
  while (remaining.size > 0) {
    let nearest = -1;
    let least = Number.POSITIVE_INFINITY;
    for (const unit of remaining) {
      const found = distance(current, unit);
      if (found < least || nearest < 0) [nearest, least] = [unit, found];
    }
    order.push(nearest);
    remaining.delete(nearest);
    current = nearest;
  }
  return order;
}

/**
 * Returns the units whose absolute value stays at or above `threshold` from step `from` to step `to`, and is below it just before
 * and just after, as in LSTMVis (Strobelt et al. 2018). With `loose`, the values before and after do not matter.
 */
export function activeUnits(
  values: Float32Array,
  steps: number,
  units: number,
  [from, to]: readonly [number, number],
  threshold: number,
  loose = false,
): number[] {
  const isOn = (t: number, unit: number): boolean => Math.abs(values[t * units + unit]) >= threshold;
  const found: number[] = [];
  for (let unit = 0; unit < units; unit++) {
    let all = true;
    for (let t = from; t <= to && all; t++) all = isOn(t, unit);
    if (!all) continue;
    if (!loose && ((from > 0 && isOn(from - 1, unit)) || (to < steps - 1 && isOn(to + 1, unit)))) continue;
    found.push(unit);
  }
  return found;
}
