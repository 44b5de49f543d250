// Imports the ONNX files of a folder, <case>.onnx, and compares their outputs with those recorded in <case>.json. The folder is
// written by `tools/goldens/formats/onnx_files.py --matrix FOLDER` or `--cases FOLDER`. Not part of the test suite.
//
//   node tools/verify/onnx-files.mjs FOLDER               compares
//   node tools/verify/onnx-files.mjs FOLDER --list        also writes docs/onnx-backend-cases.md
//   node tools/verify/onnx-files.mjs FOLDER --operators   only writes operators.txt, which `onnx_files.py --cases FOLDER` reads
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
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

/**
 * Converts an array of the file to a tensor with the axes of the model.
 * @param axes for each axis of the model, the axis of the recorded array from which it comes, or -1 for a new axis of size 1
 */
const toModel = ({ shape, values }, axes) => {
  const order = axes.filter((axis) => axis >= 0);
  const all = [...order, ...shape.map((_, axis) => axis).filter((axis) => !order.includes(axis))];
  const extents = axes.map((axis) => (axis < 0 ? 1 : shape[axis]));
  return core.scope(() => core.reshape(core.permute(core.reshape(core.tensor(values), shape), all), extents));
};

/** Imports a file. Resolves to the largest error of its outputs, and whether it is within the tolerance. */
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
    if (expected.length !== result.size)
      throw new Error(
        `output ${i} has the shape [${result.shape}], but ${expected.length} values are expected`,
      );
    result.dataSync().forEach((value, k) => {
      if (Object.is(value, expected[k])) return; // also NaN and infinity
      const error = Math.abs(value - expected[k]) / Math.max(1, Math.abs(expected[k]));
      worst = Math.max(worst, error); // keeps NaN
    });
  }
  return { worst, isEqual: worst <= tolerance };
};

const names = readdirSync(folder)
  .filter((file) => file.endsWith('.onnx') && existsSync(join(folder, file.replace(/onnx$/, 'json'))))
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
      if (!/float16/i.test(name)) largest = Math.max(largest, worst);
    } else {
      const reason = `differs by ${worst}`;
      reasons.set(reason, [...(reasons.get(reason) ?? []), name]);
    }
  } catch (error) {
    const reason = error.message
      .replace(/^\w+ "[^"]*": /, '')
      .replaceAll(name, '')
      .slice(0, 160);
    reasons.set(reason, [...(reasons.get(reason) ?? []), name]);
  }
}
console.log(
  `${equal} of ${names.length} files agree; the largest difference is ${largest} (float16 files not included)`,
);
const sorted = [...reasons].sort(([, a], [, b]) => b.length - a.length);
for (const [reason, files] of sorted)
  console.log(`${files.length}  ${reason}  ${files.slice(0, 4).join(', ')}`);

/** Patterns of the importer's messages, with the reason that the page gives. */
const EXPLANATIONS = [
  [
    /only convolution and pooling over one axis|only the time axis/,
    '2D and 3D convolution and pooling are not supported.',
  ],
  [
    /does not depend on the inputs|must be constant|its output Indices/,
    'An output is constant, or the node has a second output (mask, indices) that the layer does not have.',
  ],
  [/products of elements/, 'Products of the elements of a tensor are not supported.'],
  [/training mode/, 'Nodes in training mode are not supported: files are read for inference.'],
  [
    /must have the batch size|cannot be rearranged|do not match/,
    'The batch axes of two inputs have different sizes and are broadcast.',
  ],
  [/version 1 of ONNX/, 'The file uses operator set 1; Unroll reads 7 and newer.'],
  [/at least one time step|no elements|allowzero|3, 4, 0/, 'A tensor has no elements.'],
  [/differs by NaN/, 'The remainder (Mod) of a division by infinity is NaN in Unroll.'],
  [/repeats an axis/, 'Tile is supported only along axes of size 1.'],
  [/the mode\b/, 'Only the padding mode `constant` is supported.'],
  [/cannot be reshaped/, 'The node changes the batch axis.'],
];

if (process.argv.includes('--list')) {
  const groups = new Map();
  for (const [reason, files] of sorted) {
    const [, text] = EXPLANATIONS.find(([pattern]) => pattern.test(reason)) ?? [null, reason];
    groups.set(text, [...(groups.get(text) ?? []), ...files]);
  }
  const sortedGroups = [...groups].sort(
    ([a, { length: m }], [b, { length: n }]) => n - m || (a < b ? -1 : 1),
  );
  const rows = sortedGroups.map(([text, files]) => {
    const list = files.map((file) => `\`${file}\``).sort();
    return `| ${text} | ${files.length} | ${list.join(', ')} |`;
  });
  const page = `# ONNX backend test cases

The Python package \`onnx\` has test cases for single nodes, with recorded outputs. There are ${names.length} cases for the
operators that Unroll reads; ${equal} pass, including all cases of RNN, LSTM and GRU nodes. The others are listed here. The
numbers do not include cases with data types that Unroll does not read (floats of 8 and 4 bits, integers of 4 and 2 bits,
strings) or cases without an input array (Constant, Range, sequences). Unroll does not round intermediate values to float16,
so the tolerance is 1e-2 for float16 cases and 1e-5 for all others, times max(1, |y|) for a recorded output y.

\`node tools/verify/onnx-files.mjs FOLDER --list\` writes this page from the files that
\`tools/goldens/formats/onnx_files.py --cases FOLDER\` writes.

| reason | cases | names |
|---|---|---|
${rows.join('\n')}
`;
  writeFileSync(join(root, '../docs/onnx-backend-cases.md'), page);
}
