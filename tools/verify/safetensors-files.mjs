// Writes and reads safetensors files, for comparison with the Python library.
//
//   node tools/verify/safetensors-files.mjs write FOLDER   trains a model, saves artifacts and a checkpoint in FOLDER, and
//                                                          prints the weights as JSON
//   node tools/verify/safetensors-files.mjs read FILE      prints the tensors and metadata of a file as JSON
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tensor } from '@unroll/core';
import { floatsOf, readSafetensors } from '@unroll/formats';
import { saveArtifact } from '@unroll/formats/node';
import { bidirectional, dense, lstm, sequential } from '@unroll/nn';
import { fit } from '@unroll/train';

/** Returns a number as a JSON value. NaN and infinities, which JSON does not have, become strings. */
const jsonNumber = (value) => (Number.isFinite(value) ? value : String(value));

const tensorsOf = (file) => {
  const { tensors, metadata } = readSafetensors(readFileSync(file));
  const found = [...tensors].map(([name, stored]) => [
    name,
    { dtype: stored.dtype, shape: stored.shape, values: Array.from(floatsOf(stored, name), jsonNumber) },
  ]);
  return { tensors: Object.fromEntries(found), metadata: Object.fromEntries(metadata) };
};

const [command, path] = process.argv.slice(2);
if (command === 'write') {
  const model = sequential([bidirectional(lstm({ units: 3 })), dense({ units: 2 })]);
  const x = tensor(
    Float32Array.from({ length: 96 }, (_, i) => Math.sin(i)),
    [8, 6, 2],
  );
  const y = tensor(
    Float32Array.from({ length: 16 }, (_, i) => Math.cos(i)),
    [8, 2],
  );
  await fit(model, { x, y, loss: 'mse', optimizer: 'adam', epochs: 2, checkpointDir: path });
  await saveArtifact(join(path, 'artifact'), model, { training: { epochs: 2 } });
  await saveArtifact(join(path, 'float16'), model, { weights: 'float16' });
  const weights = model.getWeights().map(({ name, shape, values }) => [name, { shape, values: [...values] }]);
  console.log(JSON.stringify({ weights: Object.fromEntries(weights) }));
} else console.log(JSON.stringify(tensorsOf(path)));
