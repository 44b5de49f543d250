/**
 * Tests the parts of the studio that need no page: problems, training, the values for the views, opened files, texts and settings.
 * A lane is one of the cells that train side by side, and a look is a kind of values that a view shows, such as a trace.
 * All tests are in one file, because the parts are small and most tests train on the same data.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Recurrent } from '@unroll/nn';
import {
  activeUnits,
  answer,
  arithmeticOf,
  CELLS,
  Curve,
  compareAblation,
  curvesOf,
  DEFAULTS,
  describeFiles,
  en,
  forecastErrors,
  formatNumber,
  fromFragment,
  generate,
  Lane,
  lookAt,
  MESSAGES,
  numericColumns,
  OpenedFiles,
  PRESETS,
  paintHeat,
  problemOf,
  rowsOf,
  SAMPLE_LINES,
  SAMPLE_TEXT,
  scoresOf,
  smooth,
  softmaxOf,
  toFragment,
  traceOf,
  unitOrder,
  zh,
} from '@unroll/studio/internal';

const DATA = {
  text: SAMPLE_TEXT,
  lines: SAMPLE_LINES,
  column: { name: 'wave', values: Float64Array.from({ length: 200 }, (_, t) => Math.sin(t / 3)) },
};
const SMALL = { units: 5, length: 8, layers: 2, batch: 4 } as const;

test('files that would exceed the limit of the total size are not read, but listed as omitted', async () => {
  const opened = new OpenedFiles(10);
  for (const [path, size] of [['a', 4], ['b', 7], ['c', 6], ['d', 1]] as const) // biome-ignore format: a list
    await opened.add(path, new File([new Uint8Array(size)], path));
  assert.deepEqual([...opened.files.keys()], ['a', 'c']);
  assert.deepEqual(opened.omitted, ['b', 'd']);
});

test('the graph of a sequential model has one row per layer; parallel branches share rows', () => {
  const layer = (name: string, ...from: string[]) => ({ name, from });
  const names = (layers: { name: string; from: string[] }[]): string[][] =>
    rowsOf(layers).map((row) => row.map(({ name }) => name));
  assert.deepEqual(names([layer('a'), layer('b'), layer('c')]), [['a'], ['b'], ['c']]);
  const branched = [
    layer('x'),
    layer('y'),
    layer('a', 'x'),
    layer('b', 'y'),
    layer('c', 'a'),
    layer('d', 'b', 'c'),
  ];
  assert.deepEqual(names(branched), [['x', 'y'], ['a', 'b'], ['c'], ['d']]);
});

test('the Chinese texts contain Chinese, all placeholders of the English ones, and no English but names', () => {
  const names =
    /^(RNN|LSTM|GRU|minGRU|CSV|JSON|NDJSON|SVG|WebAssembly|Unroll|Keras|PyTorch|ONNX|Dropout|Glorot|Chrono|Shift|Tab|Worker|ln|kB|MiB|zip|unroll|unrolljs)$/;
  const placeholders = (text: string): string[] => (text.match(/\{\w+(?=(?:\|\w+)?\})/g) ?? []).sort();
  const pairs: [string, string, string][] = [
    ...Object.entries(en).map(([key, text]): [string, string, string] => [
      key,
      text,
      zh[key as keyof typeof en],
    ]),
    ...Object.entries(MESSAGES).map(([key, text]): [string, string, string] => [key, text.en, text.zh]),
  ];
  for (const [key, english, chinese] of pairs) {
    assert.deepEqual(placeholders(chinese), placeholders(english), key);
    const words = chinese.replace(/\{\w+\}/g, '').match(/[A-Za-z]{2,}/g) ?? [];
    assert.deepEqual(
      words.filter((word) => !names.test(word)),
      [],
      key,
    );
    if (/[A-Za-z]{3}/.test(english.replace(/\{\w+(\|\w+)?\}/g, '')))
      assert.match(chinese, /\p{Script=Han}/u, key);
  }
});

describe('problems', () => {
  for (const preset of PRESETS) {
    test(`${preset}: every cell trains, and the values for every view are computed`, async () => {
      const settings = { ...DEFAULTS[preset], ...SMALL, cells: CELLS };
      const problem = problemOf(settings, DATA);
      const losses: number[] = [];
      for (const cell of CELLS) {
        const lane = new Lane(problem, cell, settings);
        for (let n = 0; n < 3; n++) await lane.step();
        assert.equal(lane.stopped, null, `${cell}: ${JSON.stringify(lane.stopped)}`);
        const { update, loss } = lane.takePoints();
        assert.deepEqual(update, [1, 2, 3]);
        losses.push(loss[0]);
        const looks = [
          'trace',
          'flow',
          'lossFlow',
          'predictions',
          'saturation',
          'influence',
          'projection',
        ] as const;
        const values = await lookAt(lane, problem, { looks, cells: [cell], example: 1, step: 3 });
        for (const look of looks) assert.ok(values[look], `${cell}: ${look}`);
        assert.ok(Number.isFinite(values.predictions?.loss), `${cell}: loss`);
      }
      assert.equal(new Set(losses).size, CELLS.length);
    });
  }

  test('the same seed gives the same losses, and another seed gives other losses', async () => {
    const lossesOf = async (seed: number): Promise<number[]> => {
      const settings = { ...DEFAULTS.adding, ...SMALL, seed };
      const lane = new Lane(problemOf(settings, DATA), 'gru', settings);
      for (let n = 0; n < 4; n++) await lane.step();
      return lane.takePoints().loss;
    };
    assert.deepEqual(await lossesOf(1), await lossesOf(1));
    assert.notDeepEqual(await lossesOf(1), await lossesOf(2));
  });

  test('the values for every view are computed for a network of one unit', async () => {
    const settings = { ...DEFAULTS.adding, ...SMALL, units: 1, layers: 1 };
    const problem = problemOf(settings, DATA);
    const looks = [
      'trace',
      'flow',
      'lossFlow',
      'predictions',
      'saturation',
      'influence',
      'projection',
    ] as const;
    const lane = new Lane(problem, 'lstm', settings);
    const { projection } = await lookAt(lane, problem, { looks, cells: ['lstm'], example: 0, step: -1 });
    assert.equal(projection?.points.length, 2 * projection!.indices.length * problem.steps);
  });

  test('before a step is selected, the influence is that on the last output', async () => {
    const settings = { ...DEFAULTS.characters, ...SMALL };
    const problem = problemOf(settings, DATA);
    const lane = new Lane(problem, 'lstm', settings);
    const stepOf = async (step: number) =>
      (await lookAt(lane, problem, { looks: ['influence'], cells: ['lstm'], example: 0, step })).influence
        ?.step;
    assert.deepEqual([problem.perStep, problem.steps], [true, 8]);
    assert.deepEqual([await stepOf(-1), await stepOf(0), await stepOf(3)], [7, 0, 3]);
  });

  test('a new learning rate or clipping keeps the number of updates, the order of batches and the moments', async () => {
    const settings = { ...DEFAULTS.adding, ...SMALL };
    const problem = problemOf(settings, DATA);
    const [changed, steady] = [new Lane(problem, 'gru', settings), new Lane(problem, 'gru', settings)];
    for (let n = 0; n < 3; n++) await changed.step();
    changed.setLearningRateAndClipping(settings.learningRate, settings.clip);
    for (let n = 0; n < 3; n++) await changed.step();
    for (let n = 0; n < 6; n++) await steady.step();
    assert.deepEqual(changed.takePoints().loss, steady.takePoints().loss);
  });

  test('a loss that is not finite stops the training of a cell, and the error is stored', async () => {
    const settings = { ...DEFAULTS.sine, ...SMALL, learningRate: 1, clip: 0, init: 'large' } as const;
    const problem = problemOf(settings, DATA);
    const lane = new Lane(
      {
        ...problem,
        batch: (...args) => ({ ...problem.batch(...args), y: Float32Array.of(1e30, 1e30, 1e30, 1e30) }),
      },
      'rnn',
      settings,
    );
    for (let n = 0; n < 10 && lane.stopped === null; n++) await lane.step();
    assert.match(JSON.stringify(lane.stopped), /"code":"\w+".*not finite/);
  });

  test('the adding problem: the target is the sum of the two marked numbers, one in each half', () => {
    const { examples, steps } = problemOf({ ...DEFAULTS.adding, length: 12 }, DATA);
    for (let n = 0; n < examples.count; n++) {
      const rows = Array.from({ length: steps }, (_, t) =>
        examples.x.subarray(2 * (n * steps + t), 2 * (n * steps + t) + 2),
      );
      const marked = rows.flatMap(([value, mark], t) => (mark === 1 ? [{ value, t }] : []));
      assert.equal(marked.length, 2);
      assert.ok(marked[0].t < 6 && marked[1].t >= 6);
      assert.ok(Math.abs(examples.y[n] - marked[0].value - marked[1].value) < 1e-6);
    }
  });

  test('reversed strings: at each step, the decoder reads the previous target', () => {
    const { examples, steps } = problemOf({ ...DEFAULTS.reverse, length: 5 }, DATA);
    const rowOf = (array: Float32Array, n: number): number[] => [
      ...array.subarray(n * steps, (n + 1) * steps),
    ];
    for (let n = 0; n < examples.count; n++) {
      const target = rowOf(examples.y, n);
      assert.deepEqual(target, rowOf(examples.x, n).reverse());
      assert.deepEqual(rowOf(examples.previous!, n), [8, ...target.slice(0, -1)]);
    }
    assert.throws(() => problemOf({ ...DEFAULTS.reverse, length: 49 }, DATA), /at most 48, got 49/);
  });

  test('the decoder with attention has the dropout and the initialisation of the settings', () => {
    const settings = { ...DEFAULTS.reverse, ...SMALL, dropout: 0.25, init: 'chrono' } as const;
    for (const cell of CELLS) {
      const { network } = new Lane(problemOf(settings, DATA), cell, settings);
      const decoder = network.sublayers.find(({ name }) => name === 'decoder') as Recurrent;
      const { config } = decoder.cell.cells![0];
      assert.equal(config.dropout, 0.25);
      assert.equal(config.recurrentDropout, cell === 'minGru' ? undefined : 0.25);
      assert.equal(config.biasInitializer !== undefined, cell === 'lstm' || cell === 'gru', cell);
    }
  });

  test('attention moves from the last letter to the first; figures, an ablation and the artifact are created', async () => {
    const settings = DEFAULTS.reverse;
    const problem = problemOf(settings, DATA);
    const lane = new Lane(problem, 'lstm', settings);
    for (let n = 0; n < 500; n++) await lane.step();
    const [encoder, decoder] = await traceOf(lane, problem, 0);
    assert.equal(encoder.alignment, null);
    assert.deepEqual(Object.keys(decoder.gates).sort(), ['f', 'g', 'i', 'o'], 'gates have a value per unit');
    const { steps } = problem;
    const rows = Array.from({ length: steps }, (_, t) =>
      decoder.alignment!.subarray(steps * t, steps * (t + 1)),
    );
    for (const row of rows) assert.ok(Math.abs(row.reduce((sum, weight) => sum + weight, 0) - 1) < 1e-5);
    const most = rows.map((row) => row.indexOf(Math.max(...row)));
    const correct = most.filter((step, t) => Math.abs(step - (steps - 1 - t)) <= 1).length;
    assert.ok(correct >= 6, `the decoder reads ${most}`);
    for (const [layer, figure] of [
      [0, 'gates'],
      [1, 'gates'],
      [1, 'unrolled'],
    ] as const) {
      const question = {
        about: 'figure',
        cell: 'lstm',
        figure,
        layer,
        example: 0,
        from: 0,
        texts: [],
      } as const;
      assert.match(String(await answer(question, problem, [lane])), /^<svg/);
    }
    const ablation = { layer: 'decoder', units: [0, 1, 2], gate: null, value: 0 };
    const { before, after } = await compareAblation(lane, problem, { ablation, example: 0 });
    assert.notEqual(before.loss, after.loss);
    const zip = await answer({ about: 'artifact', cell: 'lstm' }, problem, [lane]);
    const files = new Map([['model.zip', zip as Uint8Array]]);
    const { models, errors } = await describeFiles(files);
    assert.deepEqual(errors, []);
    assert.ok(models[0].tensors.some(({ name }) => name === 'decoder/attention/query_kernel'));
  });

  test('files beside the config.json of another tool are not skipped', async () => {
    const config = new TextEncoder().encode('{"architectures":["BertModel"]}');
    const names = ['net.onnx', 'net.keras', 'net.h5', 'net.pt', 'other.safetensors', 'model.safetensors'];
    const files = new Map(['config.json', ...names].map((name) => [`hub/${name}`, config]));
    const { models, errors } = await describeFiles(files);
    assert.deepEqual(models, []);
    assert.deepEqual(
      errors.map(({ path }) => path),
      ['hub', ...names.slice(0, -1).map((name) => `hub/${name}`)],
    );
  });

  test('the classifier of lines generalises to held-out lines', async () => {
    const settings = { ...DEFAULTS.sentiment, batch: 16 };
    const problem = problemOf(settings, DATA);
    const lane = new Lane(problem, 'gru', settings);
    for (let n = 0; n < 150; n++) await lane.step();
    const { predictions } = await lookAt(lane, problem, {
      looks: ['predictions'],
      cells: ['gru'],
      example: 0,
      step: -1,
    });
    assert.ok((predictions?.accuracy ?? 0) > 0.7, `accuracy ${predictions?.accuracy}`);
  });

  test('data that do not fit the settings are rejected with the reason', () => {
    const problem = (preset: 'characters' | 'sentiment' | 'csv', data: Partial<typeof DATA>) => () =>
      problemOf(DEFAULTS[preset], { ...DATA, ...data });
    assert.throws(
      problem('characters', { text: 'short' }),
      /The text has 5 characters; a length of 40 steps needs at least 60/,
    );
    assert.throws(
      problem('sentiment', { lines: 'a: b\n'.repeat(12) }),
      /2 to 20 labels, got 12 lines with 1 label\./,
    );
    assert.throws(
      problem('csv', { column: { name: 'x', values: new Float64Array(20) } }),
      /x has 20 values; a length of 24 steps needs at least 42/,
    );
  });

  test('CSV: columns of numbers are found with or without a header, with quoted cells, semicolons and gaps', () => {
    const rows = Array.from({ length: 30 }, (_, t) => `"a, b";${t === 4 ? '' : t};x`).join('\n');
    assert.deepEqual(
      numericColumns(`name;"value; x";other\n${rows}`).map(({ name }) => name),
      ['value; x'],
    );
    const [column] = numericColumns(`n;v;o\n${rows}`);
    assert.deepEqual([...column.values.subarray(2, 6)], [2, 3, 3, 5]);
    assert.equal(numericColumns(Array.from({ length: 25 }, (_, t) => `${t}`).join('\n'))[0].name, 'column 1');
    assert.throws(
      () => numericColumns('a,b\nx,y\n'),
      /needs a column with at least 20 numbers, .*, got 1 row without/,
    );
  });
});

describe('arithmetic', () => {
  for (const cell of CELLS) {
    test(`${cell}: the equations with the values substituted give the traced gates and states`, async () => {
      const settings = { ...DEFAULTS.copy, ...SMALL, cells: [cell] };
      const problem = problemOf(settings, DATA);
      const lane = new Lane(problem, cell, settings);
      for (let n = 0; n < 5; n++) await lane.step();
      for (const layer of await traceOf(lane, problem, 2)) {
        const arrays = { ...layer.gates, ...layer.states };
        for (let step = 0; step < problem.steps; step++) {
          for (let unit = 0; unit < layer.units; unit++) {
            const equations = arithmeticOf(layer, unit, step);
            assert.ok(equations.some(({ name }) => name === 'h'));
            for (const { name, value } of equations) {
              const traced = arrays[name][step * layer.units + unit];
              assert.ok(Math.abs(value - traced) < 1e-5, `${name} ${value}, traced ${traced}`);
            }
          }
        }
      }
    });
  }
});

describe('answers of the worker to the page', () => {
  const settings = { ...DEFAULTS.characters, ...SMALL, layers: 1 };
  const problem = problemOf(settings, DATA);
  const lane = new Lane(problem, 'lstm', settings);

  test('generate continues a prompt with characters of the text, the same for the same seed', async () => {
    const request = { prompt: 'the ', count: 30, temperature: 1, seed: 1 };
    const text = await generate(lane.network, problem, request);
    assert.ok(text.startsWith('the ') && [...text].length === 34);
    assert.ok([...text].every((character) => SAMPLE_TEXT.includes(character)));
    assert.equal(await generate(lane.network, problem, request), text);
    assert.notEqual(await generate(lane.network, problem, { ...request, seed: 2 }), text);
  });
  test('generate needs a network that predicts its next input', async () => {
    const copy = problemOf({ ...DEFAULTS.copy, ...SMALL }, DATA);
    const other = new Lane(copy, 'gru', { ...DEFAULTS.copy, ...SMALL });
    const question = {
      about: 'generate',
      cell: 'gru',
      prompt: '',
      count: 1,
      temperature: 1,
      seed: 0,
    } as const;
    await assert.rejects(answer(question, copy, [other]), /does not predict its next input/);
  });
  test('an ablation changes the outputs, and leaves the network as it was', async () => {
    const question = { ablation: { layer: 'lstm1', units: [0, 1], gate: null, value: 0 }, example: 0 };
    const { before, after } = await compareAblation(lane, problem, question);
    assert.notDeepEqual(after.outputs, before.outputs);
    assert.deepEqual((await compareAblation(lane, problem, question)).before.outputs, before.outputs);
  });
  test('the layers of an artifact are described, and a damaged one is reported', async () => {
    const zip = (await answer({ about: 'artifact', cell: 'lstm' }, problem, [lane])) as Uint8Array;
    const found = (await answer(
      {
        about: 'files',
        files: new Map([
          ['a.zip', zip],
          ['b.zip', zip.subarray(9)],
        ]),
      },
      null,
      [],
    )) as {
      models: { layers: { className: string }[] }[];
      errors: { path: string; error: object }[];
    };
    assert.deepEqual(
      found.models[0].layers.map(({ className }) => className),
      ['Embedding', 'LSTM', 'Dense'],
    );
    assert.equal(found.errors[0].path, 'b.zip');
  });
});

describe('views', () => {
  test('units are ordered by index, mean, peak or similarity', () => {
    // Three units, four steps: [T, H].
    const values = Float32Array.of(0, 9, 0.1, 0, 9, 5, 7, 9, 0, 0, 9, 0);
    assert.deepEqual(unitOrder(values, 4, 3, 'index'), [0, 1, 2]);
    assert.deepEqual(unitOrder(values, 4, 3, 'mean'), [1, 0, 2]);
    assert.deepEqual(unitOrder(values, 4, 3, 'peak'), [1, 2, 0]);
    assert.deepEqual(unitOrder(values, 4, 3, 'cluster').sort(), [0, 1, 2]);
  });
  test('the order by similarity puts similar units next to each other', () => {
    const rows = [
      [0, 1, 0, 1],
      [1, 0, 1, 0],
      [0, 1, 0, 0.9],
      [0.9, 0, 1, 0],
    ];
    const values = Float32Array.from([0, 1, 2, 3].flatMap((t) => rows.map((row) => row[t])));
    const order = unitOrder(values, 4, 4, 'cluster');
    assert.equal(Math.abs(order.indexOf(0) - order.indexOf(2)), 1);
    assert.equal(Math.abs(order.indexOf(1) - order.indexOf(3)), 1);
  });
  test('activeUnits returns units active in a whole range; by default, these must be inactive right before and after it', () => {
    const values = Float32Array.from(
      [
        [0, 1, 1],
        [1, 1, 0],
        [-1, 1, 1],
        [0, 1, 0],
      ].flat(),
    );
    assert.deepEqual(activeUnits(values, 4, 3, [1, 2], 0.5), [0]);
    assert.deepEqual(activeUnits(values, 4, 3, [1, 2], 0.5, true), [0, 1]);
  });
  test('a heat map follows the order of the units, and blanks padding and values below the threshold', () => {
    const colors = Uint32Array.from({ length: 256 }, (_, i) => i);
    const pixels = new Uint32Array(4);
    const heat = { values: Float32Array.of(0, 1, 0.5, -3), steps: 2, units: 2, low: 0, high: 1 };
    paintHeat({ ...heat, order: [1, 0], threshold: 0 }, colors, 999, pixels);
    assert.deepEqual([...pixels], [255, 0, 0, 128]);
    paintHeat({ ...heat, order: [1, 0], threshold: 0, validSteps: 1 }, colors, 999, pixels);
    for (const row of [0, 1])
      assert.deepEqual(
        [...pixels.subarray(row * heat.steps + 1, (row + 1) * heat.steps)],
        new Array(heat.steps - 1).fill(999),
        'padding is blank',
      );
    paintHeat({ ...heat, order: [1, 0], threshold: 0.7 }, colors, 999, pixels);
    assert.deepEqual([...pixels], [255, 0, 999, 999]);
  });
  test('intervals: a quantile of the errors in the first half covers the second half', () => {
    const actual = Array.from({ length: 40 }, (_, n) => n);
    const forecast = actual.map((value, n) => value + (n % 20));
    const { mae, rmse, halfWidth, coverage } = forecastErrors(actual, forecast);
    assert.equal(mae, 9.5);
    assert.ok(Math.abs(rmse - Math.sqrt(123.5)) < 1e-9);
    assert.equal(halfWidth, 18);
    assert.equal(coverage, 19 / 20);
  });
  test('a curve of 100,000 updates has at most 1024 points, which are means', () => {
    const curve = new Curve();
    for (let n = 1; n <= 100_000; n++) curve.push(n, n % 2);
    assert.ok(curve.x.length <= 1024 && curve.x.length > 256);
    assert.ok(curve.y.slice(1).every((value) => Math.abs(value - 0.5) < 0.01));
    assert.deepEqual(
      smooth([2, 2, 2], 0.9).map((value) => Number(value.toFixed(9))),
      [2, 2, 2],
    );
  });
  test('loss curves are read from logs', () => {
    assert.deepEqual(curvesOf('a.csv', 'epoch,loss\n1,0.5\n2,0.25\n'), [
      { name: 'a.csv loss', x: [1, 2], y: [0.5, 0.25] },
    ]);
    assert.deepEqual(curvesOf('a.csv', 'day,sales\n1,2\n2,3\n'), []);
    assert.equal(
      curvesOf('e.ndjson', '{"type":"step","step":1,"loss":3}\nnot json\n{"step":2,"loss":2}\n')[0].y[1],
      2,
    );
    assert.equal(
      curvesOf('t.json', '{"networks":[{"history":[{"epoch":1,"loss":2},{"epoch":2,"loss":1}]}]}').length,
      1,
    );
  });
  test('scores are read from training records', () => {
    const record =
      '{"seconds": 3, "leaderboard": [{"model": "lstm", "mase": 0.8}, {"model": "ets", "mase": 0.9}], "text": "x"}';
    assert.deepEqual(scoresOf('a/model/training.json', record), {
      run: 'a/model',
      values: { seconds: 3, 'leaderboard.lstm.mase': 0.8, 'leaderboard.ets.mase': 0.9 },
    });
    assert.equal(scoresOf('a/other.json', record), null);
    assert.equal(scoresOf('training.json', 'not json'), null);
  });
  test('formatNumber returns two or three significant digits, and softmaxOf returns probabilities', () => {
    assert.deepEqual([0, 0.12345, 1234567, 0.00001, -2].map(formatNumber), [
      '0',
      '0.123',
      '1.2e6',
      '1e-5',
      '-2',
    ]);
    assert.deepEqual(softmaxOf([1000, 1000]), [0.5, 0.5]);
  });
});

describe('the address', () => {
  test('settings are restored from the address; invalid values are ignored', () => {
    const settings = {
      ...DEFAULTS.sine,
      cells: ['rnn', 'minGru'] as const,
      units: 7,
      clip: 0,
      init: 'chrono' as const,
    };
    assert.deepEqual(fromFragment(toFragment(settings)).settings, settings);
    assert.deepEqual(
      fromFragment('#preset=evil&units=-1&length=1e9&cells=&init=__proto__&clip=NaN').settings,
      DEFAULTS.adding,
    );
  });
});
