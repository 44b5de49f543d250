// The evaluations of classifiers for tools/quality.mjs: trains with the defaults of `unroll train classify` on real data with fixed
// splits. Validation rows are those of the data set, or cut from the training rows; the test rows are scored once per run.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { decodeText, makeTable, parseCsv, parseJsonLines, parseTsFile } from '@unroll/data';
import { trainClassifier } from '@unroll/tasks';

const bytesOf = (path) => {
  const bytes = readFileSync(path);
  return path.endsWith('.gz') ? gunzipSync(bytes) : bytes;
};
const textOf = (path) => decodeText(bytesOf(path), path).text;

/** Returns the training, validation (if there are any) and test rows of a set of TSV files without a header. */
const tsv = (folder) => {
  const read = (name) =>
    parseCsv(textOf(join(folder, name)), { source: name, header: false, delimiter: '\t' });
  const validation = existsSync(join(folder, 'dev.tsv')) ? { validation: read('dev.tsv') } : {};
  return { train: read('train.tsv'), test: read('test.tsv'), ...validation };
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

/** Images of the test part of MNIST that are used for training; the others are for testing. */
const MNIST_TRAIN = 8000;
const SIDE = 28;

/** Returns the images of MNIST as sequences of rows (28 steps of 28 pixels) or of pixels (784 steps). */
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

const TEXT = { text: '1', label: '2' };
const TS = { sequence: 'sequence', label: 'label' };
const IMAGES = { sequence: 'image', label: 'digit' };

/** `folder` is the folder of the data, if its name differs from `set`. */
export const CLASSIFICATIONS = [
  { set: 'sst2', title: 'SST-2, sentences without pretrained vectors', read: tsv, columns: TEXT },
  {
    ...{ set: 'sst2-single', folder: 'sst2', title: 'SST-2 with one network', read: tsv },
    columns: { ...TEXT, networks: 1 },
  },
  {
    ...{ set: 'japanese-vowels', title: 'Japanese vowels, 9 speakers', columns: TS },
    read: tsFiles('JapaneseVowels'),
  },
  {
    ...{ set: 'basic-motions', title: 'BasicMotions, 4 activities', columns: TS },
    read: tsFiles('BasicMotions'),
  },
  {
    ...{ set: 'jhmdb-pose', title: 'J-HMDB poses, split 1, 14 actions' },
    columns: { sequence: 'pose', label: 'label' },
    read: jsonLines('split1-train.jsonl.gz', 'split1-test.jsonl.gz'),
  },
  {
    ...{ set: 'mnist-rows', folder: 'mnist-10k', title: 'MNIST by rows, 8,000 training images' },
    ...{ columns: IMAGES, read: mnist('rows') },
  },
  {
    ...{ set: 'mnist-pixels', folder: 'mnist-10k', title: 'MNIST by pixels, 8,000 training images' },
    ...{ columns: IMAGES, read: mnist('pixels') },
  },
];

/** Trains and scores. Returns the scores by table column, and the duration of the training. */
async function evaluate({ read, columns }, folder, seed, onEvent) {
  const start = performance.now();
  const { train, test, ...validation } = read(folder);
  const { model, scores, trainings } = await trainClassifier(train, {
    ...{ ...columns, ...validation, seed, onEvent },
  });
  const seconds = (performance.now() - start) / 1000;
  const { metrics } = await model.evaluate({ rows: test });
  const epochs = trainings.map(({ bestEpoch }) => bestEpoch).join(', ');
  return { accuracy: metrics.accuracy, f1: metrics.macro_f1, validation: scores.accuracy, epochs, seconds };
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** Runs an evaluation with each seed and prints a table like those of docs/classify.md. */
export async function printClassification(evaluation, data, seeds) {
  const { set, title, folder = set } = evaluation;
  console.log(`\n## ${set}: ${title}\n`);
  const path = join(data ?? '', folder);
  if (data === undefined || !existsSync(path)) {
    console.log(`Skipped: pass --data DIR with a subfolder ${folder} (see docs/quality.md).`);
    return;
  }
  console.log('| seed | test accuracy | test macro F1 | validation accuracy | epochs | seconds |');
  console.log('|---|---:|---:|---:|---|---:|');
  const results = [];
  for (const seed of seeds) {
    const onEvent = (event) => {
      if (event.event !== 'epoch') return;
      const accuracy = percent(event.validationMetrics.accuracy);
      console.error(
        `${set}, seed ${seed}, training ${event.training}, epoch ${event.epoch}, validation ${accuracy}`,
      );
    };
    const result = await evaluate(evaluation, path, seed, onEvent);
    results.push(result);
    const { accuracy, f1, validation, epochs, seconds } = result;
    console.log(
      `| ${seed} | ${percent(accuracy)} | ${percent(f1)} | ${percent(validation)} | ${epochs} | ${seconds.toFixed(0)} |`,
    );
  }
  const mean = (key) => percent(results.reduce((sum, result) => sum + result[key], 0) / results.length);
  if (results.length > 1)
    console.log(`| **mean** | **${mean('accuracy')}** | ${mean('f1')} | ${mean('validation')} | | |`);
}
