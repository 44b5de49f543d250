/**
 * Text classification with an embedding and a GRU. The reviews are generated from a small grammar in which "not", "but"
 * and "although" decide the meaning of a sentence, so counting words is not enough. Sentences differ in length and are
 * padded on the right with 0, which the embedding masks.
 */
import { dense, embedding, gru, RandomStream, sequential } from 'unrolljs';

const random = new RandomStream(11, 'reviews');
const pick = <T>(list: readonly T[]): T => list[Math.floor(random.uniform(1)[0] * list.length)];

const GOOD = ['great', 'clever', 'moving', 'funny', 'brilliant'];
const BAD = ['dull', 'clumsy', 'boring', 'empty', 'awful'];
const PARTS = ['the plot', 'the acting', 'the ending', 'the music', 'this film'];

/** Returns a clause, and whether it is positive. */
function clause(): { text: string; good: boolean } {
  const good = random.uniform(1)[0] < 0.5;
  const negated = random.uniform(1)[0] < 0.4;
  const word = pick(good !== negated ? GOOD : BAD);
  return {
    text: `${pick(PARTS)} was ${negated ? 'not ' : ''}${pick(['', 'really ', 'quite '])}${word}`,
    good,
  };
}

/**
 * Returns a review with one clause or two. The clause after "but" or before "although" decides the label; clauses joined by
 * "and" count equally. Labels: 0 bad, 1 mixed, 2 good.
 */
function review(): { text: string; label: number } {
  const [a, b] = [clause(), clause()];
  const kind = pick(['one', 'but', 'although', 'and']);
  if (kind === 'one') return { text: a.text, label: a.good ? 2 : 0 };
  if (kind === 'and')
    return { text: `${a.text} and ${b.text}`, label: a.good === b.good ? (a.good ? 2 : 0) : 1 };
  const [first, last] = kind === 'but' ? [a, b] : [b, a];
  return {
    text: kind === 'but' ? `${first.text} but ${last.text}` : `${last.text} although ${first.text}`,
    label: last.good ? 2 : 0,
  };
}

const reviews = Array.from({ length: 3000 }, review);
const words = [...new Set(reviews.flatMap(({ text }) => text.split(' ')))].sort();
const ids = new Map(words.map((word, i) => [word, i + 1])); // 0 is padding
const longest = Math.max(...reviews.map(({ text }) => text.split(' ').length));
const encode = (text: string): number[] => {
  const tokens = text.split(' ').map((word) => ids.get(word) ?? 0);
  return [...tokens, ...new Array<number>(longest - tokens.length).fill(0)];
};
const x = reviews.map(({ text }) => encode(text));
const y = reviews.map(({ label }) => label);

const model = sequential([
  embedding({ inputDim: words.length + 1, outputDim: 128, maskZero: true }),
  gru({ units: 128 }),
  dense({ units: 64, activation: 'relu' }),
  dense({ units: 3, activation: 'softmax' }),
]);
model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
await model.fit(x.slice(0, 2400), y.slice(0, 2400), { epochs: 4, batchSize: 32 });
const { accuracy } = await model.evaluate(x.slice(2400), y.slice(2400));
console.log(`accuracy on 600 unseen reviews: ${(100 * accuracy).toFixed(1)} %`);

for (const text of ['the plot was not dull', 'the acting was great but the ending was not funny']) {
  const [[bad, mixed, good]] = await model.predictArray([encode(text)]);
  console.log(`"${text}": bad ${bad.toFixed(2)}, mixed ${mixed.toFixed(2)}, good ${good.toFixed(2)}`);
}

export { model, x, y }; // tools/float16.mjs rounds the weights of the model
