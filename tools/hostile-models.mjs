// Makes damaged and forged model files of Unroll, Keras, PyTorch and ONNX for the test of the studio: truncated files, forged sizes,
// keys such as `__proto__`, and files of another type.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ARTIFACT_FILES, fromZip, toArtifact, toZip } from '@unroll/formats';
import { dense, lstm, sequential } from '@unroll/nn';

const goldens = fileURLToPath(new URL('../packages/testkit/goldens/formats', import.meta.url));
const golden = (...path) => readFileSync(join(goldens, ...path));

const latin = (bytes) => Buffer.from(bytes).toString('latin1');
const bytesOf = (text) => new Uint8Array(Buffer.from(text, 'latin1'));

/** Replaces text in a file by text of the same length. */
const replaced = (bytes, from, to) => {
  const text = latin(bytes);
  if (!text.includes(from)) throw new Error(`The file has no ${from}.`);
  return bytesOf(text.replaceAll(from, to.padEnd(from.length, '_').slice(0, from.length)));
};

/** Replaces the sizes in the central directory of a zip by almost 4 GiB. */
const forgedZip = (zip) => {
  const out = Buffer.from(zip);
  for (let at = out.indexOf('PK\x01\x02'); at >= 0; at = out.indexOf('PK\x01\x02', at + 4)) {
    out.writeUInt32LE(0xfffffff0, at + 20);
    out.writeUInt32LE(0xfffffff0, at + 24);
  }
  return new Uint8Array(out);
};

/** Replaces one file of a zip. */
const withFile = async (zip, names, name, change) => {
  const files = await fromZip(zip, names);
  if (!files.has(name)) throw new Error(`The zip has no ${name}.`);
  return toZip(new Map([...files, [name, change(files.get(name))]]));
};

/** Adds a key `__proto__` to JSON: an object that is copied carelessly would change the prototype of all objects. */
const polluted = (bytes) =>
  bytesOf(
    latin(bytes).replace(/"(?:config|layers)"\s*:/, (key) => `"__proto__": {"polluted": true}, ${key}`),
  );

/** Changes the first dimension of a tensor in a safetensors header to 9, so that its shape does not fit its data. */
const forgedShape = (bytes) => bytesOf(latin(bytes).replace(/"shape":\[\d+/, '"shape":[9'));

/** Returns a small model of Unroll as a zip. */
const ownZip = async () => {
  const network = sequential([lstm({ units: 3, name: 'memory' }), dense({ units: 1 })]);
  network.build([[-1, 4, 2]]);
  return toZip(await toArtifact(network));
};

/** Returns cases [file name, content, whether it must be refused] and the intact files. */
export const hostileModels = async () => {
  const artifact = await ownZip();
  const kerasFiles = await fromZip(golden('keras', 'files.zip'), [
    'sequential_lstm.keras',
    'sequential_lstm.h5',
  ]);
  const keras = kerasFiles.get('sequential_lstm.keras');
  const kerasNames = ['config.json', 'metadata.json', 'model.weights.h5'];
  const intact = {
    zip: artifact,
    keras,
    h5: kerasFiles.get('sequential_lstm.h5'),
    pt: golden('pytorch', 'case001.pt'),
    onnx: golden('onnx', 'stacked-script.onnx'),
  };
  const cases = Object.entries(intact).flatMap(([end, bytes]) => [
    [`truncated.${end}`, bytes.subarray(0, Math.floor(bytes.length * 0.6)), true],
    [`empty.${end}`, new Uint8Array(), true],
    [`text.${end}`, bytesOf('This is not a model.\n'.repeat(20)), true],
    [`picture.${end}`, bytesOf('\x89PNG\r\n\x1a\n\0\0\0\rIHDR'), true],
  ]);
  cases.push(
    ['sizes.zip', forgedZip(artifact), true],
    ['tensors.zip', await withFile(artifact, ARTIFACT_FILES, 'model.safetensors', forgedShape), true],
    ['names.zip', await withFile(artifact, ARTIFACT_FILES, 'config.json', polluted), false],
    ['sizes.keras', forgedZip(keras), true],
    ['names.keras', await withFile(keras, kerasNames, 'config.json', polluted), false],
    ['sizes.pt', forgedZip(intact.pt), true],
    // This also makes the checksum of the entry wrong.
    ['names.pt', replaced(intact.pt, 'encoder.weight_ih_l0', '__proto__.weight'), false],
    ['names.onnx', replaced(intact.onnx, 'Unsqueeze_output_0', '__proto__'), false],
    ['sizes.onnx', forgedLength(intact.onnx), true],
  );
  return { intact, cases };
};

/** Replaces the length of the graph in an ONNX file by 2 GiB. */
const forgedLength = (bytes) => {
  const out = Uint8Array.from(bytes);
  const at = out.indexOf(0x3a); // the tag of field 7, the graph
  out.set([0xff, 0xff, 0xff, 0xff, 0x07], at + 1);
  return out;
};
