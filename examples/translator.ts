/**
 * A translator with attention: strings of 20 symbols are translated to their reversals. The decoder looks at the outputs of
 * the encoder at every step, so it needs to remember only its position; the alignment contains the attention weights.
 */
import {
  attention,
  attentionDecoder,
  bidirectional,
  dense,
  embedding,
  generate,
  gru,
  gruCell,
  input,
  model,
  RandomStream,
  tensor,
} from 'unrolljs';

const LENGTH = 20;
const SYMBOLS = 26; // ids 1 to 26; 0 is padding
const START = SYMBOLS + 1;
const random = new RandomStream(5, 'strings');
const strings = (count: number): number[][] =>
  Array.from({ length: count }, () => Array.from(random.words(LENGTH), (word) => 1 + (word % SYMBOLS)));
const sources = strings(6000);
const targets = sources.map((symbols) => symbols.toReversed());
const previous = targets.map((symbols) => [START, ...symbols.slice(0, -1)]);

const source = input({ shape: [null], name: 'source' });
const embedded = embedding({ inputDim: START, outputDim: 32, maskZero: true }).apply(source);
const encoded = bidirectional(gru({ units: 64, returnSequences: true })).apply(embedded);
const shifted = input({ shape: [null], name: 'previous' });
const decoder = attentionDecoder(gruCell({ units: 64 }), attention({ scoreMode: 'general' }), {
  returnSequences: true,
  returnAlignments: true,
});
const decoderIn = embedding({ inputDim: START + 1, outputDim: 32 }).apply(shifted);
const [decoded, alignment] = decoder.apply(decoderIn, { constants: [encoded] });
const outputs = dense({ units: START, activation: 'softmax' }).apply(decoded);
const translator = model({ inputs: [source, shifted], outputs: [outputs, alignment] });
const schedule = { name: 'cosineDecay', initialLearningRate: 0.004, decaySteps: 1500 } as const;
translator.compile({
  optimizer: { name: 'adam', learningRate: schedule, globalClipNorm: 1 },
  loss: ['sparseCategoricalCrossentropy', null],
});
const { loss } = await translator.fit([sources, previous], targets, { epochs: 8, batchSize: 32 });
console.log(`loss ${loss[0].toFixed(3)} in epoch 1, ${loss.at(-1)?.toFixed(4)} in epoch 8`);

const unseen = strings(1000);
const stream = translator.stream({ inputs: { source: tensor(unseen) } });
const reversed = await generate(stream, { prompt: START, maxLength: LENGTH, alignments: true });
const right = reversed.filter(({ tokens }, i) => tokens.join() === unseen[i].toReversed().join()).length;
console.log(`${right} of ${unseen.length} unseen strings reversed`);
const peaks = reversed.flatMap(({ alignment: rows = [] }) =>
  rows.map((row) => row.indexOf(Math.max(...row))),
);
const onDiagonal = peaks.filter((peak, i) => peak === LENGTH - 1 - (i % LENGTH)).length;
console.log(`${((100 * onDiagonal) / peaks.length).toFixed(1)} % of the alignments on the anti-diagonal`);
