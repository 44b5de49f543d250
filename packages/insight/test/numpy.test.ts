/** Principal components and spectral radii equal those of NumPy (tools/goldens/insight.py). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { projection, spectralRadius } from '@unroll/insight';

interface Golden {
  pca: { shape: number[]; states: number[]; components: number[]; points: number[]; explained: number[] }[];
  radii: { n: number; matrix: number[]; radius: number }[];
}

const file = new URL('../../testkit/goldens/insight/numpy.json', import.meta.url);
const golden = JSON.parse(readFileSync(file, 'utf8')) as Golden;

const same = (found: ArrayLike<number>, wanted: readonly number[], tolerance: number): void => {
  assert.equal(found.length, wanted.length);
  for (const [i, value] of wanted.entries())
    assert.ok(Math.abs(found[i]! - value) < tolerance, `${i}: ${found[i]}, expected ${value}`);
};

for (const { shape, states, components, points, explained } of golden.pca) {
  test(`principal components of states ${shape.join(' x ')}`, () => {
    const values = Float64Array.from(states);
    const found = projection({ shape, values }, { components: explained.length });
    same(found.components.values, components, 1e-9);
    same(found.points.values, points, 1e-8);
    same(found.explained, explained, 1e-9);
    // Additional masked rows do not change the components.
    const more = Float64Array.from([...states, ...states.map((value) => value * 3)]);
    const mask = { shape: [2 * shape[0]!], values: new Float64Array(2 * shape[0]!).fill(1, 0, shape[0]) };
    const masked = projection({ shape: [2, ...shape], values: more }, { components: explained.length, mask });
    same(masked.components.values, components, 1e-9);
    assert.deepEqual(masked.points.shape, [2, shape[0], explained.length]);
  });
}

test('projection rejects too few rows and units', () => {
  const states = { shape: [1, 3], values: new Float64Array(3) };
  assert.throws(() => projection(states), /at least 2 valid rows, got 1/);
  assert.throws(() => projection(states, { components: 4 }), /components must be at most 3.* got 4/);
});

for (const { n, matrix, radius } of golden.radii) {
  test(`spectral radius ${radius.toFixed(3)} of a matrix ${n} x ${n}`, () => {
    assert.ok(Math.abs(spectralRadius(matrix, n) - radius) <= 1e-5 * Math.max(radius, 1));
  });
}
