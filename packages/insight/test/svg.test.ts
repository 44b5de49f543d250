/**
 * Figures are well-formed XML without scripts or external references, show the numbers of the trace, and escape text. Detects a
 * wrong step or unit, a colour from the wrong end of the palette, and names that become markup.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream, tensor } from '@unroll/core';
import {
  escapeText,
  gateFigure,
  gradientFlow,
  type LayerTrace,
  lagCurves,
  lagFigure,
  saturationOf,
  trace,
  unrolledFigure,
  weightStatistics,
} from '@unroll/insight';
import {
  bidirectional,
  concatenate,
  dense,
  dropout,
  gru,
  input,
  lstm,
  lstmCell,
  model,
  recurrent,
  sequential,
  stackedCells,
} from '@unroll/nn';

const random = new RandomStream(2, 'figures');
const x = tensor(Float32Array.from(random.normal(2 * 12 * 3)), [2, 12, 3]);
const network = sequential(
  [lstm({ units: 5, returnSequences: true }), gru({ units: 4, returnSequences: true }), dense({ units: 1 })],
  { seed: 1 },
);

/** Throws unless every tag is closed, and returns the names of the tags. */
function checkXml(text: string): string[] {
  const names: string[] = [];
  const open: string[] = [];
  for (const [tag, slash, name, end] of text.matchAll(/<(\/?)([a-zA-Z]+)(?:"[^"]*"|[^">])*?(\/?)>/g)) {
    names.push(name!);
    if (slash) assert.equal(open.pop(), name, tag);
    else if (!end) open.push(name!);
  }
  assert.deepEqual(open, []);
  const rest = text.replace(/<(?:"[^"]*"|[^">])*>/g, '');
  assert.doesNotMatch(rest, /[<>]|&(?!amp;|lt;|gt;|quot;|#39;)/);
  assert.doesNotMatch(text, /<script|href=|url\(|on[a-z]+=|https?:(?!\/\/www\.w3\.org\/2000\/svg)/);
  return names;
}

const HOSTILE = `</text><script>alert(1)</script>&"'\u0000`;

describe('figures', () => {
  test('of every kind are well-formed, also for names with markup', async () => {
    const traced = await trace(network, x, { inputs: true });
    const flow = await gradientFlow(network, x);
    const [layer] = traced.layers as [LayerTrace];
    const hostile = {
      ...traced,
      layers: traced.layers.map((original) => ({
        ...original,
        layer: HOSTILE,
        cell: HOSTILE,
        className: HOSTILE,
      })),
    };
    const figures = [
      gateFigure(layer),
      gateFigure({ ...layer, layer: HOSTILE, gates: { [HOSTILE]: layer.gates.i! } }, { title: HOSTILE }),
      unrolledFigure(traced),
      unrolledFigure(hostile, { inputs: Array.from({ length: 12 }, () => HOSTILE), title: HOSTILE }),
      lagFigure(lagCurves(flow)),
      lagFigure([{ label: HOSTILE, values: [1, 0.5, 0.1] }], {
        title: HOSTILE,
        yLabel: HOSTILE,
        line: { value: 0.2, label: HOSTILE },
      }),
    ];
    for (const figure of figures) {
      assert.deepEqual(new Set(checkXml(figure)).has('script'), false);
      assert.match(figure, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" class="insight"/);
      assert.match(figure, /prefers-color-scheme:dark/);
    }
    assert.equal(escapeText('a\u0001<&>"\''), 'a&lt;&amp;&gt;&quot;&#39;');
  });

  test('a heat map has blue for shut and orange for open gates, and nothing at masked steps', () => {
    const values = Float64Array.from([0, 1, 0.5, 0.5, 1, 1]); // 3 steps of 2 units
    const layer: LayerTrace = {
      ...{
        layer: 'a',
        from: [],
        returnSequences: true,
        className: 'LSTM',
        cell: 'LSTMCell',
        units: 2,
        reverse: false,
        keep: null,
        initial: {},
      },
      mask: { shape: [1, 3], values: Float64Array.from([1, 1, 0]) },
      gates: { f: { shape: [1, 3, 2], values } },
      states: {},
    };
    const figure = gateFigure(layer, { order: 'index', width: 384 });
    const cells = [...figure.matchAll(/<path class="d(\d+)" d="([^"]*)"/g)].map(([, color, d]) => [
      Number(color),
      d!.split('z').length - 1,
    ]);
    assert.deepEqual(
      cells.filter(([, count]) => count! > 0).sort((a, b) => a[0]! - b[0]!),
      [
        [0, 1],
        [10, 2],
        [20, 1],
      ],
    );
  });

  test('the unrolled network shows the numbers of the trace', async () => {
    const traced = await trace(network, x, { inputs: true });
    const figure = unrolledFigure(traced, { row: 1, from: 3, steps: 2 });
    const [layer] = traced.layers as [LayerTrace];
    const at = (1 * 12 + 4) * 5;
    const h = layer.states.h!.values.slice(at, at + 5);
    const norm = Number(Math.hypot(...h).toPrecision(3));
    assert.ok(figure.includes(`|h| ${norm}<`), String(norm));
    const f = layer.gates.f!.values.slice(at, at + 5);
    const mean = (Array.from(f).reduce((sum, value) => sum + value, 0) / 5).toFixed(2).replace('0.', '.');
    assert.ok(figure.includes(`f ${mean}`));
    assert.ok(figure.includes(String(Number(traced.outputs[0]!.values[1 * 12 + 4]!.toPrecision(3)))));
  });

  test('for a stack, the unrolled network and the dead units show the output h of the last cell', async () => {
    const traceOf = (kernelInitializer: 'glorotUniform' | 'zeros') => {
      const stack = stackedCells([lstmCell({ units: 3 }), lstmCell({ units: 2, kernelInitializer })]);
      return trace(sequential([recurrent(stack, { returnSequences: true })], { seed: 3 }), x);
    };
    const traced = await traceOf('glorotUniform');
    const norm = Number(Math.hypot(...traced.layers[0]!.states['1.h']!.values.slice(-2)).toPrecision(3));
    assert.ok(unrolledFigure(traced, { row: 1, from: 11, steps: 1 }).includes(`|h| ${norm}<`), String(norm));
    const constant = await traceOf('zeros');
    assert.deepEqual(saturationOf(constant.layers[0]!).dead, [0, 1]);
  });

  test('the unrolled network shows parallel branches side by side, and each layer above the layers that it reads', async () => {
    const source = input({ shape: [null, 3], name: 'source' });
    const [left, right] = ['left', 'right'].map((name) =>
      lstm({ units: 3, returnSequences: true, name }).apply(source),
    );
    const deeper = gru({ units: 3, returnSequences: true, name: 'deeper' }).apply(left!);
    const joined = concatenate().apply([deeper, dropout({ rate: 0.5 }).apply(right!)]);
    const both = bidirectional(gru({ units: 2, returnSequences: true, name: 'last' }), { name: 'both' });
    const branched = model({ inputs: source, outputs: both.apply(joined) });
    const traced = await trace(branched, x, { inputs: true });
    assert.deepEqual(
      traced.layers.map(({ layer, from }) => [layer, from]),
      [
        ['left', []],
        ['deeper', ['left']],
        ['right', []],
        ['both/forward_last', ['deeper', 'right']],
        ['both/backward_last', ['deeper', 'right']],
      ],
    );
    const again = await trace(branched, x, { layers: ['deeper'] });
    assert.deepEqual(again.layers[0]!.from, ['left'], 'also if the layer that it reads is not traced');
    // Branches draw fewer steps than requested, so a later first step is possible.
    assert.match(unrolledFigure(traced, { from: 8, steps: 8 }), /Steps 9 to 12 of 12/);
    const figure = unrolledFigure(traced);
    const positionOf = (name: string): number[] => {
      const [, left, top] = new RegExp(`x="([\\d.]+)" y="([\\d.]+)"[^>]*>${name}<`).exec(figure)!;
      return [Number(left), Number(top)];
    };
    const positions = ['left', 'right', 'deeper', 'forward_last', 'backward_last'].map(positionOf);
    const [a, b, c, d, e] = positions as [number[], number[], number[], number[], number[]];
    assert.ok(a[1] === b[1] && b[0]! > a[0]! + 300, 'left and right');
    assert.ok(c[0] === a[0] && c[1]! < a[1]!, 'deeper is above left');
    assert.ok(d[1] === e[1] && d[1]! < c[1]! && e[0]! > d[0]!, 'both directions');
  });

  test('reject series, rows and steps that the trace does not have, and empty input', async () => {
    const traced = await trace(network, x);
    const [layer] = traced.layers as [LayerTrace];
    assert.throws(() => gateFigure(layer, { series: ['z'] }), /no series "z"\. Choose from i, f, g, o, h, c/);
    assert.throws(() => gateFigure(layer, { row: 2 }), /row must be below 2.* got 2/);
    assert.throws(
      () => gateFigure(layer, { series: [] }),
      /series must not be empty\. Choose from i, f, g, o, h, c/,
    );
    const order = /order must be "index", "activity" or a list of units below \d+, got/;
    assert.throws(() => gateFigure(layer, { order: 'size' as never }), order);
    assert.throws(() => gateFigure(layer, { order: [0, 99] }), order);
    assert.throws(() => unrolledFigure({ layers: [], outputs: [] }), /no recurrent layer/);
    assert.throws(() => unrolledFigure(traced, { from: 11, steps: 4 }), /from must be at most 8, got 11/);
    assert.throws(() => lagFigure([]), /at least one curve/);
  });
});

test('weightStatistics counts the weights that are not finite, and leaves them out of mean and deviation', async () => {
  const layer = dense({ units: 2, useBias: false });
  const model = sequential([layer]);
  model.build([[-1, 2]]);
  model.parameters[0]!.assign([1, 3, Number.NaN, Number.POSITIVE_INFINITY]);
  const [{ mean, deviation, nonFinite }] = await weightStatistics(model);
  assert.deepEqual({ mean, deviation, nonFinite }, { mean: 2, deviation: 1, nonFinite: 2 });
});

test('weightStatistics returns the mean, standard deviation and share of zeros', async () => {
  const layer = dense({ units: 2 });
  const model = sequential([layer]);
  model.build([[-1, 2]]);
  layer.setWeights([
    { shape: [2, 2], values: [1, 2, 3, 0] },
    { shape: [2], values: [0, 0] },
  ]);
  const [kernel, bias] = await weightStatistics(model);
  assert.deepEqual(
    [kernel!.name, kernel!.shape, kernel!.mean, kernel!.zeros],
    ['dense/kernel', [2, 2], 1.5, 0.25],
  );
  assert.ok(Math.abs(kernel!.deviation - Math.sqrt(1.25)) < 1e-12);
  assert.deepEqual([bias!.deviation, bias!.zeros, bias!.histogram.count], [0, 1, 2]);
});
