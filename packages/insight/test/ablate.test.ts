/**
 * `ablate` and `saturation`: with a fixed gate or fixed units, the results are those of the equations with these values.
 * Detects a bias that is added twice, and an ablation that also changes the columns of another gate or the original model.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { predict, RandomStream, referenceBackend, tensor } from '@unroll/core';
import { ablate, gradientFlow, saturation, trace } from '@unroll/insight';
import {
  bidirectional,
  dense,
  lstm,
  lstmCell,
  type Recurrent,
  recurrent,
  sequential,
  stackedCells,
  zoneoutCell,
} from '@unroll/nn';
import { onBackend } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';
import { B, CELLS, H, I, T } from './cases.js';

const random = new RandomStream(9, 'ablate');
const X = tensor(
  Array.from({ length: B }, () => Array.from({ length: T }, () => Array.from(random.normal(I)))),
);
const GATES: Record<string, string> = {
  lstm: 'ifgo', gru: 'zrn', 'gru reset before': 'zrn', peephole: 'ifgo', coupled: 'fgo', 'layer norm': 'ifgo', projected: 'ifgo', minGru: 'z',
}; // biome-ignore format: a table

describe('a fixed gate', () => {
  for (const [name, gates] of Object.entries(GATES)) {
    for (const { name: backendName, backend, reason } of [
      { name: 'float64', backend: referenceBackend('float64'), reason: null },
      ...testBackends(),
    ]) {
      test(`has its value at every step: ${name} on ${backendName}`, { skip: reason || false }, () =>
        onBackend(backend!, async () => {
          for (const useBias of [true, false]) {
            const layer = CELLS[name]!({ returnSequences: true, ...({ useBias } as object) });
            const network = sequential([layer, dense({ units: 1 })], { seed: 2 });
            const before = await (await predict(network, X)).data();
            for (const gate of gates) {
              for (const value of [0, 0.25, 1]) {
                const ablated = ablate(network, { layer: layer.name, gate, value });
                const found = (await trace(ablated, X)).layers[0]!;
                for (const gateValue of found.gates[gate]!.values)
                  assert.ok(Math.abs(gateValue - value) < 1e-6, `${name} ${gate} ${value}: ${gateValue}`);
                const y = await (await ablated.predict(X)).data();
                assert.deepEqual(y, await (await predict(ablated, X)).data());
                assert.notDeepEqual(y, before);
                // At the first step h is 0, so the other gates are as in the model, unless they depend on the fixed gate.
                const plain = (await trace(network, X)).layers[0]!;
                const dependsOn = (other: string): boolean =>
                  other === gate || name === 'peephole' || (name === 'gru' && other === 'n' && gate === 'r');
                for (const other of [...gates].filter((gateName) => !dependsOn(gateName))) {
                  for (let u = 0; u < H; u++) {
                    const [a, b] = [found.gates[other]!.values[u]!, plain.gates[other]!.values[u]!];
                    assert.ok(
                      Math.abs(a - b) < 1e-6,
                      `${name}: ${other} with ${gate} = ${value}: ${a}, ${b}`,
                    );
                  }
                }
              }
            }
            assert.deepEqual(await (await predict(network, X)).data(), before, 'the model is unchanged');
          }
        }),
      );
    }
  }

  test('an LSTM that forgets everything has c = i g', () =>
    onBackend(referenceBackend('float64'), async () => {
      const network = sequential([lstm({ units: H })], { seed: 2 });
      const { gates, states } = (await trace(ablate(network, { layer: 'lstm', gate: 'f' }), X)).layers[0]!;
      states.c!.values.forEach((c, n) => {
        assert.ok(Math.abs(c - gates.i!.values[n]! * gates.g!.values[n]!) < 1e-12);
      });
      const flow = await gradientFlow(ablate(network, { layer: 'lstm', gate: 'f', value: 1 }), X);
      assert.ok(flow.layers[0]!.forgetProduct!.mean.every((share) => Math.abs(share - 1) < 1e-12));
    }));
});

describe('fixed units', () => {
  for (const name of ['lstm', 'gru', 'custom', 'minGru', 'stacked']) {
    test(`${name}: the unit is fixed at every step, and the other units change only after the first step`, () =>
      onBackend(referenceBackend('float64'), async () => {
        const layer = CELLS[name]!({ returnSequences: true });
        const network = sequential([layer], { seed: 2 });
        const state = name === 'stacked' ? '1.h' : 'h';
        const ablated = ablate(network, { layer: layer.name, units: [1], state, value: 0.5 });
        const { layers, outputs } = await trace(ablated, X);
        const width = layers[0]!.units;
        const plain = (await trace(network, X)).layers[0]!;
        for (let step = 0; step < B * T; step++) {
          assert.equal(layers[0]!.states[state]!.values[step * width + 1], 0.5);
          assert.equal(outputs[0]!.values[step * width + 1], 0.5);
          const other = layers[0]!.states[state]!.values[step * width]!;
          const isFirst = step % T === 0;
          // The units of a minGRU do not depend on each other.
          assert.equal(
            Math.abs(other - plain.states[state]!.values[step * width]!) < 1e-12,
            isFirst || name === 'minGru',
          );
        }
      }));
  }

  test('an ablated model can be ablated again, and inner layers are found by path or name', () =>
    onBackend(referenceBackend('float64'), async () => {
      const network = sequential([bidirectional(lstm({ units: 2, returnSequences: true }))], { seed: 2 });
      const one = ablate(network, { layer: 'bidirectional/backward_lstm', units: [0] });
      const two = ablate(one, { layer: 'forward_lstm', gate: 'o', value: 0 });
      const y = (await predict(two, X)).toArray() as number[][][];
      for (const row of y)
        for (const [a, b, c, d] of row)
          assert.ok(Math.abs(a!) < 1e-30 && Math.abs(b!) < 1e-30 && c === 0 && d !== 0, String(row));
    }));

  test('rejects a name that several layers have', () => {
    const both = () => bidirectional(lstm({ units: 2, returnSequences: true }));
    assert.throws(
      () => ablate(sequential([both(), both()]), { layer: 'forward_lstm', units: [0] }),
      /ablate: several recurrent layers have the name "forward_lstm"\. Pass one of the paths \S+\/forward_lstm, \S+\/forward_lstm\./,
    );
  });

  test('rejects wrong options', () => {
    const network = sequential([
      lstm({ units: 2 }),
      recurrent(stackedCells([lstmCell({ units: 2 })]), { name: 'stack' }),
    ]);
    const reject = (options: object, message: RegExp) =>
      assert.throws(() => ablate(network, options as never), message);
    reject({ layer: 'lstm' }, /exactly one of units and gate, got neither/);
    reject({ layer: 'lstm', units: [0], gate: 'f' }, /got both/);
    reject({ layer: 'lstm', units: [2] }, /units must be indices from 0 to 1, got 2/);
    reject({ layer: 'lstm', units: [0], state: 'z' }, /has no state "z"\. Its states: h, c/);
    reject({ layer: 'lstm', gate: 'z' }, /gate "z".*cannot be fixed\. Gates that can be fixed: i, f, g, o/);
    reject({ layer: 'lstm', gate: 'f', value: 2 }, /gate f cannot be fixed to 2/);
    reject({ layer: 'stack', gate: 'f' }, /cannot be fixed\. Gates that can be fixed: none/);
    reject({ layer: 'gru', units: [0] }, /no recurrent layer "gru"/);
  });
});

describe('saturation', () => {
  test('returns the shares of gate values near 0 and 1, dead units and half-lives', () =>
    onBackend(referenceBackend('float64'), async () => {
      const network = sequential([CELLS.lstm!({})], { seed: 2 });
      const mask = [
        [1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 0, 0],
      ];
      const { layers } = await trace(network, X, { mask: tensor(mask) });
      const [found] = await saturation(network, X, { mask: tensor(mask), threshold: 0.4 });
      assert.equal(found!.steps, 10);
      for (const gate of 'ifo') {
        const { values } = layers[0]!.gates[gate]!;
        const valid = Array.from(values).filter((_, i) => mask.flat()[Math.floor(i / H)] === 1);
        assert.ok(
          Math.abs(found!.gates[gate]!.low - valid.filter((v) => v < 0.4).length / valid.length) < 1e-12,
        );
        assert.ok(
          Math.abs(found!.gates[gate]!.high - valid.filter((v) => v > 0.6).length / valid.length) < 1e-12,
        );
      }
      assert.deepEqual(Object.keys(found!.values), ['g', 'h']);
      const logs = Array.from({ length: 15 }, (_, step) => step)
        .filter((step) => mask.flat()[step] === 1)
        .map((step) => Math.log(layers[0]!.gates.f!.values[step * H + 1]!));
      const rate = logs.reduce((sum, value) => sum + value, 0) / logs.length;
      assert.ok(Math.abs(found!.halfLife![1]! - Math.log(0.5) / rate) < 1e-9);
      assert.deepEqual(found!.dead, []);
      const [empty] = await saturation(network, X, { mask: tensor(mask.map((row) => row.map(() => 0))) });
      assert.deepEqual([empty!.steps, empty!.dead], [0, []]);
      assert.ok(empty!.halfLife!.every(Number.isNaN));
      const [damaged] = await saturation(ablate(network, { layer: 'lstm', units: [2] }), X);
      assert.deepEqual(damaged!.dead, [2]);
      const [open] = await saturation(ablate(network, { layer: 'lstm', gate: 'f', value: 1 }), X);
      assert.equal(open!.gates.f!.high, 1);
      assert.ok(open!.halfLife!.every((steps) => steps > 1e9));
      const [none] = await saturation(sequential([CELLS.rnn!({})]), X);
      assert.equal(none!.halfLife, null);
    }));

  test('a stack of one cell has the half-life and the forget product of the cell, also without a fused kernel', () =>
    onBackend(referenceBackend('float64'), async () => {
      for (const cell of [lstmCell({ units: H }), zoneoutCell(lstmCell({ units: H }), { h: 0.2, c: 0.3 })]) {
        const network = sequential([recurrent(stackedCells([cell]))], { seed: 2 });
        const [layer] = (await trace(network, X)).layers;
        assert.deepEqual(
          [Object.keys(layer!.gates).sort(), layer!.keep?.name],
          [['0.f', '0.g', '0.i', '0.o'], '0.f'],
        );
        const [found] = await saturation(network, X);
        assert.equal(found!.halfLife?.length, H);
        const { layers } = await gradientFlow(network, X);
        assert.notEqual(layers[0]!.forgetProduct, null);
      }
    }));

  test('the half-life for a gate of 0.5 is one step, also in a GRU', () =>
    onBackend(referenceBackend('float64'), async () => {
      for (const [name, gate, value] of [
        ['lstm', 'f', 0.5],
        ['gru', 'z', 0.5],
        ['gru reset before', 'z', 0.25],
      ] as const) {
        const layer: Recurrent = CELLS[name]!({});
        const network = sequential([layer], { seed: 2 });
        const [found] = await saturation(ablate(network, { layer: layer.name, gate, value }), X);
        const wanted = value === 0.25 ? Math.log(0.5) / Math.log(0.75) : 1;
        assert.ok(
          found!.halfLife!.every((steps) => Math.abs(steps - wanted) < 1e-9),
          name,
        );
      }
    }));
});
