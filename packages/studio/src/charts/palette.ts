/**
 * The colours. Recurrent cells have the hues of Okabe and Ito (2008), which remain distinct with any colour vision, darkened or
 * lightened for contrast with the background. The colours of heat maps range from blue through the background colour to orange
 * (diverging) or from dark violet to yellow (sequential).
 */
import { computed, signal } from '@preact/signals';
import type { CellKind } from '../state/settings.js';

export type Theme = 'auto' | 'light' | 'dark';
const stored = readStored();
export const theme = signal<Theme>(stored === 'light' || stored === 'dark' ? stored : 'auto');

const media = matchMedia('(prefers-color-scheme: dark)');
const systemIsDark = signal(media.matches);
media.addEventListener('change', ({ matches }) => (systemIsDark.value = matches));
export const isDark = computed(() => (theme.value === 'auto' ? systemIsDark.value : theme.value === 'dark'));

export function setTheme(next: Theme): void {
  theme.value = next;
  try {
    localStorage.setItem('unroll-theme', next);
  } catch {
    // Some browsers refuse storage; the choice then lasts until the page is closed.
  }
}

function readStored(): string | null {
  try {
    return localStorage.getItem('unroll-theme');
  } catch {
    return null;
  }
}

const LIGHT: Record<CellKind, string> = {
  rnn: '#c25200',
  lstm: '#0067a8',
  gru: '#007f5c',
  minGru: '#a8497f',
};
const DARK: Record<CellKind, string> = { rnn: '#f0913d', lstm: '#5ab4ec', gru: '#2dc79a', minGru: '#e08ebc' };

/** The colour of each cell in the current theme. */
export const cellColors = computed(() => (isDark.value ? DARK : LIGHT));

/** The colours of texts, grids, panels and marks on charts in the current theme. */
export const ink = computed(() =>
  isDark.value
    ? { text: '#c9d1d9', faint: '#8b949e', grid: '#2b323b', panel: '#161b22', mark: '#ffffff' }
    : { text: '#24292f', faint: '#59636e', grid: '#e3e7eb', panel: '#ffffff', mark: '#000000' },
);

type Rgb = readonly [number, number, number];

const DIVERGING = {
  light: [
    [5, 48, 97],
    [67, 147, 195],
    [247, 247, 247],
    [227, 134, 52],
    [127, 59, 8],
  ] as readonly Rgb[],
  dark: [
    [125, 197, 255],
    [38, 110, 168],
    [22, 27, 34],
    [181, 96, 20],
    [255, 184, 108],
  ] as readonly Rgb[],
};
/** Viridis (Smith & van der Walt 2015): lightness grows with the value. */
const SEQUENTIAL: readonly Rgb[] = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
];

export type Scale = 'diverging' | 'sequential';

const tables = new Map<string, Uint32Array>();

/** Returns 256 colours as 32-bit pixels of a canvas. */
export function colorTable(scale: Scale, dark: boolean): Uint32Array {
  const key = `${scale} ${dark}`;
  let table = tables.get(key);
  if (!table)
    tables.set(
      key,
      (table = makeTable(scale === 'sequential' ? SEQUENTIAL : DIVERGING[dark ? 'dark' : 'light'])),
    );
  return table;
}

function makeTable(stops: readonly Rgb[]): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const position = (i / 255) * (stops.length - 1);
    const n = Math.min(stops.length - 2, Math.floor(position));
    const [r, g, b] = [0, 1, 2].map((c) =>
      Math.round(stops[n][c] + (position - n) * (stops[n + 1][c] - stops[n][c])),
    );
    return (255 << 24) | (b << 16) | (g << 8) | r;
  });
}

/** Returns a colour of a table as CSS. */
export function cssColor(pixel: number): string {
  return `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
}
