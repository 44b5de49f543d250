/** Generated clips: a bright box that moves left or right over noise. */
import { RandomStream } from '@unroll/core';
import { makeTable, type Table } from '@unroll/data';
import type { Clip, Frame } from '@unroll/tasks';

export const [HEIGHT, WIDTH] = [12, 16];

export interface Box {
  frames: Frame[];
  direction: 'left' | 'right';
  text: string;
}

/** Returns clips of 5 to 7 grey frames. */
export function boxes(count: number, seed = 1): Box[] {
  const random = new RandomStream(seed, 'boxes');
  return Array.from({ length: count }, (_, n) => {
    const direction = n % 2 === 0 ? 'left' : 'right';
    const [top, start, bright] = random.uniform(3);
    const [y, x] = [Math.floor(top * (HEIGHT - 4)), (direction === 'left' ? 10 : 2) + Math.floor(2 * start)];
    const frames = Array.from({ length: 5 + (n % 3) }, (_, t): Frame => {
      const data = Uint8Array.from(random.uniform(HEIGHT * WIDTH), (value) => 20 * value);
      const left = x + (direction === 'left' ? -t : t);
      for (let r = y; r < y + 4; r++) data.fill(150 + 100 * bright, r * WIDTH + left, r * WIDTH + left + 3);
      return { width: WIDTH, height: HEIGHT, data };
    });
    return { frames, direction, text: `a box moves ${direction}` };
  });
}

/** Returns a table with the columns `clip`, `direction` and `text`. */
export const tableOf = (
  clips: readonly Clip[],
  directions: readonly string[],
  texts: readonly string[] = directions,
): Table =>
  makeTable({
    source: 'boxes.jsonl',
    names: ['clip', 'direction', 'text'],
    cells: [clips.map(() => undefined), [...directions], [...texts]],
    nested: new Map([['clip', clips]]),
  });

export const boxTable = (list: readonly Box[]): Table =>
  tableOf(
    list.map(({ frames }) => frames),
    list.map(({ direction }) => direction),
    list.map(({ text }) => text),
  );
