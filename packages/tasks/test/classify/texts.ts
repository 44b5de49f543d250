/** Small generated data: texts whose label follows from one of their words. */
import { RandomStream } from '@unroll/core';
import { makeTable, type Table } from '@unroll/data';

const CUES = [
  ['dull', 'bad', 'weak'],
  ['great', 'good', 'strong'],
  ['odd', 'strange', 'weird'],
];
const FILLERS = [
  'the',
  'film',
  'is',
  'a',
  'story',
  'about',
  'two',
  'people',
  'in',
  'town',
  'and',
  'it',
  'was',
];

/** Returns a text of 4 to 12 words one of which is a cue, a word that determines the label. */
function textOf(random: RandomStream, label: number): string {
  const [length, position, cue] = random.uniform(3);
  const words = Array.from(
    random.uniform(4 + Math.floor(9 * length)),
    (u) => FILLERS[Math.floor(u * FILLERS.length)],
  );
  words[Math.floor(position * words.length)] = CUES[label][Math.floor(3 * cue)];
  return words.join(' ');
}

/** Returns a table with the columns `text` and `label`. @param counts number of texts of each label, `c0`, `c1` and `c2` */
export function textTable(counts: readonly number[], seed = 1): Table {
  const random = new RandomStream(seed, 'texts');
  const classes = counts.flatMap((count, k) => Array<number>(count).fill(k));
  const order = random.permutation(classes.length);
  const labels = Array.from(order, (i) => classes[i]);
  return tableOf(
    labels.map((label) => textOf(random, label)),
    labels.map((label) => `c${label}`),
  );
}

export const tableOf = (texts: readonly (string | null)[], labels: readonly (string | null)[]): Table =>
  makeTable({
    source: 'texts.csv',
    names: ['text', 'label'],
    cells: [texts, labels],
    lines: texts.map((_, i) => i + 2),
  });
