// Whole runs on real and generated series: networks that beat the baselines, notes if they do not, no use of later rows, and
// reproducible results.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable, parseCsv, parseJsonLines, type Table } from '@unroll/data';
import { type ForecastOptions, type ForecastResult, forecast, type RunEvent } from '@unroll/tasks';

const file = new URL('../../../cli/data/air-passengers.csv', import.meta.url);
const passengers = parseCsv(readFileSync(file, 'utf8'));
const tableOf = (values: ArrayLike<number>): Table =>
  makeTable({ source: 's', names: ['y'], cells: [Array.from(values)] });
const quick: ForecastOptions = { target: 'y', horizon: 4, season: 4, window: 4, units: 4, epochs: 3 };
// Runs in which the network wins with few units and epochs, because there are no fitted baselines.
const air: ForecastOptions = { target: 'passengers', horizon: 4, units: 4, epochs: 3, baselines: [] };
const rmseOf = (result: ForecastResult, model: string) =>
  result.leaderboard.find((row) => row.model === model)!.rmse;

const ALL_MODELS = ['drift', 'ensemble', 'ets', 'lstm', 'naive', 'seasonal-naive', 'theta'];

describe('air passengers, trained on the first 96 months, tested on the last 48', () => {
  test('twelve months ahead, four times: the ensemble has the lowest error, with an RMSE below 28', async () => {
    const result = await forecast(passengers, { target: 'passengers', horizon: 12 });
    assert.deepEqual(result.leaderboard.map(({ model }) => model).sort(), ALL_MODELS);
    assert.ok(rmseOf(result, 'theta') < 35 && rmseOf(result, 'ets') < 35, 'theta and ETS');
    assert.equal(result.winner, 'ensemble');
    assert.ok(rmseOf(result, 'ensemble') < 28, `RMSE ${rmseOf(result, 'ensemble')}`);
    assert.ok(Math.abs(rmseOf(result, 'seasonal-naive') - 41.85) < 0.01, 'same month last year');
    assert.ok(rmseOf(result, 'lstm') < 35, `RMSE ${rmseOf(result, 'lstm')}`);
    assert.equal(result.forecasts[0]!.time[0], '1961-01');
    assert.equal(result.forecasts[0]!.time.length, 12);
    const [july, november] = [result.forecasts[0]!.median[6]!, result.forecasts[0]!.median[10]!];
    assert.ok(july > 600 && july < 750, `July 1961: ${july}`);
    assert.ok(november > 380 && november < 480, `November 1961: ${november}`);
  });

  test('one month ahead, 48 times: the LSTM has an RMSE below 20', async () => {
    const result = await forecast(passengers, { target: 'passengers', horizon: 1, windows: 48, step: 1 });
    assert.ok(Math.abs(rmseOf(result, 'seasonal-naive') - 41.85) < 0.01, 'same month last year');
    assert.ok(Math.abs(rmseOf(result, 'naive') - 48.04) < 0.01, 'last month');
    assert.ok(rmseOf(result, 'lstm') < 20, `RMSE ${rmseOf(result, 'lstm')}`);
  });
});

describe('rows after an origin do not affect its forecast', () => {
  const values = Float64Array.from(
    new RandomStream(3, 'series').normal(60),
    (noise, t) => 50 + t + 3 * noise,
  );
  for (const refit of [false, true]) {
    test(
      refit ? 'if networks are retrained before each origin' : 'if networks are trained once',
      async () => {
        const options = { ...quick, windows: 3, refit };
        const one = await forecast(tableOf(values), options);
        const other = await forecast(
          tableOf(values.map((value, t) => (t < 52 ? value : -1000 * value))),
          options,
        );
        assert.deepEqual(one.plan.origins, [48, 52, 56]);
        for (const [m, { model, forecasts }] of one.backtest.entries()) {
          assert.deepEqual(other.backtest[m]!.forecasts.slice(0, 2), forecasts.slice(0, 2), model);
          assert.notDeepEqual(
            other.backtest[m]!.forecasts[2],
            forecasts[2],
            `${model} sees rows before its origin`,
          );
        }
      },
    );
  }
});

test('the same seed gives the same results, another seed gives different ones', async () => {
  const run = async (seed: number) => {
    const { backtest, networks, forecasts } = await forecast(passengers, { ...air, seed });
    return { backtest, forecasts, weights: networks!.map(({ model }) => model.getWeights()) };
  };
  assert.deepEqual(await run(1), await run(1));
  assert.notDeepEqual(await run(1), await run(2));
});

test('without levels, no networks are trained for calibration, and the medians are the same', async () => {
  const run = async (levels?: number[]) => {
    const events: RunEvent[] = [];
    const options = {
      ...air,
      ...(levels && { levels }),
      onEvent: (event: RunEvent) => events.push(event),
    };
    const { backtest } = await forecast(passengers, options);
    const stages = new Set(events.flatMap((event) => (event.event === 'epoch' ? [event.stage] : [])));
    const medians = backtest.map(({ model, forecasts }) => [model, forecasts.map(({ median }) => median)]);
    return { stages: [...stages], medians };
  };
  const [usual, none] = [await run(), await run([])];
  assert.deepEqual(usual.stages, ['search', 'calibrate', 'backtest', 'final']);
  assert.deepEqual(none.stages, ['search', 'backtest', 'final']);
  assert.deepEqual(none.medians, usual.medians);
});

test('sorts the levels', async () => {
  const { levels } = await forecast(tableOf(Array.from({ length: 48 }, (_, t) => t % 5)), {
    ...quick,
    levels: [0.8, 1e-7],
  });
  assert.deepEqual(levels, [1e-7, 0.8]);
});

test('a baseline with the same score as the network wins and makes the forecast', async () => {
  const season = [10, 20, 15, 40];
  const result = await forecast(tableOf(Array.from({ length: 48 }, (_, t) => season[t % 4]!)), quick);
  assert.equal(result.winner, 'seasonal-naive');
  assert.deepEqual([...result.forecasts[0]!.median], season);
});

test('without a season the leaderboard has no seasonal baseline', async () => {
  const result = await forecast(tableOf(new RandomStream(5, 'series').normal(60)), { ...quick, season: 1 });
  assert.deepEqual(result.leaderboard.map((row) => row.model).sort(), [
    'drift',
    'ensemble',
    'ets',
    'lstm',
    'naive',
    'theta',
  ]);
});

test('croston-sba is a baseline of intermittent series; the option baselines chooses the fitted baselines', async () => {
  const sparse = tableOf(Array.from({ length: 60 }, (_, t) => (t % 3 === 0 ? (t % 5) + 1 : 0)));
  const modelsOf = async (baselines?: ForecastOptions['baselines']) => {
    const { leaderboard } = await forecast(sparse, { ...quick, season: 1, ...(baselines && { baselines }) });
    return leaderboard.map(({ model }) => model).sort();
  };
  assert.deepEqual(await modelsOf(), ['croston-sba', 'drift', 'ensemble', 'ets', 'lstm', 'naive', 'theta']);
  assert.deepEqual(await modelsOf(['theta']), ['drift', 'ensemble', 'lstm', 'naive', 'theta']);
  assert.deepEqual(await modelsOf([]), ['drift', 'lstm', 'naive']);
  await assert.rejects(
    modelsOf(['arima' as never]),
    /baselines must contain only theta, ets, croston-sba, got "arima"/,
  );
});

test('if a baseline wins, a note names it and says how much higher the MASE of the network is', async () => {
  const { winner, notes, leaderboard } = await forecast(passengers, {
    ...air,
    epochs: 1,
    scaler: 'minmax',
  });
  assert.equal(winner, 'seasonal-naive');
  const [best, network] = [winner, 'lstm'].map(
    (name) => leaderboard.find(({ model }) => model === name)!.mase,
  );
  const percent = (100 * (network! / best! - 1)).toFixed(1);
  const note = `Forecast by the baseline seasonal-naive: MASE ${best!.toFixed(3)}, lstm ${network!.toFixed(3)} (+${percent} %).`;
  assert.ok(notes.includes(note), notes.join('\n'));
});

test('missing values are not scored', async () => {
  const values = Array.from({ length: 48 }, (_, t) => (t % 4) * 10 + t);
  const gaps = values.map((value, t) => (t === 46 ? Number.NaN : value));
  const result = await forecast(tableOf(gaps), { ...quick, windows: 1 });
  assert.equal(rmseOf(result, 'seasonal-naive'), 4); // rows 44, 45 and 47 are each 4 higher than one season before
  assert.ok(result.leaderboard.every((row) => Number.isFinite(row.mae)));
});

test('events report the plan, every epoch of every training run in order, the leaderboard and the result', async () => {
  const events: RunEvent[] = [];
  const { leaderboard } = await forecast(passengers, { ...air, onEvent: (event) => events.push(event) });
  assert.deepEqual(
    events.slice(0, 2).map(({ event }) => event),
    ['backend', 'plan'],
  );
  const trainings = events.flatMap((event) => (event.event === 'epoch' ? [event] : []));
  assert.deepEqual(
    [...new Set(trainings.map(({ training, stage }) => `${training} ${stage}`))],
    [
      ...['1 search', '2 search'],
      ...['3 calibrate', '4 calibrate', '5 calibrate', '6 calibrate', '7 calibrate', '8 calibrate'],
      ...['9 backtest', '10 backtest', '11 final', '12 final'],
    ],
  );
  assert.ok(trainings.every((event) => event.trainings === 12));
  const ended = events.flatMap((event) => (event.event === 'stage' ? [event.training] : []));
  assert.deepEqual(
    ended,
    Array.from({ length: 12 }, (_, i) => i + 1),
  );
  const scores = events.find((event) => event.event === 'scores')!;
  assert.deepEqual(scores.columns.map(({ title }) => title).slice(0, 4), ['model', 'MASE', 'sMAPE', 'RMSE']);
  assert.deepEqual(
    scores.rows.map((row) => row.slice(0, 4)),
    leaderboard.map(({ model, mase, smape, rmse }) => [model, mase, smape, rmse]),
  );
  const last = events.at(-1)!;
  assert.deepEqual([last.event, last.event === 'result' && last.winner], ['result', leaderboard[0]!.model]);
});

test('events survive a JSON round trip; progress increases up to 1', async () => {
  const events: RunEvent[] = [];
  const run = (table: Table, options: ForecastOptions) =>
    forecast(table, { ...options, onEvent: (event) => events.push(event) });
  await run(passengers, { ...air, levels: [0.99] });
  await run(tableOf(new Float64Array(48).fill(7)), quick); // a constant series, whose MASE is undefined
  for (const event of events) assert.deepEqual(JSON.parse(JSON.stringify(event)), event);
  assert.ok(events.some((event) => event.event === 'scores' && event.rows.flat().includes(null)));
  const end = events.findIndex(({ event }) => event === 'result');
  const done = events
    .slice(0, end)
    .flatMap((event) => (event.event === 'step' || event.event === 'epoch' ? [event.done] : []));
  assert.deepEqual(
    done.toSorted((a, b) => a - b),
    done,
  );
  assert.ok(done[0]! > 0 && done[0]! < 0.2 && done.at(-1) === 1, `${done[0]} to ${done.at(-1)}`);
});

test('a budget ends the search for the number of epochs; every network trains for at least one epoch', async () => {
  const epochs: string[] = [];
  const onEvent = (event: RunEvent): void => {
    if (event.event === 'epoch') epochs.push(`${event.stage} ${event.epoch}`);
  };
  const series = tableOf(Float64Array.from({ length: 60 }, (_, t) => 50 + t + 10 * Math.sin(t)));
  const result = await forecast(series, { ...quick, epochs: 50, windows: 1, budget: 1e-6, onEvent });
  assert.equal(result.forecasts[0]!.median.length, 4);
  const trainings = ['calibrate 1', 'backtest 1', 'final 1'];
  assert.deepEqual(
    epochs.filter((epoch) => !epoch.startsWith('search')).filter((e) => !trainings.includes(e)),
    [],
  );
  assert.ok(epochs.includes('backtest 1'));
  const searched = epochs.filter((epoch) => epoch.startsWith('search'));
  assert.ok(
    searched.length > 0 && searched.length <= 6,
    `one epoch of each fold of two networks, got ${searched}`,
  );
});

test('a signal stops the run with its reason', async () => {
  for (const reason of [undefined, new Error('The page was closed.')]) {
    const controller = new AbortController();
    const run = forecast(tableOf(new RandomStream(7, 'series').normal(60)), {
      ...quick,
      epochs: 1000,
      signal: controller.signal,
      onEvent: (event) => event.event === 'epoch' && controller.abort(reason),
    });
    await assert.rejects(run, reason === undefined ? { name: 'AbortError' } : { message: reason.message });
  }
});

test('errors about a JSON array name records', async () => {
  const rows = (...times: string[]) => JSON.stringify(times.map((t, i) => ({ t, y: i })));
  const run = (text: string) =>
    forecast(parseJsonLines(text, { source: 'a.json' }), { target: 'y', time: 't', horizon: 1 });
  await assert.rejects(
    run(rows('2024-01', '2024-02', '2024-02')),
    /a\.json, records 2 and 3: duplicate time/,
  );
});

test('rejects options that are not positive integers, and a missing target column', async () => {
  await assert.rejects(
    forecast(passengers, { target: 'passengers', horizon: 12, units: 0 }),
    /units must be a positive integer, got 0/,
  );
  await assert.rejects(forecast(passengers, { target: 'sold', horizon: 12 }), /no column "sold"/);
});

describe('heads, cells and layers', () => {
  for (const head of ['quantile', 'gaussian', 'studentt', 'negbin'] as const) {
    test(`head ${head}: intervals contain the median, and the wider interval contains the narrower one`, async () => {
      const { backtest, forecasts } = await forecast(passengers, { ...air, head });
      for (const { median, lower, upper } of [...forecasts, ...backtest.at(-1)!.forecasts]) {
        for (let k = 0; k < 4; k++) {
          const ends = [lower[1]![k]!, lower[0]![k]!, median[k]!, upper[0]![k]!, upper[1]![k]!];
          assert.deepEqual(
            ends.toSorted((a, b) => a - b),
            ends,
            `${head} ${ends}`,
          );
        }
      }
    });
  }
  test('each cell is a row of the leaderboard, layers may be stacked', async () => {
    const { leaderboard } = await forecast(passengers, { ...air, cells: ['rnn', 'lstm', 'gru'], layers: 2 });
    const models = leaderboard.map(({ model }) => model).sort();
    assert.deepEqual(models, ['drift', 'gru', 'lstm', 'naive', 'rnn', 'seasonal-naive']);
  });
  test('unknown heads, cells and options, and invalid levels are rejected', async () => {
    await assert.rejects(
      forecast(passengers, { ...air, cells: ['lsmt' as never] }),
      /cells must contain only rnn, lstm, gru, minGRU, .*, got "lsmt"/,
    );
    await assert.rejects(
      forecast(passengers, { ...air, head: 'sharp' as never }),
      /head must be one of point, quantile, gaussian, studentt, negbin, got "sharp"/,
    );
    const misspelt = { ...air, horizn: 4 };
    await assert.rejects(
      forecast(passengers, misspelt),
      /^UnrollError: forecast: there is no option "horizn"\. Did you mean "horizon"\?$/,
    );
    await assert.rejects(
      forecast(passengers, { ...air, levels: [95] }),
      /levels must be between 0 and 1, got 95/,
    );
  });
});

describe('scalers', () => {
  // Upper limits of the error relative to the baselines naive and seasonal-naive. In the backtest, the values are higher than
  // in the training rows: networks whose scaler uses statistics of the training rows forecast them badly, networks whose
  // scaler uses statistics of each window forecast them well.
  const cases = {
    changes: { epochs: 20, naive: 0.25, seasonal: 0.4 },
    log: { epochs: 20, naive: 0.3, seasonal: 0.45 },
    instance: { epochs: 20, naive: 0.4, seasonal: 0.6 },
    standard: { epochs: 80, naive: 0.85, seasonal: 1.4 },
    robust: { epochs: 80, naive: 0.85, seasonal: 1.4 },
    minmax: { epochs: 80, naive: 0.9, seasonal: 1.5 },
  } as const;
  for (const [scaler, { epochs, ...limits }] of Object.entries(cases)) {
    test(`${scaler}: errors below the limits with two seeds, and forecasts in the unit of the series`, async () => {
      for (const seed of [0, 1]) {
        const options = { ...air, epochs, units: 16, horizon: 2, scaler: scaler as keyof typeof cases, seed };
        const result = await forecast(passengers, { ...options, levels: [] });
        const { scaler: used, log } = result.plan;
        assert.deepEqual([used, log], scaler === 'log' ? ['changes', true] : [scaler, false]);
        for (const [baseline, limit] of [
          ['naive', limits.naive],
          ['seasonal-naive', limits.seasonal],
        ] as const) {
          const ratio = rmseOf(result, 'lstm') / rmseOf(result, baseline);
          assert.ok(ratio < limit, `seed ${seed}: ${ratio.toFixed(3)} of the error of ${baseline}`);
        }
        assert.ok(result.forecasts[0]!.median.every((value) => value > 200 && value < 800));
      }
    });
  }
  test('rejects an unsuitable or unknown scaler', async () => {
    const zero = tableOf(Array.from({ length: 48 }, (_, t) => t % 4));
    await assert.rejects(forecast(zero, { ...quick, scaler: 'log' }), {
      message:
        'The scaler log needs positive values, got zero or negative values in "y". Choose another scaler.',
    });
    await assert.rejects(
      forecast(zero, { ...quick, scaler: 'zscore' as never }),
      /scaler must be one of changes, log, standard, robust, minmax, instance, got "zscore"\./,
    );
  });
});

describe('recursive decoding', () => {
  test('forecasts one step and uses it as input for the next', async () => {
    const { model, plan, networks, backtest } = await forecast(passengers, { ...air, decoding: 'recursive' });
    assert.equal(plan.chunk, 1);
    assert.deepEqual(networks![0]!.model.outputs[0]!.shape, [-1, 1, 1]);
    const [values] = [passengers.columns[1]!.cells.map(Number)];
    const medianOf = async (rows: number[]) => {
      const cells = [
        rows.map((_, t) => `${1949 + Math.floor(t / 12)}-${String((t % 12) + 1).padStart(2, '0')}`),
        rows,
      ];
      const { forecasts } = await model.forecast(
        makeTable({ source: 'm', names: ['month', 'passengers'], cells }),
      );
      return forecasts[0]!.median;
    };
    const whole = await medianOf(values);
    const next = await medianOf([...values, whole[0]!]);
    for (let k = 0; k < 3; k++) assert.ok(Math.abs(next[k]! / whole[k + 1]! - 1) < 1e-5, `${next} ${whole}`);
    // Errors grow with the horizon step, and intervals become wider.
    const { lower, upper } = backtest.find((tested) => tested.model === 'lstm')!.forecasts.at(-1)!;
    assert.ok(upper[0]![3]! / lower[0]![3]! > upper[0]![0]! / lower[0]![0]!);
  });
  test('rejects an unknown decoding', async () =>
    assert.rejects(
      forecast(passengers, { ...air, decoding: 'greedy' as never }),
      /decoding must be one of direct, recursive, got "greedy"\./,
    ));
});

test('a series that is too short for the network is forecast by a baseline, with a note', async () => {
  const long = Array.from({ length: 6 }, (_, s) =>
    Array.from({ length: 60 }, (__, t) => ({ s: `s${s}`, t, y: (t % 4) * s + t })),
  );
  const rows = [...long.flat(), ...Array.from({ length: 5 }, (_, t) => ({ s: 'new', t: 55 + t, y: t }))];
  const cells = [rows.map(({ s }) => s), rows.map(({ t }) => t), rows.map(({ y }) => y)];
  const table = makeTable({ source: 'made', names: ['s', 't', 'y'], cells });
  const { winner, forecasts, notes } = await forecast(table, {
    ...quick,
    baselines: [],
    series: 's',
    time: 't',
    epochs: 40,
    units: 8,
  });
  assert.equal(winner, 'lstm');
  assert.equal(forecasts.at(-1)!.id, 'new');
  assert.ok(forecasts.at(-1)!.median.every((value) => Number.isFinite(value)));
  assert.match(notes.join(), /too short for the network, forecast by [a-z-]+: new\./);
});
