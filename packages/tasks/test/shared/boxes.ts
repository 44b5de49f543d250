/** Generated clips: a bright box that moves left or right over noise. */
import { RandomStream } from '@unroll/core';
import { makeTable, type Table } from '@unroll/data';
import type { Clip, Frame } from '@unroll/tasks';

export const [HEIGHT, WIDTH] = [12, 16];

export interface Box {
  frames: Frame[];
  way: 'left' | 'right';
  text: string;
}

/** Returns clips of 5 to 7 grey frames. */
export function boxes(count: number, seed = 1): Box[] {
  const random = new RandomStream(seed, 'boxes');
  return Array.from({ length: count }, (_, n) => {
    const way = n % 2 === 0 ? 'left' : 'right';
    const [top, start, bright] = random.uniform(3);
    const [y, x] = [Math.floor(top * (HEIGHT - 4)), (way === 'left' ? 10 : 2) + Math.floor(2 * start)];
    const frames = Array.from({ length: 5 + (n % 3) }, (_, t): Frame => {
      const data = Uint8Array.from(random.uniform(HEIGHT * WIDTH), (value) => 20 * value);
      const left = x + (way === 'left' ? -t : t);
      for (let r = y; r < y + 4; r++) data.fill(150 + 100 * bright, r * WIDTH + left, r * WIDTH + left + 3);
      return { width: WIDTH, height: HEIGHT, data };
    });
    return { frames, way, text: `a box moves ${way}` };
  });
}

/** Returns a table with the columns `clip`, `way` and `text`. */
export const tableOf = (
  clips: readonly Clip[],
  ways: readonly string[],
  texts: readonly string[] = ways,
): Table =>
  makeTable({
    source: 'boxes.jsonl',
    names: ['clip', 'way', 'text'],
    cells: [clips.map(() => undefined), [...ways], [...texts]],
    nested: new Map([['clip', clips]]),
  });

export const boxTable = (list: readonly Box[]): Table =>
  tableOf(
    list.map(({ frames }) => frames),
    list.map(({ way }) => way),
    list.map(({ text }) => text),
  );
