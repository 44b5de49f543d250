// Imports ONNX files and compares the outputs with recorded ones: <case>.onnx with <case>.json in a folder, written by
// `tools/goldens/formats/onnx_files.py --matrix FOLDER`. Not part of the test suite.
//
//   node tools/verify/onnx-files.mjs FOLDER [--operators]     --operators: writes the list that the Python script reads
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(fileURLToPath(import.meta.url), '../../../packages');
const load = (path) => import(pathToFileURL(join(root, path)).href);
const core = await load('core/dist/index.bundle.js');
const { importOnnx } = await load('formats/dist/convert/onnx/import.js');
const { bytesSource } = await load('formats/dist/convert/source.js');
const { operators } = await load('formats/dist/convert/onnx/operators/index.js');
core.setBackend(core.referenceBackend('float64'));

const [folder] = process.argv.slice(2);
if (process.argv.includes('--operators')) {
  writeFileSync(join(folder, 'operators.txt'), [...operators.keys()].join('\n'));
  process.exit();
}

const arrayOf = ({ shape, data }) => {
  const bytes = Buffer.from(data, 'base64');
  return { shape, values: Array.from(new Float32Array(new Uint8Array(bytes).buffer)) };
};

/** Returns an array of the file with the axes of the model. */
const toModel = ({ shape, values }, axes) => {
  const order = axes.filter((axis) => axis >= 0);
  const all = [...order, ...shape.map((_, axis) => axis).filter((axis) => !order.includes(axis))];
  const extents = axes.map((axis) => (axis < 0 ? 1 : shape[axis]));
  return core.scope(() => core.reshape(core.permute(core.reshape(core.tensor(values), shape), all), extents));
};

const compare = async (name) => {
  const { inputs, outputs, tolerance } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
  const { model, axes } = await importOnnx(
    bytesSource(readFileSync(join(folder, `${name}.onnx`)), `${name}.onnx`),
  );
  const values = inputs.map((input, i) => toModel(arrayOf(input), axes.inputs[i].axes));
  const results = await core.predictAll(model, values);
  let worst = 0;
  for (const [i, result] of results.entries()) {
    const expected = toModel(arrayOf(outputs[i]), axes.outputs[i].axes).dataSync();
    if (expected.length !== result.size) throw new Error(`output ${i} has the shape ${result.shape}`);
    result.dataSync().forEach((value, k) => {
      const error = Math.abs(value - expected[k]) / Math.max(1, Math.abs(expected[k]));
      if (!(error <= worst)) worst = error;
    });
  }
  return { worst, isEqual: worst <= tolerance };
};

const names = readdirSync(folder)
  .filter((file) => file.endsWith('.onnx'))
  .map((file) => file.slice(0, -'.onnx'.length))
  .sort();
const reasons = new Map();
let equal = 0;
let largest = 0;
for (const name of names) {
  try {
    const { worst, isEqual } = await compare(name);
    if (isEqual) {
      equal++;
      if (!/float16|bfloat16/.test(name)) largest = Math.max(largest, worst);
    } else reasons.set(`differs by ${worst}`, [name]);
  } catch (error) {
    const reason = error.message
      .replace(/^\w+ "[^"]*": /, '')
      .replaceAll(name, '')
      .slice(0, 160);
    reasons.set(reason, [...(reasons.get(reason) ?? []), name]);
  }
}
console.log(`${equal} of ${names.length} files agree; the largest difference is ${largest}`);
for (const [reason, files] of [...reasons].sort(([, a], [, b]) => b.length - a.length))
  console.log(`${files.length}  ${reason}  ${files.slice(0, 4).join(', ')}`);
