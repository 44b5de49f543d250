/** Small generated data: German phrases whose translation has a different word order. */
import { RandomStream } from '@unroll/core';
import { makeTable, type Table } from '@unroll/data';

const WORDS: readonly (readonly [german: string, english: string])[][] = [
  [['zwei', 'two'], ['drei', 'three'], ['vier', 'four']],
  [['rote', 'red'], ['alte', 'old'], ['blaue', 'blue']],
  [['Hunde', 'dogs'], ['Katzen', 'cats'], ['Bäume', 'trees']],
  [['schlafen', 'sleep'], ['warten', 'wait'], ['fallen', 'fall']],
]; // biome-ignore format: a table

export interface Phrases {
  german: string[];
  english: string[];
}

/** Returns phrases such as `Schlafen zwei rote Hunde?` and their translations, `Two red dogs sleep.`. */
export function phrases(count: number, seed = 1): Phrases {
  const random = new RandomStream(seed, 'phrases');
  const pairs = Array.from({ length: count }, () => {
    const chosen = Array.from(random.uniform(4), (u, i) => WORDS[i][Math.floor(u * WORDS[i].length)]);
    const [number, adjective, noun, verb] = chosen;
    return [
      [verb, number, adjective, noun].map(([german]) => german),
      [number, adjective, noun, verb].map(([, english]) => english),
    ];
  });
  const sentence = (words: readonly string[], end: string): string =>
    `${words[0][0].toUpperCase()}${words.join(' ').slice(1)}${end}`;
  return {
    german: pairs.map(([german]) => sentence(german, '?')),
    english: pairs.map(([, english]) => sentence(english, '.')),
  };
}

export const tableOf = (german: readonly (string | null)[], english: readonly (string | null)[]): Table =>
  makeTable({
    source: 'phrases.csv',
    names: ['de', 'en'],
    cells: [german, english],
    lines: german.map((_, i) => i + 2),
  });

export const phraseTable = (count: number, seed = 1): Table => {
  const { german, english } = phrases(count, seed);
  return tableOf(german, english);
};

export const textFile = (source: string, lines: readonly string[]) => ({
  source,
  text: lines.map((line) => `${line}\n`).join(''),
});
