// Every cell trains in every task, and its model predicts the same after saving and loading.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable } from '@unroll/data';
import {
  CELL_NAMES,
  cellNamed,
  forecast,
  taskModelFromFiles,
  trainClassifier,
  trainLanguageModel,
  trainTagger,
  trainTranslator,
} from '@unroll/tasks';
import { sentences as textOf } from '../generate/sentences.js';
import { sentences } from '../tag/sentences.js';
import { phraseTable } from '../translate/phrases.js';

const SMALL = { units: 4, embedding: 4, epochs: 1 } as const;
const steps = Array.from({ length: 80 }, (_, t) => t);
/** Without a pattern, so that a network that reads them is better than all baselines. */
const prices = Array.from(new RandomStream(1, 'prices').uniform(steps.length), (u) => Math.floor(5 * u));

describe('every cell', () => {
  for (const cell of CELL_NAMES) {
    test(`${cell} in all tasks`, async () => {
      const texts = makeTable({
        ...{ source: 'films', names: ['text', 'label'] },
        cells: [steps.map((t) => `a ${t % 2 ? 'good' : 'bad'} film`), steps.map((t) => `${t % 2}`)],
      });
      const series = makeTable({
        ...{ source: 'shop', names: ['price', 'sold'] },
        cells: [prices, prices.map((price, t) => (t < 78 ? 20 + 8 * price : null))],
      });
      /** The class of the cell, or of its layer, in the config of a network. */
      const name = new RegExp(`"className":"(simple)?${cell}(cell)?"`, 'i');
      const language = { ...SMALL, cell, layers: 2, streams: 4, steps: 16 };
      const models = [
        await trainClassifier(texts, { text: 'text', label: 'label', cell, ...SMALL, networks: 1 }),
        await trainTagger(sentences(30), { cell, ...SMALL, networks: 1, layers: 2 }),
        await trainTranslator(
          { table: phraseTable(30) },
          { source: 'de', target: 'en', level: 'words', cell, ...SMALL, layers: 2 },
        ),
        await trainLanguageModel(textOf(60), language),
        await forecast(series, {
          ...{ target: 'sold', future: ['price'], cells: [cell], horizon: 2, season: 4 },
          ...{ units: 8, epochs: 30, baselines: [] },
        }),
      ].map(({ model }) => model);
      for (const model of models) {
        const loaded = taskModelFromFiles(await model.toFiles());
        const input = model.format.includes('forecast') ? undefined : 'a good film';
        assert.deepEqual(await loaded.pipe?.(input), await model.pipe(input as never), model.format);
        assert.match(JSON.stringify(model.network?.config), name, model.format);
      }
    });
  }
});

test('cells are found by their names in any case, with or without hyphens', () => {
  assert.equal(cellNamed('layer-norm-lstm'), 'layerNormLSTM');
  assert.equal(cellNamed('MINGRU'), 'minGRU');
  assert.equal(cellNamed('elman'), undefined);
});
test('unknown cells are refused', async () => {
  await assert.rejects(trainTagger(sentences(30), { cell: 'elman' as 'rnn' }), {
    code: 'value',
    message: /^trainTagger: cell must be "rnn", "lstm", .* or "peepholeLSTM", got "elman"/,
  });
});
test('weights that a cell does not have are not dropped', async () => {
  await assert.rejects(trainLanguageModel(textOf(60), { cell: 'minGRU', weightDrop: 0.2 }), {
    code: 'value',
    message: 'weightDrop must be 0, because minGRU has no recurrent weights, got 0.2.',
  });
});
