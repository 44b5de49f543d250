// The transform: one window computed by hand, and outputs that invert targets exactly.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { type WindowScaler, WindowTransform, warmUp } from '@unroll/tasks/internal';

/** Returns those training pairs of a series whose targets begin at row `from` or later. */
function examples(transform: WindowTransform, values: Float64Array, from = 0) {
  const first = Math.max(warmUp(transform.config), from);
  const count = Math.max(0, values.length - transform.config.horizon - first + 1);
  const prepared = transform.prepare(values);
  const concatRows = (part: (row: number) => Float64Array) =>
    Float64Array.from(Array.from({ length: count }, (_, n) => [...part(first + n)]).flat());
  const inputs = concatRows((row) => transform.input(prepared, row));
  return { count, first, inputs, targets: concatRows((row) => transform.targets(prepared, row)) };
}
const input = (transform: WindowTransform, history: Float64Array) =>
  transform.input(transform.prepare(history), history.length);
const output = (transform: WindowTransform, history: Float64Array, scaled: ArrayLike<number>) =>
  transform.output(transform.prepare(history), history.length, scaled);
const unit = (transform: WindowTransform, history: Float64Array) =>
  transform.unit(transform.prepare(history), history.length);

const plan = {
  scaler: 'changes' as const,
  log: false,
  lag: 2,
  window: 2,
  horizon: 3,
  hasUnsubtractedChannel: true,
};

test('the inputs and targets of one training pair, computed by hand', () => {
  // values 1 2 4 6 9 11 15; differences over two rows: 3 4 5 5 6 (from row 2 on)
  const transform = new WindowTransform({ ...plan, centre: 0, scale: 2, mean: 1, deviation: 4, floor: 0 });
  const { count, first, inputs, targets } = examples(transform, Float64Array.of(1, 2, 4, 6, 9, 11, 15));
  assert.deepEqual([count, first], [1, 4]);
  // the window ends in row 3, whose difference is 4: (3-4)/2 and (4-4)/2; second channel: (3-1)/4 and (4-1)/4
  assert.deepEqual([...inputs], [-0.5, 0.5, 0, 0.75]);
  // differences: 9-4=5, 11-6=5, and over two seasons (15-4)/2=5.5; minus 4 (the difference in row 3), divided by the scale 2
  assert.deepEqual([...targets], [0.5, 0.5, 0.75]);
});

test('pairs may begin at a later row', () => {
  const transform = new WindowTransform({ ...plan, centre: 0, scale: 2, mean: 1, deviation: 4, floor: 0 });
  const values = Float64Array.of(1, 2, 4, 6, 9, 11, 15, 3, 8);
  const [all, later] = [examples(transform, values), examples(transform, values, 6)];
  assert.deepEqual([all.count, later.count, later.first], [3, 1, 6]);
  assert.deepEqual(later.targets, all.targets.slice(6));
  assert.deepEqual(later.inputs, all.inputs.slice(8));
});

test('fitting by hand: scale over all windows, mean and deviation of the differences', () => {
  const { config } = WindowTransform.fit(Float64Array.of(1, 2, 4, 6, 9, 11), plan);
  // differences 3 4 5 5; the windows that end in rows 3, 4 and 5, minus their last difference: (-1 0) (-1 0) (0 0)
  assert.equal(config.scale, Math.sqrt(2 / 6));
  assert.equal(config.mean, 17 / 4);
  assert.ok(Math.abs(config.deviation - Math.sqrt(11 / 16)) < 1e-15);
});

function close(got: Float64Array, expected: Float64Array): void {
  assert.equal(got.length, expected.length);
  for (const [i, value] of got.entries())
    assert.ok(Math.abs(value - expected[i]!) < 1e-9, `${got} is not ${expected}`);
}

describe('outputs invert targets', () => {
  for (const log of [false, true]) {
    for (const lag of [1, 2, 5]) {
      for (const hasUnsubtractedChannel of [false, true]) {
        test(`log ${log}, lag ${lag}, ${hasUnsubtractedChannel ? 2 : 1} channels`, () => {
          const values = Float64Array.from(new RandomStream(1, 'series').uniform(24, 5, 9));
          const transformPlan = {
            scaler: 'changes' as const,
            log,
            lag,
            hasUnsubtractedChannel,
            window: 4,
            horizon: 7,
          };
          const transform = WindowTransform.fit(values, transformPlan);
          const { count, inputs, targets } = examples(transform, values);
          const width = 4 * transform.channels;
          for (let n = 0; n < count; n++) {
            const known = values.slice(0, values.length - 7 - (count - 1 - n));
            close(input(transform, known), inputs.slice(n * width, (n + 1) * width));
            close(
              output(transform, known, targets.subarray(n * 7, (n + 1) * 7)),
              values.slice(known.length, known.length + 7),
            );
          }
        });
      }
    }
  }
});

test('a network that outputs 0 forecasts the last season plus the latest seasonal difference', () => {
  const transform = new WindowTransform({
    ...plan,
    hasUnsubtractedChannel: false,
    centre: 0,
    scale: 1,
    mean: 0,
    deviation: 1,
    floor: 0,
  });
  // last season 9 11, latest difference 11-6=5: 9+5, 11+5, and one season later 9+2·5
  assert.deepEqual([...output(transform, Float64Array.of(1, 2, 4, 6, 9, 11), [0, 0, 0])], [14, 16, 19]);
});

test('a value that falls to zero after training does not break the logarithm', () => {
  const transform = WindowTransform.fit(Float64Array.of(4, 5, 4, 5, 4, 5), { ...plan, log: true });
  const later = output(transform, Float64Array.of(4, 5, 4, 5, 4, 0), [0, 0, 0]);
  assert.ok(later.every((value) => Number.isFinite(value)));
});

test('rejects too few rows and logarithms of zero', () => {
  assert.throws(
    () => WindowTransform.fit(Float64Array.of(1, 2, 3), plan),
    /The window needs \d+ training rows, got 3/,
  );
  assert.throws(
    () => WindowTransform.fit(new Float64Array(9), { ...plan, log: true }),
    /at least one positive training value/,
  );
});

describe('other scalers', () => {
  const values = Float64Array.of(3, 1, 4, 1, 5, 9, 2, 6);
  const common = { log: false, lag: 1, window: 2, horizon: 1, hasUnsubtractedChannel: false };
  // Inputs 2 and 6 (the last window), and the target 2 after 5 and 9.
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - 3.875) ** 2, 0) / 8);
  const cases: [WindowScaler, (value: number) => number][] = [
    ['standard', (value) => (value - 3.875) / spread],
    ['robust', (value) => (value - 3.5) / (5.25 - 1.75)],
    ['minmax', (value) => (value - 1) / 8],
  ];
  for (const [scaler, scale] of cases) {
    test(`${scaler}: scaled by statistics of the training rows`, () => {
      const transform = WindowTransform.fit(values, { ...common, scaler });
      close(input(transform, values), Float64Array.of(scale(2), scale(6)));
      close(examples(transform, values).targets.slice(-2, -1), Float64Array.of(scale(2)));
    });
  }
  test('instance: scales each window separately, invariant to shift and scale', () => {
    const transform = WindowTransform.fit(values, { ...common, scaler: 'instance' });
    const moved = new WindowTransform({ ...transform.config, scale: 3 * transform.config.scale });
    close(
      input(
        moved,
        values.map((value) => 3 * value + 100),
      ),
      input(transform, values),
    );
    const [a, b] = input(transform, values);
    assert.ok(Math.abs(a! + b!) < 1e-12 && b! > 0.5 && b! < 1, 'mean 0, deviation a little below 1');
  });
  test('counts: inputs are divided by 1 + the mean of the window, without a centre; targets are unchanged', () => {
    const transform = WindowTransform.fit(values, { ...common, scaler: 'counts' });
    close(input(transform, values), Float64Array.of(2 / 5, 6 / 5));
    assert.deepEqual([...examples(transform, values).targets], [4, 1, 5, 9, 2, 6]);
    assert.equal(unit(transform, values), 5);
    assert.deepEqual([...output(transform, values, [7])], [7]);
  });
  for (const scaler of ['standard', 'robust', 'minmax', 'instance'] as const) {
    test(`${scaler}: outputs invert targets, also for a constant series`, () => {
      for (const series of [values, new Float64Array(8).fill(7)]) {
        const transform = WindowTransform.fit(series, { ...common, scaler, horizon: 2 });
        const { targets } = examples(transform, series);
        close(output(transform, series.slice(0, -2), targets.slice(-2)), series.slice(-2));
      }
    });
  }
});
