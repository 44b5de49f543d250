/**
 * Polyphonic music (Boulanger-Lewandowski et al. 2012): an LSTM predicts the notes of each step from the steps before it.
 * Several of the 88 keys of a piano sound at once, so the output has one probability per key. The score is the negative
 * log-likelihood in nats, summed over the keys of a step and averaged over all steps except the first step of each piece.
 *
 * In training, the pieces of a file are transposed by a random number of semitones, which does not change the harmony.
 *
 *     node chorales.js [jsb-chorales-quarter.json] [--units 256] [--epochs 200] [--dropout 0.3] [--seed 0]
 *
 * The file has lists of pieces, `train`, `valid` and `test`. A piece is a list of steps, and a step is a list of MIDI notes.
 * Without a file, the program generates pieces: random walks of major triads, in which each chord has two equally likely
 * successors. A key that sounds in only one of the two successors costs ln 2, so no model with independent keys can be better
 * than 4.62 nats per step.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { bucketByLength, dense, dropout, lstm, padSequences, RandomStream, sequential } from 'unrolljs';

type Piece = number[][];
type Part = 'train' | 'valid' | 'test';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    units: { type: 'string' },
    epochs: { type: 'string' },
    dropout: { type: 'string' },
    seed: { type: 'string', default: '0' },
  },
});
const [file] = positionals;
const units = Number(values.units ?? (file ? 256 : 64));
const epochs = Number(values.epochs ?? (file ? 200 : 25));
const rate = Number(values.dropout ?? (file ? 0.3 : 0.1));
const seed = Number(values.seed);

/** Returns pieces of triads: from each root, the bass goes up a fourth or down a third. */
function makePieces(count: number, name: string): Piece[] {
  const random = new RandomStream(1, name);
  return Array.from({ length: count }, () => {
    let root = 48 + Math.floor(12 * random.uniform(1)[0]);
    return Array.from({ length: 40 }, () => {
      root = 48 + ((root - 48 + (random.uniform(1)[0] < 0.5 ? 5 : 9)) % 12);
      return [root, root + 12, root + 16, root + 19];
    });
  });
}

const pieces: Record<Part, Piece[]> = file
  ? JSON.parse(readFileSync(file, 'utf8'))
  : { train: makePieces(300, 'train'), valid: makePieces(20, 'valid'), test: makePieces(20, 'test') };

const BATCH = 8;
const KEYS = 88;
const LOWEST = 21;

/** Returns a number for each key: 1 if it sounds in a step, otherwise 0. */
function keysOf(notes: readonly number[], transposition: number): number[] {
  const keys = Array<number>(KEYS).fill(0);
  for (const note of notes) keys[note - LOWEST + transposition] = 1;
  return keys;
}

/** Draws a transposition of at most half an octave that leaves all notes on the keyboard. */
function drawTransposition(piece: Piece, random: RandomStream): number {
  const shift = Math.floor(12 * random.uniform(1)[0]) - 5;
  const notes = piece.flat();
  const fits = Math.min(...notes) + shift >= LOWEST && Math.max(...notes) + shift < LOWEST + KEYS;
  return fits ? shift : 0;
}

/**
 * Yields batches of pieces: x contains all steps but the last, and y the steps after them.
 * @param random transposes and shuffles the pieces; null: neither
 */
function* batchesOf(part: Part, random: RandomStream | null) {
  const lengths = pieces[part].map(({ length }) => length);
  for (const rows of bucketByLength(lengths, { batchSize: BATCH, random, pool: 4 })) {
    const sequences = Array.from(rows, (row) => {
      const piece = pieces[part][row];
      const shift = random === null || !file ? 0 : drawTransposition(piece, random);
      return piece.map((notes) => keysOf(notes, shift));
    });
    const x = padSequences(sequences.map((steps) => steps.slice(0, -1)));
    const y = padSequences(sequences.map((steps) => steps.slice(1)));
    yield { x: x.values, y: y.values, mask: x.mask };
  }
}

const network = sequential(
  [lstm({ units, returnSequences: true }), dropout({ rate }), dense({ units: KEYS })],
  { seed },
);
const decaySteps = epochs * Math.ceil(pieces.train.length / BATCH);
network.compile({
  optimizer: { name: 'adam', learningRate: { name: 'cosineDecay', initialLearningRate: 0.01, decaySteps } },
  loss: { name: 'binaryCrossentropy', fromLogits: true }, // the mean over the keys
  clip: { globalNorm: 1 },
});
const random = new RandomStream(seed, 'chorales');
const { loss, validationLoss = [] } = await network.fit(
  (epoch: number) => batchesOf('train', random.child(epoch)),
  {
    validationData: [...batchesOf('valid', null)],
    ...{ epochs, seed },
  },
);
const natsPerStep = (meanOverKeys: number): string => (KEYS * meanOverKeys).toFixed(3);
const [last, lowest] = [validationLoss[epochs - 1], Math.min(...validationLoss)];
console.log(
  `training ${natsPerStep(loss[epochs - 1])}, validation ${natsPerStep(last)} (lowest ${natsPerStep(lowest)})`,
);
const { loss: testLoss } = await network.evaluate([...batchesOf('test', null)]);
console.log(`test: ${natsPerStep(testLoss)} nats per step`);
