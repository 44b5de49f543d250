/**
 * Shared by all SVG figures: a self-contained SVG with its styles. Colours are CSS variables with values for light and dark themes; a
 * page can override them. The colours are distinguishable with every kind of colour blindness: the diverging palette runs from
 * blue to orange, and lines have colours based on Okabe & Ito (2008) and different dashes.
 */

/** Returns text escaped for SVG and HTML, without the characters that XML does not allow. */
export function escapeText(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the characters that XML forbids
  const allowed = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '');
  return allowed.replace(/[&<>"']/g, (character) => entities[character]);
}

/** Formats a coordinate in pixels. */
export const px = (value: number): string => String(Number(value.toFixed(1)));

/** Formats a number with up to three significant digits. */
export function shortNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

/** Number of colours from the low to the high end of the diverging palette. */
export const COLORS = 21;

/** Returns the index of the colour of a value. The middle between `low` and `high` is neutral. */
export function colorOf(value: number, low: number, high: number): number {
  const share = (value - low) / (high - low);
  return Math.round(Math.max(0, Math.min(1, Number.isFinite(share) ? share : 0.5)) * (COLORS - 1));
}

type Rgb = readonly [number, number, number];

const PALETTES: Readonly<Record<'light' | 'dark', readonly [low: Rgb, middle: Rgb, high: Rgb]>> = {
  light: [[33, 102, 172], [247, 247, 247], [179, 88, 6]],
  dark: [[103, 179, 236], [32, 33, 36], [255, 164, 72]],
}; // biome-ignore format: a table

const LINES = {
  light: ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#8a6d00', '#3a3a3a'],
  dark: ['#56b4e9', '#ff9a4d', '#2fd1a3', '#e6a4c8', '#f0e442', '#d0d0d0'],
} as const;
const DASHES = ['', '6 3', '2 3', '8 3 2 3', '12 4', '4 2'];

/** Number of line styles. */
export const LINE_STYLES = DASHES.length;

function mix([a, b, c]: readonly [Rgb, Rgb, Rgb], share: number): string {
  const [from, to, part] = share < 0.5 ? [a, b, share * 2] : [b, c, share * 2 - 1];
  return `rgb(${from.map((value, i) => Math.round(value + (to[i] - value) * part)).join(' ')})`;
}

function variables(theme: 'light' | 'dark'): string {
  const base =
    theme === 'light'
      ? '--ink:#1f2328;--soft:#59636e;--rule:#d1d9e0;--paper:#fff;--box:#f6f8fa;'
      : '--ink:#e6e6e6;--soft:#a0a6ad;--rule:#3d444d;--paper:#17181a;--box:#212327;';
  const colors = Array.from(
    { length: COLORS },
    (_, i) => `--d${i}:${mix(PALETTES[theme], i / (COLORS - 1))}`,
  );
  return `${base}${colors.join(';')};${LINES[theme].map((color, i) => `--l${i}:${color}`).join(';')}`;
}

const STYLE = [
  `.insight{${variables('light')}}`,
  `@media(prefers-color-scheme:dark){.insight{${variables('dark')}}}`,
  '.insight{background:var(--paper);font:11px system-ui,sans-serif}',
  '.insight text{fill:var(--ink)}.insight .soft{fill:var(--soft)}.insight .title{font-size:13px;font-weight:600}',
  '.insight .rule{stroke:var(--rule);fill:none}.insight .box{fill:var(--box);stroke:var(--rule)}',
  '.insight .arrow{stroke:var(--soft);fill:none}.insight .line{fill:none;stroke-width:1.8}',
  '.insight .middle{text-anchor:middle}.insight .end{text-anchor:end}.insight .num{font-size:10px}',
  ...Array.from({ length: COLORS }, (_, i) => `.insight .d${i}{fill:var(--d${i})}`),
  ...DASHES.map((dash, i) => `.insight .l${i}{stroke:var(--l${i})${dash && `;stroke-dasharray:${dash}`}}`),
].join('');

/** Returns a self-contained SVG. @param title what the image shows, for screen readers */
export function svg(width: number, height: number, title: string, parts: readonly string[]): string {
  const text = escapeText(title);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" class="insight" viewBox="0 0 ${px(width)} ${px(height)}" ` +
    `width="${px(width)}" height="${px(height)}" role="img" aria-label="${text}"><title>${text}</title>` +
    `<style>${STYLE}</style>${parts.join('')}</svg>`
  );
}

/** Returns a text element. @param classes `soft`, `middle`, `end`, `title`, `num` */
export function label(x: number, y: number, text: string, classes = ''): string {
  return `<text x="${px(x)}" y="${px(y)}"${classes && ` class="${classes}"`}>${escapeText(text)}</text>`;
}

/** Draws the key of the diverging palette, with a label at its low end, middle and high end. */
export function colorKey(x: number, y: number, low: string, middle: string, high: string): string {
  const cells = Array.from(
    { length: COLORS },
    (_, i) => `<rect class="d${i}" x="${px(x + i * 6)}" y="${px(y)}" width="6" height="8"/>`,
  );
  const width = COLORS * 6;
  const texts = [label(x, y + 19, low, 'soft num'), label(x + width / 2, y + 19, middle, 'soft num middle')];
  return [...cells, ...texts, label(x + width, y + 19, high, 'soft num end')].join('');
}

/** Draws a grid of colour indices (-1: empty), one path per colour. Within a row, adjacent cells of equal colour are merged. */
export function heatMap(
  { x, y, width, height }: { x: number; y: number; width: number; height: number },
  rows: readonly (readonly number[])[],
): string {
  const paths = new Map<number, string[]>();
  const [cellHeight, columns] = [height / rows.length, rows[0]?.length ?? 0];
  const cellWidth = width / columns;
  rows.forEach((row, r) => {
    for (let from = 0; from < columns; ) {
      let to = from + 1;
      while (to < columns && row[to] === row[from]) to++;
      const runs = paths.get(row[from]) ?? [];
      paths.set(row[from], runs);
      // Half a pixel more hides the seams between neighbours.
      const size = px((to - from) * cellWidth + 0.5);
      runs.push(
        `M${px(x + from * cellWidth)} ${px(y + r * cellHeight)}h${size}v${px(cellHeight + 0.5)}h-${size}z`,
      );
      from = to;
    }
  });
  paths.delete(-1);
  const parts = [...paths].map(([color, runs]) => `<path class="d${color}" d="${runs.join('')}"/>`);
  return `<g shape-rendering="crispEdges">${parts.join('')}</g>`;
}
