/** Draws a spectrogram as SVG, without scripts. */
import { escapeHtml } from './chart.js';

export interface SpectrogramData {
  /** [length, width], row by row: standardised features of each frame. */
  values: Float32Array;
  width: number;
  /** Number of frames. */
  length: number;
  /** Frames per second. */
  frameRate: number;
  /** Text below the picture. */
  caption: string;
}

/** Size of a cell in pixels. */
const CELL = 4;
/** Longer sounds are averaged to this number of columns. */
const MAX_COLUMNS = 150;
/** Number of shades; the lightest is not drawn. */
const SHADES = 8;
/** Standard deviations from the lightest to the darkest shade. */
const SPAN = 5;

/** Returns the spectrogram with its caption. */
export function spectrogram({ values, width, length, frameRate, caption }: SpectrogramData): string {
  const columns = Math.min(length, MAX_COLUMNS);
  const paths = Array.from({ length: SHADES }, () => '');
  for (let f = 0; f < width; f++) {
    let start = 0;
    let shade = 0;
    for (let c = 0; c <= columns; c++) {
      const next = c === columns ? -1 : shadeOf(meanOf(values, { width, f, length, columns, c }));
      if (next === shade) continue;
      // Neighbours of the same shade are one rectangle.
      if (shade > 0)
        paths[shade] +=
          `M${start * CELL} ${(width - 1 - f) * CELL}h${(c - start) * CELL}v${CELL}h${-(c - start) * CELL}z`;
      [start, shade] = [c, next];
    }
  }
  const [w, h] = [columns * CELL, width * CELL];
  const shapes = paths.map((d, s) =>
    d === '' ? '' : `<path class="weight" d="${d}" fill-opacity="${(s / (SHADES - 1)).toFixed(2)}"/>`,
  );
  const seconds = `${(length / frameRate).toFixed(2)} s`;
  const label = escapeHtml(`Spectrogram of ${caption}, ${seconds}`);
  return (
    `<div class="scroll"><svg class="heat" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}" role="img" aria-label="${label}">` +
    `<rect class="frame" x="0" y="0" width="${w}" height="${h}"/>${shapes.join('')}</svg></div>` +
    `<p>${escapeHtml(caption)}, ${seconds}</p>`
  );
}

const shadeOf = (value: number): number =>
  Math.max(0, Math.min(SHADES - 1, Math.round(((value + SPAN / 2) / SPAN) * (SHADES - 1))));

/** Returns the mean of feature `f` over the frames of a column. */
function meanOf(
  values: Float32Array,
  { width, f, length, columns, c }: Record<'width' | 'f' | 'length' | 'columns' | 'c', number>,
): number {
  const [from, to] = [Math.floor((c * length) / columns), Math.floor(((c + 1) * length) / columns)];
  let sum = 0;
  for (let t = from; t < to; t++) sum += values[t * width + f];
  return sum / (to - from);
}
