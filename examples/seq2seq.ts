/**
 * Sequence to sequence with the functional API: dates in words become ISO dates. The encoder's final states are the
 * decoder's initial states. In training, the decoder reads the correct answer shifted by one step (teacher forcing); in
 * inference, it reads its own outputs, one character at a time.
 */
import { dense, embedding, input, lstm, model, RandomStream } from 'unrolljs';

const MONTHS = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november', 'december']; // biome-ignore format: a list
const random = new RandomStream(5, 'dates');
const draw = (from: number, to: number): number => from + Math.floor(random.uniform(1)[0] * (to - from + 1));

function example(): { words: string; iso: string } {
  const [year, month, day] = [draw(1950, 2049), draw(1, 12), draw(1, 28)];
  const name = MONTHS[month - 1];
  const words = [`${day} ${name} ${year}`, `${name} ${day}, ${year}`, `${name.slice(0, 3)} ${day} ${year}`][
    draw(0, 2)
  ];
  return { words, iso: `${year}-${`${month}`.padStart(2, '0')}-${`${day}`.padStart(2, '0')}` };
}

const SOURCE_CHARACTERS = ' ,0123456789abcdefghijklmnopqrstuvwxyz'; // id 0 is padding
const TARGET_CHARACTERS = '^0123456789-'; // id 0 begins an answer
const SOURCE_LENGTH = 18;
const ANSWER_LENGTH = 10;
const encode = (text: string): number[] =>
  Array.from({ length: SOURCE_LENGTH }, (_, i) => SOURCE_CHARACTERS.indexOf(text[i] ?? '\0') + 1);
const data = Array.from({ length: 4000 }, example);
const sources = data.map(({ words }) => encode(words));
const answers = data.map(({ iso }) => [...iso].map((character) => TARGET_CHARACTERS.indexOf(character)));
const shifted = answers.map((ids) => [0, ...ids.slice(0, -1)]);

const source = input({ shape: [SOURCE_LENGTH] });
const encoderIn = embedding({ inputDim: SOURCE_CHARACTERS.length + 1, outputDim: 32, maskZero: true });
const [, h, c] = lstm({ units: 96, returnState: true }).apply(encoderIn.apply(source));
const previous = input({ shape: [null] });
const decoderIn = embedding({ inputDim: TARGET_CHARACTERS.length, outputDim: 32 });
const decoder = lstm({ units: 96, returnSequences: true });
const decoded = decoder.apply(decoderIn.apply(previous), { initialState: [h, c] });
const outputs = dense({ units: TARGET_CHARACTERS.length, activation: 'softmax' }).apply(decoded);
const translator = model({ inputs: [source, previous], outputs });

translator.compile({
  optimizer: { name: 'adam', learningRate: 0.004 },
  loss: 'sparseCategoricalCrossentropy',
});
const train = 3600;
const { loss } = await translator.fit(
  [sources.slice(0, train), shifted.slice(0, train)],
  answers.slice(0, train),
  { epochs: 14, batchSize: 64 },
);
console.log(`loss ${loss[0].toFixed(3)} in epoch 1, ${loss[loss.length - 1].toFixed(4)} in epoch 14`);

/** Greedy decoding: each step appends the most likely character to every answer. */
async function translate(texts: readonly string[]): Promise<string[]> {
  const encoded = texts.map(encode);
  const generated = texts.map(() => [0]);
  for (let step = 0; step < ANSWER_LENGTH; step++) {
    const probabilities = await translator.predictArray<number[][][]>([encoded, generated]);
    generated.forEach((ids, row) => {
      const distribution = probabilities[row][step];
      ids.push(distribution.indexOf(Math.max(...distribution)));
    });
  }
  return generated.map((ids) =>
    ids
      .slice(1)
      .map((id) => TARGET_CHARACTERS[id])
      .join(''),
  );
}

const validation = data.slice(train);
const translated = await translate(validation.map(({ words }) => words));
const right = validation.filter(({ iso }, i) => iso === translated[i]).length;
console.log(`${right} of ${validation.length} unseen dates correct`);
for (const [i, { words }] of validation.slice(0, 3).entries()) console.log(`${words} -> ${translated[i]}`);

export { translate, translator, validation }; // tools/float16.mjs rounds the weights of the translator
