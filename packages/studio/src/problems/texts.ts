/** Predicting the next character of a text, and classifying lines of text. */
import { RandomStream } from '@unroll/core';
import { InputError } from './input-error.js';
import { type Batch, CROSS_ENTROPY, type Problem } from './problem.js';

const EXAMPLES = 32;
const MAX_CHARACTERS = 200;

/** Returns a problem whose inputs are windows of the text. At every step, the target is the next character. */
export function charactersProblem(text: string, steps: number, seed: number): Problem {
  const characters = [...text];
  if (characters.length < steps + 20) {
    throw new InputError('shortText', { count: characters.length, steps, least: steps + 20 });
  }
  const vocabulary = mostFrequent(characters, MAX_CHARACTERS);
  const idOf = new Map(vocabulary.map((character, id) => [character, id]));
  const ids = Float32Array.from(characters, (character) => idOf.get(character) ?? 0);
  // If the text is long enough, the examples come from its end, which training does not use.
  const cut = Math.max(steps + 1, Math.min(ids.length - steps - 1, Math.floor(ids.length * 0.85)));
  const windows = (random: RandomStream, count: number, from: number, to: number): Batch => {
    const x = new Float32Array(count * steps);
    const y = new Float32Array(count * steps);
    random.uniform(count, from, to - steps).forEach((position, n) => {
      const start = Math.floor(position);
      x.set(ids.subarray(start, start + steps), n * steps);
      y.set(ids.subarray(start + 1, start + steps + 1), n * steps);
    });
    return { count, x, y };
  };
  return {
    ...{ kind: 'tokens', steps, features: [], vocabulary, classes: vocabulary, outputs: vocabulary.length },
    ...{
      perStep: true,
      loss: CROSS_ENTROPY,
      series: null,
      baseline: entropyOf(ids, vocabulary.length),
      solvedLoss: null,
    },
    batch: (random, count) => windows(random, count, 0, cut),
    examples: windows(
      new RandomStream(seed, 'examples'),
      EXAMPLES,
      Math.min(cut, ids.length - steps - 1),
      ids.length,
    ),
  };
}

/** Returns a token that stands for all rare tokens, followed by the `limit` most frequent tokens in descending order. */
function mostFrequent(tokens: readonly string[], limit: number): string[] {
  const counts = new Map<string, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]).map(([token]) => token);
  return ['�', ...sorted.slice(0, limit)];
}

/** Entropy of the distribution of characters, in nats: the loss of a model without memory. */
function entropyOf(ids: Float32Array, size: number): number {
  const counts = new Float64Array(size);
  for (const id of ids) counts[id]++;
  return counts.reduce(
    (sum, count) => (count ? sum - (count / ids.length) * Math.log(count / ids.length) : sum),
    0,
  );
}

const MAX_WORDS = 2000;

/** Splits a text into words. Each Chinese character is a word. */
const wordsOf = (text: string): string[] =>
  text.toLowerCase().match(/\p{Script=Han}|[\p{L}\p{N}']+|[!?]/gu) ?? [];

/**
 * Returns the problem of classifying lines such as `label<tab>text`, `label: text` or `label,text`. A random fifth of the lines
 * is held out.
 */
export function linesProblem(text: string, steps: number, seed: number): Problem {
  const lines = text.split(/\r?\n/).flatMap((line) => {
    const [, label, rest] = /^\s*([^\t:：,]{1,40})[\t:：,]\s*(.+)$/.exec(line) ?? [];
    return label === undefined ? [] : [{ label: label.trim(), words: wordsOf(rest).slice(0, steps) }];
  });
  const classes = [...new Set(lines.map(({ label }) => label))].sort();
  if (lines.length < 10 || classes.length < 2 || classes.length > 20) {
    throw new InputError('labels', { lines: lines.length, classes: classes.length });
  }
  const vocabulary = [
    '',
    ...mostFrequent(
      lines.flatMap(({ words }) => words),
      MAX_WORDS,
    ),
  ];
  const idOf = new Map(vocabulary.map((word, id) => [word, id]));
  const rows = lines.map(({ label, words }) => ({
    target: classes.indexOf(label),
    ids: words.map((word) => idOf.get(word) ?? 1),
  }));
  const encode = (chosen: typeof rows): Batch => encodeRows(chosen, steps);
  // The split is random, because lines are often in a regular order.
  const order = [...new RandomStream(seed, 'split').permutation(rows.length)];
  const count = Math.max(1, Math.floor(rows.length / 5));
  const pick = (indices: readonly number[]): typeof rows => indices.map((index) => rows[index]);
  const [examples, training] = [pick(order.slice(0, count)), pick(order.slice(count))];
  return {
    ...{ kind: 'classes', steps, features: [], vocabulary, classes, outputs: classes.length },
    ...{
      perStep: false,
      loss: CROSS_ENTROPY,
      series: null,
      baseline: Math.log(classes.length),
      solvedLoss: null,
    },
    batch: (random, count) =>
      encode(Array.from(random.uniform(count, 0, training.length), (n) => training[Math.floor(n)])),
    examples: encode(examples.slice(0, 200)),
  };
}

function encodeRows(rows: readonly { target: number; ids: number[] }[], steps: number): Batch {
  const x = new Float32Array(rows.length * steps);
  const mask = new Float32Array(rows.length * steps);
  rows.forEach(({ ids }, n) => {
    x.set(ids, n * steps);
    mask.fill(1, n * steps, n * steps + Math.max(1, ids.length));
  });
  return { count: rows.length, x, y: Float32Array.from(rows, ({ target }) => target), mask };
}
