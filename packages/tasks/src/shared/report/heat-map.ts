/** Draws a matrix of weights as a heat map in SVG, without scripts. */
import { escapeHtml } from './chart.js';

export interface HeatMapData {
  /** Description for screen readers. */
  title: string;
  /** Labels of the rows and of the columns. */
  rows: readonly string[];
  columns: readonly string[];
  /** [row][column], 0 to 1. */
  values: readonly ArrayLike<number>[];
}

/** Size of a cell in pixels. */
const CELL = 18;
/** Longer labels are shortened. */
const MAX_LABEL = 14;
const GAP = 6;

/** Returns the heat map: the larger the weight, the darker the cell. Weights up to 0.005 are not drawn; the others have a tooltip. */
export function heatMap({ title, rows, columns, values }: HeatMapData): string {
  const [rowLabels, columnLabels] = [rows, columns].map((labels) => labels.map(shortened));
  const left = labelWidth(rowLabels) + GAP;
  const top = labelWidth(columnLabels) + GAP;
  const [width, height] = [left + columns.length * CELL + 2, top + rows.length * CELL + 2];
  const parts = [
    ...columnLabels.map((label, c) => {
      const x = left + (c + 0.5) * CELL;
      return `<text transform="translate(${x} ${top - GAP}) rotate(-90)" dy="0.35em">${escapeHtml(label)}</text>`;
    }),
    ...rowLabels.map((label, r) => {
      const y = top + (r + 0.5) * CELL;
      return `<text x="${left - GAP}" y="${y}" dy="0.35em" text-anchor="end">${escapeHtml(label)}</text>`;
    }),
    `<rect class="frame" x="${left}" y="${top}" width="${columns.length * CELL}" height="${rows.length * CELL}"/>`,
    ...rows.flatMap((row, r) =>
      columns.flatMap((name, c) => {
        const value = values[r][c];
        if (!(value > 0.005)) return [];
        const tip = `${row} – ${name}: ${value.toFixed(2)}`;
        return `<rect class="weight" x="${left + c * CELL}" y="${top + r * CELL}" width="${CELL}" height="${CELL}" fill-opacity="${Math.min(1, value).toFixed(2)}"><title>${escapeHtml(tip)}</title></rect>`;
      }),
    ),
  ];
  const label = escapeHtml(title);
  return (
    `<div class="scroll"><svg class="heat" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" ` +
    `aria-label="${label}">${parts.join('')}</svg></div>`
  );
}

const shortened = (label: string): string =>
  label.length > MAX_LABEL ? `${label.slice(0, MAX_LABEL - 1)}…` : label;

/** Returns the approximate width of the widest label in pixels. */
const labelWidth = (labels: readonly string[]): number =>
  Math.max(
    ...labels.map((label) => Array.from(label, characterWidth).reduce((sum, width) => sum + width, 0)),
  );

/** Returns an upper estimate of the width of a character in pixels, for ideographs, wide letters, capitals and others. */
const characterWidth = (character: string): number =>
  /[\u2E80-\uFFEF]/.test(character) ? 14 : /[mwMW@%]/.test(character) ? 11 : /[A-Z]/.test(character) ? 9 : 7;
