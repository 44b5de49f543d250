/** Generated sounds: tones that rise or fall, with noise. */
import { RandomStream } from '@unroll/core';
import { makeTable, type Table } from '@unroll/data';
import type { Sound } from '@unroll/tasks';

export const RATE = 4000;

export interface Tone {
  samples: Float32Array;
  sampleRate: number;
  kind: 'up' | 'down';
}

/** Returns tones of 0.2 to 0.3 s between 400 and 1,100 Hz, with different volumes. */
export function tones(count: number, seed = 1, sampleRate = RATE): Tone[] {
  const random = new RandomStream(seed, 'tones');
  return Array.from({ length: count }, (_, i) => {
    const [length, start, volume] = random.uniform(3);
    const size = Math.round((0.2 + 0.1 * length) * sampleRate);
    const noise = random.normal(size, 0, 0.01);
    const slope = (i % 2 === 0 ? 1 : -1) * 1500;
    const samples = Float32Array.from({ length: size }, (_, n) => {
      const t = n / sampleRate;
      const phase = (i % 2 === 0 ? 400 : 1000) * t + 100 * start * t + (slope * t * t) / 2;
      return (0.1 + 0.8 * volume) * (Math.sin(2 * Math.PI * phase) + noise[n]);
    });
    return { samples, sampleRate, kind: i % 2 === 0 ? 'up' : 'down' };
  });
}

/** Returns a table with the columns `sound` and `kind`. */
export const tableOf = (sounds: readonly Sound[], kinds: readonly string[]): Table =>
  makeTable({
    source: 'tones.jsonl',
    names: ['sound', 'kind'],
    cells: [sounds.map(() => undefined), [...kinds]],
    nested: new Map([['sound', sounds]]),
  });

export const toneTable = (list: readonly Tone[]): Table =>
  tableOf(
    list,
    list.map(({ kind }) => kind),
  );
