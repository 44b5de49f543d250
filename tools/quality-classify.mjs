// The evaluations of classifiers for tools/quality.mjs: `unroll train classify` on real data with fixed splits.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { makeTable, parseCsv, parseJsonLines, parseTsFile } from '@unroll/data';
import { trainClassifier } from '@unroll/tasks';
import { bytesOf, textOf } from './quality-files.mjs';

/** Returns a function that reads the TSV files of a folder: training, test and, if there is a file dev.tsv, validation rows. */
const tsv = (header) => (folder) => {
  const read = (name) => parseCsv(textOf(join(folder, name)), { source: name, header, delimiter: '\t' });
  const train = existsSync(join(folder, 'train.tsv')) ? 'train.tsv' : 'train.tsv.gz';
  const validation = existsSync(join(folder, 'dev.tsv')) ? { validation: read('dev.tsv') } : {};
  return { train: read(train), test: read('test.tsv'), ...validation };
};

const tsFiles = (name) => (folder) => {
  const [train, test] = ['TRAIN', 'TEST'].map((part) => {
    const file = `${name}_${part}.ts`;
    return parseTsFile(textOf(join(folder, file)), { source: file });
  });
  return { train, test };
};

const jsonLines = (trainFile, testFile) => (folder) => {
  const [train, test] = [trainFile, testFile].map((file) =>
    parseJsonLines(textOf(join(folder, file)), { source: file }),
  );
  return { train, test };
};

/** Number of images of MNIST's test set that are used for training; the others are for testing. */
const MNIST_TRAIN = 8000;
const SIDE = 28;

/** Returns a function that reads the images of MNIST as sequences of rows (28 steps of 28 pixels) or of pixels (784 steps). */
const mnist = (by) => (folder) => {
  const images = bytesOf(join(folder, 't10k-images-idx3-ubyte.gz')).subarray(16); // after the IDX header
  const digits = bytesOf(join(folder, 't10k-labels-idx1-ubyte.gz')).subarray(8);
  const size = SIDE * SIDE;
  const imageOf = (i) => {
    const pixels = Array.from(images.subarray(i * size, (i + 1) * size));
    if (by === 'pixels') return pixels;
    return Array.from({ length: SIDE }, (_, row) => pixels.slice(row * SIDE, (row + 1) * SIDE));
  };
  const tableOf = (source, from, to) => {
    const rows = Array.from({ length: to - from }, (_, n) => from + n);
    return makeTable({
      ...{ source, names: ['image', 'digit'] },
      cells: [rows.map(() => undefined), rows.map((i) => digits[i])],
      nested: new Map([['image', rows.map(imageOf)]]),
    });
  };
  return {
    train: tableOf('MNIST, training', 0, MNIST_TRAIN),
    test: tableOf('MNIST, test', MNIST_TRAIN, digits.length),
  };
};

/** Returns a function that trains on the data that `read` returns, and scores the test rows once. */
const evaluateWith =
  (read, options) =>
  async ({ folder, seed, onEvent }) => {
    const { train, test, ...validation } = read(folder);
    const run = await trainClassifier(train, { ...options, ...validation, seed, onEvent });
    const { metrics } = await run.model.evaluate({ rows: test });
    return {
      ...{ value: metrics.accuracy, validation: run.scores.accuracy },
      epochs: run.trainings.map(({ bestEpoch }) => bestEpoch),
    };
  };

const ACCURACY = { measure: 'accuracy', format: 'percent' };
const TSV = { text: '1', label: '2' };
const TS = { sequence: 'sequence', label: 'label' };
const IMAGES = { sequence: 'image', label: 'digit' };
const POSES = { sequence: 'pose', label: 'label' };
const RANDOM_VALIDATION = 'the validation rows are drawn at random from the training rows of each label';
const NO_HEADER = '--no-header --text 1 --label 2';
/** Only the images of MNIST's test set (t10k) are used, because its training set is not in the data folder. */
const MNIST = `images 1 to 8,000 of t10k are for training, 8,001 to 10,000 for testing; ${RANDOM_VALIDATION}`;

/** The evaluations. quality-results.mjs describes the fields. */
export const CLASSIFICATIONS = [
  {
    ...{ set: 'sst2', title: 'SST-2, sentiment of film reviews, without pretrained vectors', ...ACCURACY },
    ...{ must: 0.82, want: 0.845, seeds: [0, 1, 2], flags: NO_HEADER },
    ...{ split: 'as published', evaluate: evaluateWith(tsv(false), TSV) },
  },
  {
    ...{ set: 'sst2-single', folder: 'sst2', title: 'SST-2 with one network', ...ACCURACY },
    ...{ seeds: [0, 1, 2], flags: `${NO_HEADER} --networks 1` },
    ...{ split: 'as published', evaluate: evaluateWith(tsv(false), { ...TSV, networks: 1 }) },
  },
  {
    ...{ set: 'chnsenticorp', title: 'ChnSentiCorp, sentiment of Chinese reviews', ...ACCURACY },
    ...{ must: 0.88, want: 0.9, seeds: [0, 1, 2], flags: '--text text_a --label label --networks 1' },
    split: 'as published',
    evaluate: evaluateWith(tsv(true), { text: 'text_a', label: 'label', networks: 1 }),
  },
  {
    ...{ set: 'japanese-vowels', title: 'Japanese vowels, 9 speakers', ...ACCURACY },
    ...{ must: 0.96, want: 0.98, seeds: [0, 1, 2, 3, 4], flags: '--label label' },
    ...{ split: RANDOM_VALIDATION, evaluate: evaluateWith(tsFiles('JapaneseVowels'), TS) },
  },
  {
    ...{ set: 'basic-motions', title: 'BasicMotions, 4 activities', ...ACCURACY },
    ...{ must: 0.95, want: 1, seeds: [0, 1, 2, 3, 4], flags: '--label label' },
    ...{ split: RANDOM_VALIDATION, evaluate: evaluateWith(tsFiles('BasicMotions'), TS) },
  },
  {
    ...{ set: 'mnist-rows', folder: 'mnist-10k', title: 'MNIST by rows, 28 steps', ...ACCURACY },
    ...{ must: 0.96, want: 0.98, seeds: [0], flags: '--sequence image --label digit --networks 1' },
    ...{ split: MNIST, evaluate: evaluateWith(mnist('rows'), { ...IMAGES, networks: 1 }) },
  },
  {
    ...{ set: 'mnist-pixels', folder: 'mnist-10k', title: 'MNIST by pixels, 784 steps', ...ACCURACY },
    ...{ must: 0.8, want: 0.92, seeds: [0] },
    // No convolutions: their pooling would reduce the 784 steps to 196, but the recurrent layer is to process all of them.
    flags: '--sequence image --label digit --networks 1 --filters 0 --learning-rate 0.003 --budget 40m',
    split: MNIST,
    evaluate: evaluateWith(mnist('pixels'), {
      ...{ ...IMAGES, networks: 1, filters: 0, learningRate: 0.003, budget: 2400 },
    }),
  },
  {
    ...{ set: 'jhmdb-pose', title: 'J-HMDB poses, 14 actions', ...ACCURACY },
    ...{ must: 0.65, want: 0.75, seeds: [0, 1, 2], flags: '--sequence pose --label label' },
    split: `split 1; ${RANDOM_VALIDATION}`,
    evaluate: evaluateWith(jsonLines('split1-train.jsonl.gz', 'split1-test.jsonl.gz'), POSES),
  },
];
