/** Paints a heat map into pixels. */

export interface HeatValues {
  /** [T, H]: one value for each step and unit. */
  values: Float32Array;
  steps: number;
  units: number;
  /** The unit of each row. */
  order: readonly number[];
  /** The values at the ends of the palette. */
  low: number;
  high: number;
  /** Number of valid steps; later ones are padding and blank. Default: all. */
  validSteps?: number;
  /** Values whose absolute value is below the threshold are blank; 0: none. */
  threshold: number;
}

/** Number of rows that are painted together, because the values of neighbouring units are adjacent in memory. */
const BLOCK = 16;

/** Paints rows of units and columns of steps. `pixels` has one pixel per value. */
export function paintHeat(heat: HeatValues, colors: Uint32Array, blank: number, pixels: Uint32Array): void {
  const { values, steps, units, order, low, high, threshold, validSteps = steps } = heat;
  const factor = 255 / (high - low);
  for (let first = 0; first < order.length; first += BLOCK) {
    const end = Math.min(order.length, first + BLOCK);
    for (let row = first; row < end; row++) pixels.fill(blank, row * steps + validSteps, (row + 1) * steps);
    for (let t = 0; t < validSteps; t++) {
      for (let row = first; row < end; row++) {
        const value = values[t * units + order[row]];
        const index = (value - low) * factor;
        pixels[row * steps + t] =
          Math.abs(value) < threshold
            ? blank
            : colors[index <= 0 ? 0 : index >= 255 ? 255 : (index + 0.5) | 0];
      }
    }
  }
}
