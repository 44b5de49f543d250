// State dicts and checkpoints written by PyTorch give the outputs that PyTorch computed.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { predict, ready, tensor } from '@unroll/core';
import { formatOfFile } from '@unroll/formats/convert';
import { fileSource } from '@unroll/formats/convert/node';
import { cases, decode, FOLDER, largestError } from './torch-cases.js';

before(() => ready());

describe('models of PyTorch', () => {
  for (const [name, { file, options, map, x, y }] of Object.entries(cases)) {
    test(`${name}: ${JSON.stringify(options)}`, async () => {
      const source = await fileSource(join(FOLDER, file));
      const format = await formatOfFile(source);
      const { model, report } = await format.read(source, map === null ? {} : { map });
      const input = decode(x);
      const output = await predict(model, tensor(Array.from(input.values), input.shape));
      const expected = decode(y);
      assert.deepEqual([...output.shape], expected.shape);
      const error = largestError(await output.data(), expected.values);
      assert.ok(error < 1e-5, `error ${error}`);
      assert.ok(report.mapped.length > 0);
    });
  }
});
