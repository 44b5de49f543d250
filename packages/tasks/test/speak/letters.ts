/** Generated speech: each letter is a tone of 0.1 s. */
import { RandomStream } from '@unroll/core';
import { makeTable, type Table } from '@unroll/data';
import type { Sound } from '@unroll/tasks';

export const RATE = 4000;
const TONES = { a: 300, b: 600, c: 1000, d: 1500 };
const LETTERS = Object.keys(TONES) as (keyof typeof TONES)[];

export interface Utterance {
  samples: Float32Array;
  sampleRate: number;
  text: string;
}

/** Returns texts of 3 to 6 letters with their sounds. */
export function utterances(count: number, seed = 1): Utterance[] {
  const random = new RandomStream(seed, 'letters');
  return Array.from({ length: count }, () => {
    const [size] = random.uniform(1);
    const letters = Array.from(random.uniform(3 + Math.floor(4 * size)), (u) => LETTERS[Math.floor(4 * u)]);
    const length = Math.round(0.1 * letters.length * RATE);
    const samples = Float32Array.from({ length }, (_, n) => {
      const t = n / RATE;
      return 0.3 * Math.sin(2 * Math.PI * TONES[letters[Math.floor(t / 0.1)]] * t);
    });
    return { samples, sampleRate: RATE, text: letters.join('') };
  });
}

/** Returns a table with the columns `sound` and `text`. */
export const tableOf = (sounds: readonly Sound[], texts: readonly string[]): Table =>
  makeTable({
    source: 'letters.jsonl',
    names: ['sound', 'text'],
    cells: [sounds.map(() => undefined), [...texts]],
    nested: new Map([['sound', sounds]]),
  });

export const letterTable = (list: readonly Utterance[]): Table =>
  tableOf(
    list,
    list.map(({ text }) => text),
  );
