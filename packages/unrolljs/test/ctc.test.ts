/**
 * A model that learns to read: it maps frames of a noisy signal, in which each symbol has a random duration, to the
 * string of symbols. The training data do not contain the step at which a symbol begins. Detects a loss whose gradient
 * does not train, and a decoder that does not match the loss.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  bidirectional,
  ctcBeamSearch,
  ctcGreedy,
  dense,
  load,
  lstm,
  masking,
  RandomStream,
  sequential,
  type Tensor,
  tensor,
} from 'unrolljs';

const [SYMBOLS, FEATURES, T, L] = [5, 8, 40, 6];

/** Returns `count` strings of 2 to 6 symbols, as frames. Each symbol is shown for 2 to 4 frames, with noise, after 1 to 2 frames without a symbol. */
function examples(
  count: number,
  seed: number,
): {
  x: Tensor;
  y: Tensor;
  strings: string[];
  lengths: number[];
} {
  const random = new RandomStream(seed, 'reading');
  const prototypes = new RandomStream(1, 'prototypes').normal(SYMBOLS * FEATURES);
  const integer = (low: number, high: number): number => Math.floor(random.uniform(1, low, high + 1)[0]);
  const x = new Float32Array(count * T * FEATURES);
  const y = new Float32Array(count * L).fill(-1);
  const strings: string[] = [];
  const lengths: number[] = [];
  for (let b = 0; b < count; b++) {
    const symbols = Array.from({ length: integer(2, L) }, () => integer(0, SYMBOLS - 1));
    let t = 0;
    const frame = (symbol: number): void => {
      const noise = random.normal(FEATURES, 0, 0.3);
      for (let i = 0; i < FEATURES; i++) {
        x[(b * T + t) * FEATURES + i] = noise[i] + (symbol < 0 ? 0 : prototypes[symbol * FEATURES + i]);
      }
      t++;
    };
    for (const symbol of symbols) {
      for (let n = integer(1, 2); n > 0; n--) frame(-1);
      for (let n = integer(2, 4); n > 0; n--) frame(symbol);
    }
    y.set(symbols.map((symbol) => symbol + 1), b * L); // biome-ignore format: one line
    lengths.push(t);
    strings.push(symbols.map((symbol) => symbol + 1).join());
  }
  return { x: tensor(x, [count, T, FEATURES]), y: tensor(y, [count, L]), strings, lengths };
}

/** Returns the share of strings that are read without an error. */
const exactShare = (found: readonly (readonly number[])[], strings: readonly string[]): number =>
  found.filter((labels, b) => labels.join() === strings[b]).length / strings.length;

test('learns to read noisy frames without an alignment; tested after saving and loading', {
  timeout: 120_000,
}, async (t) => {
  const training = examples(600, 2);
  const unseen = examples(200, 3);
  const network = sequential(
    [masking(), bidirectional(lstm({ units: 24, returnSequences: true })), dense({ units: SYMBOLS + 1 })],
    { seed: 1 },
  );
  network.compile({
    optimizer: { name: 'adam', learningRate: 0.01 },
    loss: 'ctc',
    metrics: ['labelErrorRate'],
  });
  await network.fit(training.x, training.y, { epochs: 12, batchSize: 20 });
  const folder = mkdtempSync(join(tmpdir(), 'unroll-ctc-'));
  t.after(() => rmSync(folder, { recursive: true }));
  await network.save(join(folder, 'model.zip'));
  const loaded = await load(join(folder, 'model.zip'));
  const { labelErrorRate } = await loaded.evaluate(unseen.x, unseen.y);
  assert.ok(labelErrorRate < 0.02, `label error rate ${labelErrorRate}`);
  const { lengths } = unseen;
  const scores = await loaded.predict(unseen.x);
  const greedy = exactShare(ctcGreedy(scores, { lengths }).map(({ labels }) => labels), unseen.strings); // biome-ignore format: one line
  const beam = exactShare(ctcBeamSearch(scores, { lengths }).map(([{ labels }]) => labels), unseen.strings); // biome-ignore format: one line
  assert.ok(greedy >= 0.95, `greedy: ${greedy}`);
  assert.ok(beam >= 0.95, `beam search: ${beam}`);
});
