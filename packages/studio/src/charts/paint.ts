/** Paints a heat map into pixels. */

export interface HeatValues {
  /** [T, H] */
  values: Float32Array;
  steps: number;
  units: number;
  /** The unit of each row. */
  order: readonly number[];
  low: number;
  high: number;
  /** Values whose absolute value is below it are blank; 0: none. */
  threshold: number;
}

/** Paints rows of units and columns of steps. `pixels` has one pixel per value. */
export function paintHeat(heat: HeatValues, colors: Uint32Array, blank: number, pixels: Uint32Array): void {
  const { values, steps, units, order, low, high, threshold } = heat;
  const factor = 255 / (high - low);
  for (let row = 0; row < order.length; row++) {
    const start = row * steps;
    for (let t = 0, at = order[row]; t < steps; t++, at += units) {
      const value = values[at];
      const index = (value - low) * factor;
      pixels[start + t] =
        Math.abs(value) < threshold ? blank : colors[index <= 0 ? 0 : index >= 255 ? 255 : (index + 0.5) | 0];
    }
  }
}
