// The evaluations of taggers, translators, language models and examples/chorales.ts for tools/quality.mjs, on real data with
// fixed splits.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseConll } from '@unroll/data';
import { trainLanguageModel, trainTagger, trainTranslator } from '@unroll/tasks';
import { textOf } from './quality-files.mjs';

/** Returns a function that trains a tagger and scores the test sentences once. @param metric name of the metric to return */
const tagging =
  ({ train, dev, test }, metric, options) =>
  async ({ folder, seed, onEvent }) => {
    const read = (file) => parseConll(textOf(join(folder, file)), { source: file });
    const run = await trainTagger(read(train), { ...options, validation: read(dev), seed, onEvent });
    const file = { source: test, text: textOf(join(folder, test)) };
    const { metrics } = await run.model.evaluate({ file });
    const { f1, sentenceF1 } = run.scores;
    return {
      ...{ value: metrics[metric], validation: metric === 'f1' ? f1 : sentenceF1 },
      epochs: run.trainings.map(({ bestEpoch }) => bestEpoch),
    };
  };

/** Trains a translator on Multi30k from German to English, and scores the test pairs once with beam search. */
async function multi30k({ folder, seed, onEvent }) {
  const side = (part, language) => {
    const source = `${part}.${language}.gz`;
    return { source, text: textOf(join(folder, source)) };
  };
  const pairs = (part) => ({ sourceFile: side(part, 'de'), targetFile: side(part, 'en') });
  const options = { lowercase: true, budget: 1200, validation: pairs('val') };
  const { model, scores, training } = await trainTranslator(pairs('train'), { ...options, seed, onEvent });
  const { sourceFile: file, targetFile: target } = pairs('test_2016_flickr');
  const { metrics } = await model.evaluate({ file, target });
  return { value: metrics.bleu, validation: scores.bleu, epochs: [training.bestEpoch] };
}

/** Returns a part of a text. @param from where the part begins, as a fraction of the characters @param to where it ends */
const partOf = (text, from, to) => {
  const characters = Array.from(text);
  const at = (fraction) => Math.round(fraction * characters.length);
  return characters.slice(at(from), at(to)).join('');
};

/** Removes the header and the licence from a book of Project Gutenberg. */
const bookOf = (text) => {
  const start = /^\*\*\* ?START OF TH.*$/m.exec(text);
  const end = text.search(/^\*\*\* ?END OF TH/m);
  return text.slice(start === null ? 0 : start.index + start[0].length, end < 0 ? undefined : end).trim();
};

/**
 * Returns a function that trains a character-level language model and scores the last part of the text once.
 * @param options.train end of the training text, as a fraction of the characters
 * @param options.validation end of the validation text, which follows the training text; undefined: the validation text is taken
 *   from the training text
 */
const language =
  (name, { prepare = (text) => text, train, validation, options = {} }) =>
  async ({ folder, seed, onEvent }) => {
    const text = prepare(textOf(join(folder, name)).replace(/\r\n/g, '\n'));
    const part = (from, to) => ({ source: name, text: partOf(text, from, to) });
    const given = validation && { validation: part(train, validation) };
    const run = await trainLanguageModel(part(0, train), { ...options, ...given, seed, onEvent });
    const { metrics } = await run.model.evaluate({ file: part(validation ?? train, 1) });
    return {
      ...{ value: metrics.nats_per_char, validation: run.scores.natsPerCharacter },
      epochs: [run.training.bestEpoch],
    };
  };

const CHORALES = fileURLToPath(new URL('../examples/dist/chorales.js', import.meta.url));

/** Runs the example with the chorales of Bach, which prints the scores of the validation set and, once, of the test set. */
async function chorales({ folder, seed }) {
  const args = [CHORALES, join(folder, 'jsb-chorales-quarter.json'), '--seed', String(seed)];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  const [, validation] = /validation (\S+)/.exec(stdout);
  const [, test] = /test: (\S+)/.exec(stdout);
  return { value: Number(test), validation: Number(validation), epochs: [] };
}

const F1 = { measure: 'F1 of entities', format: 'percent', flags: '--networks 1', split: 'as published' };
const ONE_NETWORK = { networks: 1 };
const NATS = { measure: 'nats per character', format: 'number', lower: true };

/** The evaluations. quality-results.mjs describes the fields. */
export const TEXTS = [
  {
    ...{ set: 'resume-ner-zh', title: 'Resume NER, Chinese, 8 types (BMES)', ...F1 },
    ...{ must: 0.915, want: 0.935, seeds: [0] },
    evaluate: tagging(
      { train: 'train.char.bmes.gz', dev: 'dev.char.bmes', test: 'test.char.bmes' },
      ...['f1', ONE_NETWORK],
    ),
  },
  {
    ...{ set: 'wnut17', title: 'WNUT 2017, emerging entities, 6 types (BIO)', ...F1 },
    ...{ must: 0.18, want: 0.25, seeds: [0] },
    evaluate: tagging(
      { train: 'wnut17train.conll', dev: 'emerging.dev.conll', test: 'emerging.test.annotated' },
      ...['f1', ONE_NETWORK],
    ),
  },
  {
    ...{ set: 'sentence-compression', title: 'Sentence compression, words to keep', ...F1 },
    ...{ measure: 'F1 of the kept words, mean over sentences', must: 0.76, want: 0.8, seeds: [0] },
    flags: '--scheme none --positive B-DEL --networks 1 --epochs 8',
    evaluate: tagging(
      {
        train: 'fillipova-train.conll.gz',
        ...{ dev: 'fillipova-dev.conll', test: 'fillipova-test.conll' },
      },
      ...['sentence_f1', { ...ONE_NETWORK, scheme: 'none', positive: 'B-DEL', epochs: 8 }],
    ),
  },
  {
    ...{ set: 'multi30k', folder: 'multi30k-en-de', title: 'Multi30k, German to English' },
    ...{ measure: 'BLEU, beam 5', format: 'number', must: 27, want: 32, seeds: [0] },
    ...{ flags: '--lowercase --budget 20m', split: 'as published; test_2016_flickr', evaluate: multi30k },
  },
  {
    ...{ set: 'tinyshakespeare', title: 'Tiny Shakespeare, characters', ...NATS },
    ...{ must: 1.48, want: 1.43, seeds: [0], flags: '' },
    split:
      'the last 10 % of the characters are for testing; ten pieces of the rest, together 5 % of it, are for validation',
    evaluate: language('input.txt.gz', { train: 0.9 }),
  },
  {
    ...{ set: 'war-and-peace', title: 'War and Peace, characters', ...NATS },
    ...{ must: 1.25, want: 1.15, seeds: [0], flags: '--budget 40m' },
    split:
      'without header and licence of Project Gutenberg; 80 % for training, the next 10 % for validation, the last 10 % for testing',
    evaluate: language('warandpeace.txt.gz', {
      ...{ prepare: bookOf, train: 0.8, validation: 0.9, options: { budget: 2400 } },
    }),
  },
  {
    ...{ set: 'jsb-chorales', title: 'Chorales of Bach, 88 notes (examples/chorales.ts)' },
    ...{ measure: 'nats per step', format: 'number', lower: true, must: 8.6, want: 8.4, seeds: [0] },
    ...{ flags: '', split: 'as published', evaluate: chorales },
  },
];
