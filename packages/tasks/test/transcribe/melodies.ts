/** Generated speech: words are tones of different frequencies with pauses between them. */
import { RandomStream } from '@unroll/core';
import { makeTable, type Table } from '@unroll/data';
import type { Sound } from '@unroll/tasks';

export const RATE = 4000;
const WORDS = { low: 350, mid: 700, high: 1300 };
const NAMES = Object.keys(WORDS) as (keyof typeof WORDS)[];

export interface Melody {
  samples: Float32Array;
  sampleRate: number;
  text: string;
  /** The start of each word in seconds. */
  starts: number[];
}

/** Returns sounds of one to three words of 0.12 s. */
export function melodies(count: number, seed = 1): Melody[] {
  const random = new RandomStream(seed, 'melodies');
  return Array.from({ length: count }, () => {
    const [size] = random.uniform(1);
    const words = Array.from(random.uniform(1 + Math.floor(3 * size)), (u) => NAMES[Math.floor(3 * u)]);
    const pauses = random.uniform(words.length + 1, 0.05, 0.1);
    const length = Math.round((0.12 * words.length + pauses.reduce((a, b) => a + b, 0)) * RATE);
    const samples = Float32Array.from(random.normal(length, 0, 0.002));
    let time = 0;
    const starts = words.map((word, i) => {
      time += pauses[i];
      const start = time;
      for (let n = 0; n < 0.12 * RATE; n++)
        samples[Math.round(start * RATE) + n] += 0.4 * Math.sin((2 * Math.PI * WORDS[word] * n) / RATE);
      time += 0.12;
      return start;
    });
    return { samples, sampleRate: RATE, text: words.join(' '), starts };
  });
}

/** Returns a table with the columns `sound` and `text`. */
export const tableOf = (sounds: readonly Sound[], texts: readonly string[]): Table =>
  makeTable({
    source: 'melodies.jsonl',
    names: ['sound', 'text'],
    cells: [sounds.map(() => undefined), [...texts]],
    nested: new Map([['sound', sounds]]),
  });

export const melodyTable = (list: readonly Melody[]): Table =>
  tableOf(
    list,
    list.map(({ text }) => text),
  );
