// Comparisons of cells: the winner, the table (order, means and standard deviations), and the report.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type ComparedRun,
  type Comparison,
  comparisonReport,
  comparisonTable,
  scoreTexts,
  summarizeCells,
  verdict,
  winnerOf,
} from '@unroll/tasks';

const ACCURACY = {
  name: 'accuracy',
  title: 'accuracy',
  format: 'share',
  decimals: 1,
  higherIsBetter: true,
} as const;
const MASE = { name: 'mase', title: 'MASE', format: 'number', decimals: 3, higherIsBetter: false } as const;

/** Returns a comparison of cells with these values of the metric, one for each seed. */
function comparison(
  qualities: Record<string, number[]>,
  metric: Comparison['metric'] = ACCURACY,
): Comparison {
  const runs = Object.entries(qualities).flatMap(([cell, values]) =>
    values.map(
      (quality, seed): ComparedRun => ({
        ...{ cell, seed, quality, parameters: 1000, epochs: 3, secondsPerEpoch: 2, secondsToBest: 4 },
        ...{ memory: 80e6, latency: cell === 'rnn' ? null : 1.5, losses: [1, 0.5, 0.6] },
      }),
    ),
  );
  return { task: 'classify', metric, runs };
}

describe('winnerOf', () => {
  test('returns the cell that is better by more than the spread of the seeds', () => {
    const clear = comparison({ rnn: [0.6, 0.61, 0.62], lstm: [0.8, 0.81, 0.82], gru: [0.7, 0.71, 0.72] });
    assert.equal(winnerOf(clear), 'lstm');
    assert.match(verdict(clear), /^Best cell: lstm\./);
    assert.equal(winnerOf(comparison({ lstm: [0.9, 0.92], gru: [0.5, 0.51] }, MASE)), 'gru');
  });
  test('returns null for differences within the spread, for one seed, and for one cell', () => {
    // Welch: t = 1.55 with 4 degrees of freedom, below 2.776.
    const close = comparison({ lstm: [0.8, 0.82, 0.84], gru: [0.775, 0.795, 0.815] });
    assert.equal(winnerOf(close), null);
    assert.match(
      verdict(close),
      /lstm has the best mean, but at least one other cell is within the spread of the seeds/,
    );
    const single = comparison({ lstm: [0.9], gru: [0.5] });
    assert.equal(winnerOf(single), null);
    assert.match(verdict(single), /with one seed, a difference may be chance/);
    assert.match(verdict(comparison({ lstm: [0.9, 0.8] })), /Only one cell was trained/);
  });
  test('compares the means if the score of each cell does not depend on the seed', () => {
    assert.equal(winnerOf(comparison({ lstm: [0.9, 0.9], gru: [0.9, 0.9] })), null);
    assert.equal(winnerOf(comparison({ lstm: [0.9, 0.9], gru: [0.8, 0.8] })), 'lstm');
  });
});

test('the table has the best cell first, with mean and sample standard deviation', () => {
  const compared = comparison({ rnn: [1.2, 1.4], gru: [1, 1.2] }, MASE);
  const [gru] = summarizeCells(compared);
  assert.ok(Math.abs(gru.mean - 1.1) < 1e-12 && Math.abs((gru.deviation ?? 0) - Math.SQRT1_2 / 5) < 1e-12);
  assert.deepEqual(scoreTexts(comparisonTable(compared)), [
    ['cell', 'parameters', 's/epoch', 's to best', 'MASE', '±', 'MB', 'ms/example'],
    ['gru', '1000', '2.00', '4.0', '1.100', '0.1414', '80', '1.50'],
    ['rnn', '1000', '2.00', '4.0', '1.300', '0.1414', '80', '-'],
  ]);
});

test('the report has the verdict, the table and a chart for each cell', () => {
  const html = comparisonReport(comparison({ lstm: [0.8, 0.9], gru: [0.7, 0.8] }), [
    ['command', 'unroll <compare>'],
  ]);
  assert.match(html, /No winner/);
  assert.match(html, /unroll &lt;compare&gt;/);
  assert.deepEqual(
    [...html.matchAll(/<h3>(\w+)/g)].map(([, cell]) => cell),
    ['lstm', 'gru'],
  );
});
