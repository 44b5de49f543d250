// The inputs of the networks: every channel of one training pair computed by hand, and which rows give training pairs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCsv } from '@unroll/data';
import { type PanelOptions, panelFromTable } from '@unroll/tasks';
import { PanelEncoder, subsample } from '@unroll/tasks/internal';

const read = (text: string, options: Partial<PanelOptions> = {}) =>
  panelFromTable(parseCsv(text), { target: 'y', ...options });
const plan = {
  scaler: 'changes' as const,
  log: false,
  season: 1,
  lag: 1,
  window: 2,
  horizon: 2,
  hasUnsubtractedChannel: false,
};
const everything = { from: Number.NEGATIVE_INFINITY, to: 99, maxPairs: 99 };

test('all channels of one pair, computed by hand', () => {
  const text = 't,y,sun,price,kind\n1,3,0,10,b\n2,5,2,20,b\n3,6,4,10,b\n4,4,9,40,b\n5,,9,30,b\n';
  const panel = read(text, { time: 't', past: ['sun'], future: ['price'], static: ['kind'] });
  const encoder = PanelEncoder.fit(panel, plan, 3);
  // Fitted on rows 1 to 3: the two windows of y, minus their last values, are (-2, 0) and (-1, 0), so the scale is sqrt(5/4). The
  // deviation of sun is sqrt(8/3); the mean of price is 40/3, and its deviation sqrt(200/9).
  const [scale, sun, price] = [Math.sqrt(5 / 4), Math.sqrt(8 / 3), Math.sqrt(200 / 9)];
  const { count, inputs, future, targets } = encoder.pairs({ ...everything, to: 4 });
  assert.equal(count, 1);
  assert.deepEqual([encoder.inputWidth, encoder.futureWidth], [5, 3]);
  const near = (got: ArrayLike<number>, want: number[]) => {
    assert.equal(got.length, want.length);
    for (const [i, value] of want.entries())
      assert.ok(Math.abs(got[i]! - value) < 1e-12, `${got} is not ${want}`);
  };
  const level = (value: number) => (value - 40 / 3) / price;
  // Rows 1 and 2: y minus its last value, sun minus its last value, price, price minus its last value, and kind b, the only one.
  near(inputs, [-2 / scale, -2 / sun, level(10), level(10) - level(20), 1, 0, 0, level(20), 0, 1]);
  // Rows 3 and 4: price, price minus its value in row 2, and the horizon step divided by 2.
  near(future, [level(10), level(10) - level(20), 0.5, level(40), level(40) - level(20), 1]);
  near(targets, [(6 - 5) / scale, (4 - 5) / scale]);
});

test('a past covariate is relative to the window like the target, a category is not', () => {
  const sun = [0, 2, 4, 9, 1, 5];
  const text = `t,y,sun,sky\n${sun.map((value, t) => `${t},${t * t},${value},${t < 3 ? 'a' : 'b'}`).join('\n')}\n`;
  const panel = read(text, { time: 't', past: ['sun', 'sky'] });
  /** Returns the channels of the covariates [window][channels] in the last window; the channels of sun in the unit of sun. */
  const channelsOf = (own: Partial<Parameters<typeof PanelEncoder.fit>[1]>) => {
    const encoder = PanelEncoder.fit(panel, { ...plan, horizon: 1, ...own }, 6);
    const { deviation } = encoder.config.channels[0] as { deviation: number };
    const rows = encoder.encode([{ series: 0, origin: 6 }]).inputs;
    const width = encoder.inputWidth;
    const first = own.hasUnsubtractedChannel ? 2 : 1; // after the channels of the target
    return [0, 1].map((i) => {
      const channels = Array.from(rows.subarray(i * width + first, (i + 1) * width));
      return [
        ...channels.slice(0, -2).map((value) => Math.round(value * deviation * 1e6) / 1e6),
        ...channels.slice(-2),
      ];
    });
  };
  // The values of the window are 1 and 5; the mean of all rows is 3.5.
  assert.deepEqual(channelsOf({}), [
    [-4, 0, 1],
    [0, 0, 1],
  ]);
  assert.deepEqual(channelsOf({ reference: 'mean' }), [
    [-2, 0, 1],
    [2, 0, 1],
  ]);
  assert.deepEqual(channelsOf({ hasUnsubtractedChannel: true }), [
    [-4, -2.5, 0, 1],
    [0, 1.5, 0, 1],
  ]);
  // The seasonal differences of the window are 1 - 4 and 5 - 9.
  assert.deepEqual(channelsOf({ lag: 2 }), [
    [1, 0, 1],
    [0, 0, 1],
  ]);
  assert.deepEqual(channelsOf({ lag: 2, reference: 'zero', hasUnsubtractedChannel: true }), [
    [-3, 0, 1],
    [-4, 0, 1],
  ]);
  // With other scalers, no centre is subtracted.
  assert.deepEqual(channelsOf({ scaler: 'standard' }), [
    [-2.5, 0, 1],
    [1.5, 0, 1],
  ]);
});

test('saved models of earlier versions encode past covariates as values, and future covariates also as differences from the last row', () => {
  const text = 't,y,sun,price\n0,1,0,10\n1,2,2,20\n2,4,4,40\n3,7,8,50\n4,,,70\n5,,,60\n';
  const panel = read(text, { time: 't', past: ['sun'], future: ['price'] });
  const { config } = PanelEncoder.fit(panel, { ...plan, reference: 'mean' }, 4);
  const channels = config.channels.map(({ name, role }) => ({ name, role, mean: 0, deviation: 1 }));
  const encoder = new PanelEncoder(panel, { ...plan, reference: 'mean' }, { ...config, channels });
  const { inputs, future } = encoder.encode([{ series: 0, origin: 4 }]);
  const covariates = [0, 1].map((i) => Array.from(inputs.subarray(4 * i + 1, 4 * i + 4)));
  assert.deepEqual(covariates, [[4, 40, -10], [8, 50, 0]]); // biome-ignore format: one line
  assert.deepEqual(Array.from(future), [70, 20, 0.5, 60, 10, 1]);
});

test('pairs are in the requested range and have no missing targets', () => {
  const values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  const count = (cells: (number | string)[], range: { from: number; to: number }) => {
    const panel = read(`t,y\n${cells.map((value, i) => `${i},${value}`).join('\n')}`, { time: 't' });
    return PanelEncoder.fit(panel, plan, 10).pairs({ ...range, maxPairs: 99 }).count;
  };
  assert.equal(count(values, { from: Number.NEGATIVE_INFINITY, to: 10 }), 7); // targets from rows 2-3 to rows 8-9
  assert.equal(count(values, { from: Number.NEGATIVE_INFINITY, to: 7 }), 4);
  assert.equal(count(values, { from: 6, to: 10 }), 3);
  assert.equal(
    count(
      values.map((value) => (value === 6 ? '' : value)),
      { from: 0, to: 10 },
    ),
    5,
  );
});

test('subsamples pairs reproducibly and independently of the season', () => {
  const panel = read(`t,y\n${Array.from({ length: 24_003 }, (_, i) => `${i},${i * i}`).join('\n')}`, {
    time: 't',
  });
  const encoder = PanelEncoder.fit(panel, plan, 24_003);
  const some = encoder.pairs({ ...everything, to: 24_003, maxPairs: 2000 });
  assert.ok(Math.abs(some.count - 2000) < 150, `${some.count}`);
  assert.deepEqual(encoder.pairs({ ...everything, to: 24_003, maxPairs: 2000 }), some);
  assert.equal(encoder.pairs({ ...everything, maxPairs: 97 }).count, 96, 'all there are');
  const kept = subsample(
    Array.from({ length: 24_000 }, (_, n) => n),
    2400,
  );
  const hours = Array.from({ length: 24 }, (_, hour) => kept.filter((n) => n % 24 === hour).length);
  assert.ok(
    hours.every((count) => count > 60 && count < 140),
    `a hundred of each hour: ${hours}`,
  );
});

test('canForecast is false for a series that was too short in training, and for an origin with too few rows before it', () => {
  const panel = read('s,t,y\nA,1,1\nA,2,2\nA,3,3\nB,3,1\nB,4,2\nB,5,4\n', { series: 's', time: 't' });
  const encoder = PanelEncoder.fit(panel, plan, 3);
  assert.ok(encoder.canForecast({ series: 0, origin: 3 }));
  assert.ok(!encoder.canForecast({ series: 0, origin: 1 }), 'a window is not full');
  assert.ok(!encoder.canForecast({ series: 1, origin: 5 }), 'too few rows in training');
});

test('rejects encoding a series that was too short in training', () => {
  const panel = read('s,t,y\nA,1,1\nA,2,2\nA,3,3\nB,3,1\nB,4,2\nB,5,4\n', { series: 's', time: 't' });
  const encoder = PanelEncoder.fit(panel, plan, 3);
  assert.throws(() => encoder.encode([{ series: 1, origin: 5 }]), {
    code: 'state',
    message: 'The training rows of series "B" are too few for a network.',
  });
});
