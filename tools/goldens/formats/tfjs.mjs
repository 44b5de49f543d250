// Writes TensorFlow.js model files of the type LayersModel (not GraphModel) with inputs and outputs, as reference values for the
// import of such files.
//
//   mkdir /tmp/tfjs && cd /tmp/tfjs && npm i @tensorflow/tfjs@4.22.0
//   node tools/goldens/formats/tfjs.mjs /tmp/tfjs
//
// Writes packages/testkit/goldens/formats/keras/tfjs.json: for each case, model.json as text, the weights as base64, and the
// inputs and outputs. Quantised weights follow tensorflowjs_converter: integers q with values = q * scale + min, or
// float16. The outputs are those of the model with the rounded weights.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [folder] = process.argv.slice(2);
const tf = createRequire(join(folder, 'package.json'))('@tensorflow/tfjs');
await tf.setBackend('cpu');
const { layers } = tf;

let state = 1;
const random = () => {
  state = (state * 48271) % 2147483647;
  return state / 2147483647 - 0.5;
};

const models = {
  sequential() {
    return tf.sequential({
      layers: [
        layers.lstm({ units: 4, inputShape: [6, 3], returnSequences: true }),
        layers.gru({ units: 3, returnSequences: true, goBackwards: true }),
        layers.bidirectional({
          layer: layers.simpleRNN({ units: 2, returnSequences: true }),
          mergeMode: 'concat',
        }),
        layers.timeDistributed({ layer: layers.dense({ units: 3, activation: 'elu' }) }),
        layers.batchNormalization(),
        layers.conv1d({ filters: 2, kernelSize: 2, activation: 'relu' }),
        layers.flatten(),
        layers.dropout({ rate: 0.3 }),
        layers.dense({ units: 2, activation: 'softmax' }),
      ],
    });
  },
  functional() {
    const x = tf.input({ shape: [5], name: 'ids' });
    const e = layers.embedding({ inputDim: 9, outputDim: 4, maskZero: false }).apply(x);
    const [y, h, c] = layers
      .lstm({ units: 3, returnSequences: true, returnState: true, recurrentActivation: 'sigmoid' })
      .apply(e);
    const z = layers.lstm({ units: 3 }).apply(y, { initialState: [h, c] });
    const shared = layers.dense({ units: 2, activation: 'tanh' });
    const inner = tf.sequential({
      layers: [layers.dense({ units: 4, inputShape: [3] }), layers.layerNormalization()],
      name: 'inner',
    });
    const out = layers.concatenate().apply([shared.apply(z), shared.apply(h), inner.apply(c)]);
    return tf.model({ inputs: x, outputs: out });
  },
  stacked() {
    const cell = layers.stackedRNNCells({
      cells: [layers.lstmCell({ units: 3 }), layers.gruCell({ units: 2 })],
    });
    return tf.sequential({
      layers: [layers.masking({ inputShape: [4, 3] }), layers.rnn({ cell }), layers.dense({ units: 1 })],
    });
  },
};

/** Returns the bits of a number as float16: the fraction is cut off, and numbers below 2^-14 become 0. */
const f16 = (value) => {
  const f = new Float32Array([value]);
  const bits = new Uint32Array(f.buffer)[0];
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  if (exponent <= 0) return sign;
  return sign | (exponent << 10) | ((bits >>> 13) & 0x3ff);
};
const fromF16 = (h) =>
  h & 0x7fff ? (h & 0x8000 ? -1 : 1) * 2 ** (((h >> 10) & 31) - 15) * (1 + (h & 1023) / 1024) : 0;

/** Returns the stored bytes, the values that they stand for, and the entry `quantization` of model.json. */
function quantise(values, dtype) {
  if (dtype === 'float16') {
    const bits = Uint16Array.from(values, f16);
    return {
      bytes: new Uint8Array(bits.buffer),
      values: Float32Array.from(bits, fromF16),
      quantization: { dtype, original_dtype: 'float32' },
    };
  }
  const [min, max] = [Math.min(...values), Math.max(...values)];
  const scale = (max - min) / (dtype === 'uint8' ? 255 : 65535) || 1;
  const q = (dtype === 'uint8' ? Uint8Array : Uint16Array).from(values, (v) => Math.round((v - min) / scale));
  return {
    bytes: new Uint8Array(q.buffer),
    values: Float32Array.from(q, (v) => v * scale + min),
    quantization: { dtype, scale, min, original_dtype: 'float32' },
  };
}

const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const golden = (tensor) => ({
  shape: tensor.shape,
  data: base64(new Uint8Array(Float32Array.from(tensor.dataSync()).buffer)),
});

const records = {};
for (const [name, make] of Object.entries(models)) {
  for (const dtype of name === 'functional'
    ? ['float32']
    : name === 'stacked'
      ? ['float32', 'float16']
      : ['float32', 'uint8', 'uint16']) {
    const model = make();
    model.setWeights(
      model.getWeights().map((w, i) => {
        const positive = /moving_variance/.test(model.weights[i].originalName);
        return tf.tensor(
          Float32Array.from({ length: w.size }, () => (positive ? 1 + random() : 1.2 * random())),
          w.shape,
        );
      }),
    );
    let saved;
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      }),
    );
    let at = 0;
    const data = new Uint8Array(saved.weightData);
    const parts = [];
    const rounded = new Map();
    const specs = saved.weightSpecs.map((spec) => {
      const size = 4 * spec.shape.reduce((a, b) => a * b, 1);
      const values = new Float32Array(data.slice(at, at + size).buffer);
      at += size;
      const {
        bytes,
        values: stored,
        quantization,
      } = dtype === 'float32' ? { bytes: new Uint8Array(values.buffer), values } : quantise(values, dtype);
      parts.push(Buffer.from(bytes));
      rounded.set(spec.name, stored);
      return quantization ? { ...spec, quantization } : spec;
    });
    model.loadWeights(
      Object.fromEntries(
        saved.weightSpecs.map(({ name: key, shape }) => [key, tf.tensor(rounded.get(key), shape)]),
      ),
    );
    const weights = Buffer.concat(parts);
    const half = Math.floor(weights.length / 2);
    const json = {
      modelTopology: saved.modelTopology,
      format: saved.format,
      generatedBy: saved.generatedBy,
      convertedBy: saved.convertedBy ?? null,
      weightsManifest: [{ paths: ['group1-shard1of2.bin', 'group1-shard2of2.bin'], weights: specs }],
    };
    const [, ...shape] = model.inputs[0].shape;
    const x = tf.tensor(
      Float32Array.from({ length: 4 * shape.reduce((a, b) => a * b, 1) }, () =>
        name === 'functional' ? Math.floor((random() + 0.5) * 9) : 2 * random(),
      ),
      [4, ...shape],
    );
    records[`${name}_${dtype}`] = {
      json: JSON.stringify(json),
      files: {
        'group1-shard1of2.bin': base64(weights.subarray(0, half)),
        'group1-shard2of2.bin': base64(weights.subarray(half)),
      },
      inputs: [golden(x)],
      outputs: [model.predict(x)].flat().map(golden),
    };
  }
}
const target = new URL('../../../packages/testkit/goldens/formats/keras/tfjs.json', import.meta.url);
writeFileSync(target, `${JSON.stringify({ versions: { tfjs: tf.version.tfjs }, cases: records })}\n`);
