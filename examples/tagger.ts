/**
 * Named entities with a BiLSTM-CRF (Lample et al. 2016). Each word has one of five tags: O is no entity, B the first word of
 * a person or a place, I a later word. Words such as "de" continue an entity and are no entity elsewhere, so the tag of a
 * word depends on the tag before it. Decoding never returns an I tag without an entity before it.
 */
// biome-ignore format: one line
import { bidirectional, crf, decodeTags, embedding, lstm, nBestTags, padSequences, RandomStream, sequential } from 'unrolljs';

const TAGS = ['O', 'B-PER', 'I-PER', 'B-LOC', 'I-LOC'];
const FIRST = [['ana', 'luis', 'jean', 'maria'], ['rio', 'san', 'porto', 'villa']]; // biome-ignore format: one line
const LATER = ['de', 'la', 'alba', 'costa', 'marin'];
const OTHER = ['we', 'met', 'in', 'the', 'house', 'near', 'saw', 'and'];
const WORDS = [...FIRST.flat(), ...LATER, ...OTHER];

const random = new RandomStream(6, 'sentences');
const draw = (count: number): number => Math.floor(random.uniform(1)[0] * count);

/** Returns the ids of the words (1, 2, ...; 0 is padding) and of the tags. */
function sentence(): { x: number[]; y: number[] } {
  const [x, y]: number[][] = [[], []];
  for (let tag = 0, left = 6 + draw(12); left > 0; left--) {
    const [type, chance] = [draw(2), draw(6)];
    const isLater = tag > 0 && chance < 3; // otherwise, chance 3 begins an entity
    const words = isLater ? LATER : chance === 3 ? FIRST[type] : tag > 0 ? OTHER : [...OTHER, ...LATER];
    if (isLater) tag += tag % 2;
    else tag = chance === 3 ? 1 + 2 * type : 0;
    x.push(1 + WORDS.indexOf(words[draw(words.length)]));
    y.push(tag);
  }
  return { x, y };
}

const data = Array.from({ length: 4000 }, sentence);
const x = padSequences(data.map((example) => example.x)).values.toArray() as number[][];
const y = padSequences(data.map((example) => example.y)).values.toArray() as number[][];
/** I-PER may follow B-PER and I-PER, and I-LOC may follow B-LOC and I-LOC. */
const mayFollow = (from: number, to: number): boolean =>
  to === 0 || to % 2 === 1 || from === to - 1 || from === to;
const constraints = {
  transitions: TAGS.map((_, from) => TAGS.map((_, to) => mayFollow(from, to))),
  start: TAGS.map((_, to) => mayFollow(0, to)),
};

const tagger = sequential([
  embedding({ inputDim: WORDS.length + 1, outputDim: 16, maskZero: true }),
  bidirectional(lstm({ units: 32, returnSequences: true })),
  crf({ tags: TAGS.length, constraints }),
]);
tagger.compile({ optimizer: { name: 'adam', learningRate: 0.01 }, loss: 'crf', metrics: ['crfAccuracy'] });
await tagger.fit(x.slice(0, 3000), y.slice(0, 3000), { epochs: 4 });

const decoded = await decodeTags(tagger, x.slice(3000));
const right = decoded.filter((tags, i) => tags.every((tag, t) => tag === data[3000 + i].y[t])).length;
console.log(`${right} of ${decoded.length} unseen sentences tagged without an error`);
const [twoBest] = await nBestTags(tagger, x.slice(-1), 2);
for (const { tags, probability } of twoBest) {
  const text = tags.map((tag, t) => `${WORDS[data[3999].x[t] - 1]}/${TAGS[tag]}`).join(' ');
  console.log(`${(100 * probability).toFixed(2)} %  ${text}`);
}
