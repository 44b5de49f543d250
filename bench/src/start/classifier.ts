/**
 * The text classifier in `npm run bench:start`: `unroll predict <model> -` in new processes, and predictions in this process.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setThreads } from 'unrolljs';
import { type ClassifyModel, makeTable, trainClassifier } from 'unrolljs/classify';

/** Sizes of the generated texts, as in SST-2: 19 words per text, and 7,000 different words that occur at least twice. */
const WORDS = 7000;
const LENGTH = 19;
const TEXTS = 2000;
const COMMAND = fileURLToPath(new URL('../../../packages/unrolljs/bin/unroll.js', import.meta.url));

/** Returns text n. The numbers of its words are multiples of a prime, so all words occur in the texts. */
const textOf = (n: number): string =>
  Array.from({ length: LENGTH }, (_, i) => wordOf((n * LENGTH + i) * 7919)).join(' ');

/** Returns a word of letters only, which the tokenizer does not split. */
const wordOf = (n: number): string =>
  Array.from(String(n % WORDS), (digit) => String.fromCharCode(97 + Number(digit))).join('');

/** Trains a classifier with the default sizes for one epoch. */
async function trainedModel(networks: number): Promise<ClassifyModel> {
  const texts = Array.from({ length: TEXTS }, (_, n) => textOf(n));
  const cells = [texts, texts.map((_, n) => (n % 2 === 0 ? 'no' : 'yes'))];
  const table = makeTable({ source: 'texts', names: ['text', 'label'], cells });
  const { model } = await trainClassifier(table, { text: 'text', label: 'label', networks, epochs: 1 });
  return model;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Returns the duration of a call in milliseconds. */
async function timeOf(task: () => unknown): Promise<number> {
  const start = performance.now();
  await task();
  return performance.now() - start;
}

/** Starts `unroll predict <model> -` with one line of input. */
function predictOnce(folder: string, input: string): void {
  const env = { ...process.env, UNROLL_THREADS: '1' };
  const { status, stderr } = spawnSync(process.execPath, [COMMAND, 'predict', folder, '-'], { input, env });
  if (status !== 0) throw new Error(String(stderr));
}

/**
 * Prints the times of two classifiers as a Markdown table: an n-gram model with one network, and one with three (the default).
 * @param rounds number of processes
 */
export async function printClassifiers(parent: string, rounds: number): Promise<void> {
  console.log(
    '\n| text classifier | start to first label (`unroll predict -`), ms | one text, ms | texts/s |\n| --- | ---: | ---: | ---: |',
  );
  setThreads(1);
  const texts = Array.from({ length: TEXTS }, (_, n) => textOf(n));
  for (const networks of [1, 3]) {
    const model = await trainedModel(networks);
    const folder = join(parent, `classifier-${networks}`);
    mkdirSync(folder);
    for (const [name, bytes] of await model.toFiles()) writeFileSync(join(folder, name), bytes);
    const starts: number[] = [];
    const singles: number[] = [];
    for (let n = 0; n < rounds; n++) starts.push(await timeOf(() => predictOnce(folder, `${textOf(n)}\n`)));
    for (let n = 0; n < 50; n++) singles.push(await timeOf(() => model.predict({ texts: [textOf(n)] })));
    const many: number[] = [];
    for (let n = 0; n < 5; n++) many.push(await timeOf(() => model.predict({ texts })));
    const perSecond = (1000 * TEXTS) / median(many);
    const name = networks === 1 ? '1 network, n-grams' : `${networks} networks, n-grams (default)`;
    console.log(
      `| ${name} | ${median(starts).toFixed(0)} | ${median(singles).toFixed(2)} | ${perSecond.toFixed(0)} |`,
    );
  }
}
