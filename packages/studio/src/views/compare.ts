/** Loss curves that are drawn together with the current ones: those of opened log files, and those that the visitor kept. */
import { signal } from '@preact/signals';
import type { Line } from '../charts/line-chart.js';
import { ink } from '../charts/palette.js';

export interface ComparedRun {
  name: string;
  x: number[];
  y: number[];
}

export const comparedRuns = signal<readonly ComparedRun[]>([]);

const DASHES = [
  [8, 3],
  [8, 3, 2, 3],
  [3, 3],
  [12, 3],
];

export const runLines = (): Line[] =>
  comparedRuns.value.map(({ name, x, y }, n) => ({
    name,
    x,
    y,
    color: ink.value.text,
    dash: DASHES[n % DASHES.length],
    width: 1,
  }));
