// Every cell can be trained in several tasks, and its models predict the same after saving and loading.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { predict, RandomStream, tensor } from '@unroll/core';
import { makeTable } from '@unroll/data';
import {
  CELL_NAMES,
  cellNamed,
  forecast,
  panelFromTable,
  taskModelFromFiles,
  trainClassifier,
  trainLanguageModel,
  trainTagger,
  trainTranslator,
} from '@unroll/tasks';
import {
  CheckpointedTrainer,
  fitNetwork,
  makeHead,
  networkPlanOf,
  planForecast,
} from '@unroll/tasks/internal';
import { sentences as textOf } from '../generate/sentences.js';
import { sentences } from '../tag/sentences.js';
import { phraseTable } from '../translate/phrases.js';

const SMALL = { units: 4, embedding: 4, epochs: 1 } as const;
const steps = Array.from({ length: 80 }, (_, t) => t);
/** Random prices: a network that reads them is better than all baselines. */
const prices = Array.from(new RandomStream(1, 'prices').uniform(steps.length), (u) => Math.floor(5 * u));

describe('every cell', () => {
  for (const cell of CELL_NAMES) {
    test(`${cell} is trained, saved and loaded in five tasks`, async () => {
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
test('unknown cells are rejected', async () => {
  await assert.rejects(trainTagger(sentences(30), { cell: 'elman' as 'rnn' }), {
    code: 'value',
    message: /^trainTagger: cell must be "rnn", "lstm", .* or "peepholeLSTM", got "elman"/,
  });
});
test('weightDrop is rejected for a cell without recurrent weights', async () => {
  await assert.rejects(trainLanguageModel(textOf(60), { cell: 'minGRU', weightDrop: 0.2 }), {
    code: 'value',
    message: 'weightDrop must be 0, because minGRU has no recurrent weights, got 0.2.',
  });
});
test('a forecaster with layer normalisation reads the size of a single feature, not only its sign', async () => {
  const sold = steps.map((t) => 20 + 5 * (t % 4) + (t % 7));
  const table = makeTable({ source: 'shop', names: ['sold'], cells: [sold] });
  const panel = panelFromTable(table, { target: 'sold' });
  const plan = planForecast(panel, { horizon: 2 });
  const representation = plan.representations.find(({ hasUnsubtractedChannel }) => !hasUnsubtractedChannel)!;
  const run = fitNetwork(
    ...([panel, networkPlanOf(plan, representation), { cut: plan.cut }] as const),
    {
      ...{ cell: 'layerNormLSTM', units: 4, layers: 1, seed: 0, learningRate: 0.01 },
      ...{ head: makeHead('point', []), trainer: new CheckpointedTrainer(null) },
    },
    1,
  );
  let next = await run.next();
  while (!next.done) next = await run.next();
  const { model, encoder } = next.value;
  assert.equal(encoder.inputWidth, 1);
  const outputs = [1, 3].map(async (size) => {
    const values = Array.from({ length: plan.window }, (_, t) => (t % 2 ? size : -size));
    return (await predict(model, tensor(values, [1, plan.window, 1]))).data();
  });
  const [[first], [second]] = await Promise.all(outputs);
  assert.ok(Math.abs(first - second) > 1e-4, `${first}, ${second}`);
});
