/**
 * Skip-gram (Mikolov et al. 2013): word vectors from context. A word predicts its neighbours, so words with the same
 * neighbours get similar vectors. Sampled softmax trains the vectors without scoring the whole vocabulary for every word.
 */
import {
  buildVocabulary,
  embedding,
  input,
  losses,
  model,
  outputEmbedding,
  RandomStream,
  readVectors,
  tokenizer,
  writeVectors,
} from 'unrolljs';

const GROUPS = {
  animal: ['cat', 'dog', 'horse', 'cow', 'sheep', 'goat', 'pig', 'hen'],
  food: ['bread', 'rice', 'soup', 'apple', 'cheese', 'honey', 'corn', 'cake'],
  place: ['river', 'forest', 'village', 'market', 'garden', 'castle', 'bridge', 'tower'],
  person: ['farmer', 'miller', 'baker', 'teacher', 'doctor', 'sailor', 'hunter', 'painter'],
};
const PATTERNS = [
  ['the', 'person', 'eats', 'some', 'food', 'for', 'dinner'],
  ['the', 'animal', 'sleeps', 'quietly', 'near', 'the', 'place'],
  ['a', 'person', 'feeds', 'her', 'hungry', 'animal'],
  ['we', 'walk', 'slowly', 'to', 'the', 'place', 'today'],
];
const random = new RandomStream(3, 'sentences');
const pick = <T>(list: readonly T[]): T => list[Math.floor(random.uniform(1)[0] * list.length)];
const word = (slot: string): string => (slot in GROUPS ? pick(GROUPS[slot as keyof typeof GROUPS]) : slot);
const sentences = Array.from({ length: 4000 }, () => pick(PATTERNS).map(word).join(' '));

const words = tokenizer({ kind: 'words' });
const tokens = sentences.map((sentence) => words.tokens(sentence));
const vocabulary = buildVocabulary(tokens);
const centres: number[][] = [];
const contexts: number[] = [];
for (const ids of tokens.map((sentence) => vocabulary.encode(sentence)))
  ids.forEach((centre, i) => {
    for (const context of [...ids.slice(Math.max(0, i - 2), i), ...ids.slice(i + 1, i + 3)]) {
      centres.push([centre]);
      contexts.push(context);
    }
  });

const V = vocabulary.size;
const table = embedding({ inputDim: V, outputDim: 16, name: 'vectors' });
const centre = input({ shape: [1] });
const vectors = model({ inputs: centre, outputs: table.apply(centre) });
const loss = losses.sampledSoftmax({ layer: outputEmbedding({ units: V }), samples: 16 });
vectors.compile({ optimizer: { name: 'adam', learningRate: 0.01 }, loss });
const { loss: history } = await vectors.fit(centres, contexts.map((id) => [id]), { epochs: 3, batchSize: 256 }); // biome-ignore format: one line
console.log(
  `${contexts.length} pairs, loss ${history[0].toFixed(3)} in epoch 1, ${history.at(-1)?.toFixed(3)} in epoch 3`,
);

// Write the vectors in the text format of word2vec, and read them back.
const [{ values }] = table.getWeights();
const file = writeVectors(
  vocabulary,
  { width: 16, values: Float32Array.from(values) },
  { format: 'word2vec' },
);
const read = await readVectors(file, { vocabulary, width: 16 });
const vectorOf = (name: string) => {
  const start = 16 * vocabulary.encode([name])[0];
  return read.values.subarray(start, start + 16);
};
const cosine = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, x, i) => sum + x * b[i], 0) / (Math.hypot(...a) * Math.hypot(...b));
const all = Object.values(GROUPS).flat();
const nearest = (name: string): string[] =>
  all
    .filter((other) => other !== name)
    .sort((a, b) => cosine(vectorOf(b), vectorOf(name)) - cosine(vectorOf(a), vectorOf(name)));
const right = Object.values(GROUPS).flatMap((group) => group.map((name) => group.includes(nearest(name)[0])));
console.log(
  `nearest to cat: ${nearest('cat').slice(0, 3).join(', ')}; to bread: ${nearest('bread').slice(0, 3).join(', ')}`,
);
console.log(`nearest neighbour in the same group: ${right.filter(Boolean).length} of ${right.length} words`);
