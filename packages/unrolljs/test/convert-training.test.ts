// Training continues where PyTorch stopped: with the optimizer's state of a checkpoint, the losses of six updates are PyTorch's.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { tensor } from 'unrolljs';
import { importPyTorch, resumeTraining } from 'unrolljs/convert';

const FOLDER = fileURLToPath(new URL('../../testkit/goldens/formats/pytorch', import.meta.url));

interface EncodedArray {
  shape: number[];
  values: string;
}
const { training } = JSON.parse(readFileSync(join(FOLDER, 'cases.json'), 'utf8')) as {
  training: Record<string, { file: string; x: EncodedArray; y: EncodedArray; losses: number[] }>;
};
const decode = ({ shape, values }: EncodedArray) =>
  tensor(Array.from(new Float64Array(Uint8Array.from(Buffer.from(values, 'base64')).buffer)), shape);

describe('training continues with the optimizer of PyTorch', () => {
  for (const [name, { file, x, y, losses }] of Object.entries(training)) {
    test(name, async () => {
      const { model, optimizer } = await importPyTorch(join(FOLDER, file));
      assert.ok(optimizer);
      resumeTraining(model, optimizer, { loss: 'mse' });
      const found: number[] = [];
      for (let n = 0; n < 6; n++) found.push((await model.trainOnBatch(decode(x), decode(y))).loss);
      losses.forEach((loss, n) => {
        assert.ok(
          Math.abs((found[n] ?? Number.NaN) - loss) < 1e-4,
          `update ${n}: ${found[n]}, PyTorch ${loss}`,
        );
      });
    });
  }
});
