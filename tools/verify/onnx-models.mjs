// Exports random models to ONNX, and compares their outputs with those of onnxruntime-node. The models differ in layers, masks,
// directions and returned states, and some are streamed. Not part of the test suite: install onnxruntime-node in a folder outside
// the repository and run this script there. With a folder as the third argument, also writes the files to it; the second command
// below checks these files.
//
//   node <repository>/tools/verify/onnx-models.mjs [count] [seed] [folder]
//   python -c 'import glob, onnx; [onnx.checker.check_model(f, full_check=True) for f in glob.glob("FOLDER/*.onnx")]'
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(fileURLToPath(import.meta.url), '../../../packages');
const load = (path) => import(pathToFileURL(join(root, path)).href);
const core = await load('core/dist/index.bundle.js');
const nn = await load('nn/dist/index.bundle.js');
const { exportOnnx } = await load('formats/dist/convert/onnx/export.js');
const { importOnnx } = await load('formats/dist/convert/onnx/import.js');
const { bytesSource } = await load('formats/dist/convert/source.js');
const { runOnnx } = await load('formats/dist/convert/onnx/run.js');
const ort = createRequire(join(process.cwd(), 'package.json'))('onnxruntime-node');
core.setBackend(core.referenceBackend('float32'));

const [count = 300, firstSeed = 1] = process.argv.slice(2, 4).map(Number);
const folder = process.argv[4];
/** Largest allowed difference, relative to max(1, |y|). */
const TOLERANCE = 1e-5;

/** Returns functions that draw random numbers and choices. */
const drawer = (seed) => {
  const random = new core.RandomStream(seed, 'onnx-models');
  const below = (n) => Math.floor(random.uniform(1)[0] * n);
  return { below, from: (list) => list[below(list.length)], chance: (p) => random.uniform(1)[0] < p };
};

const ACTIVATIONS = ['tanh', 'sigmoid', 'relu', 'hardSigmoid', 'linear', 'softsign', 'elu', 'softplus'];

/** Bounded activation functions for general cells. */
const BOUNDED = [
  ...[{ name: 'tanh' }, { name: 'sigmoid' }, { name: 'softsign' }],
  ...[
    { name: 'hardSigmoid', alpha: 0.3, beta: 0.4 },
    { name: 'scaledTanh', alpha: 0.8, beta: 1.2 },
  ],
];
const FUNCTIONS = [
  ...BOUNDED,
  ...[{ name: 'relu' }, { name: 'elu', alpha: 0.5 }, { name: 'leakyRelu', alpha: 0.1 }],
  ...[
    { name: 'linear', alpha: 0.5, beta: 0.1 },
    { name: 'thresholdedRelu', alpha: 0.3 },
  ],
];

/** Returns a recurrent layer with random options. */
const recurrentLayer = (draw, options, isCausal) => {
  const units = 1 + draw.below(6);
  const useBias = draw.chance(0.85);
  const activation = draw.chance(0.7) ? 'tanh' : draw.from(ACTIVATIONS);
  const recurrentActivation = draw.chance(0.7) ? 'sigmoid' : draw.from(['sigmoid', 'hardSigmoid']);
  const gated = { units, useBias, activation, recurrentActivation, ...options };
  const back = !isCausal && draw.chance(0.2) ? { goBackwards: true } : {};
  const kind = draw.below(11);
  if (kind < 2) return nn.lstm({ ...gated, ...back });
  if (kind < 4)
    return nn.gru({
      ...gated,
      resetAfter: draw.chance(0.5),
      updateGate: draw.from(['keep', 'candidate']),
      ...back,
    });
  if (kind === 4) return nn.simpleRNN({ units, useBias, activation, ...options, ...back });
  if (kind === 5) return nn.peepholeLstm({ ...gated, peepholeInitializer: 'glorotUniform', ...back });
  if (kind === 6) return nn.coupledLstm({ ...gated, ...back });
  // Unbounded gates let states grow until float32 overflows.
  const functions = [draw.from(BOUNDED), draw.from(FUNCTIONS), draw.from(BOUNDED)];
  const general = {
    units,
    useBias,
    ...options,
    ...back,
    ...(draw.chance(0.5) && { clip: 0.3 + draw.below(5) / 5 }),
  };
  if (kind === 8) return nn.generalRnn({ ...general, functions: functions.slice(0, 1) });
  if (kind === 9)
    return nn.generalGru({ ...general, functions: functions.slice(0, 2), resetAfter: draw.chance(0.5) });
  if (kind === 10)
    return nn.generalLstm({ ...general, functions, peephole: draw.chance(0.5), coupled: draw.chance(0.5) });
  const cells = [nn.lstmCell({ units }), nn.gruCell({ units: 1 + draw.below(4) })];
  return nn.recurrent(nn.stackedCells(cells), { ...options, ...back });
};

/** Wraps a layer in `bidirectional` at random. */
const maybeBidirectional = (draw, layer, isCausal) => {
  if (isCausal || layer.goBackwards || !draw.chance(0.35)) return layer;
  return nn.bidirectional(layer, { mergeMode: draw.from(['concat', 'sum', 'ave', 'mul']) });
};

/** Returns a random layer that maps a sequence to a sequence, to be inserted between recurrent layers. */
const between = (draw, isCausal, isMasked) => {
  const choices = [
    () =>
      nn.dense({
        units: 1 + draw.below(5),
        activation: draw.from(['relu', 'gelu', 'mish', 'selu', 'silu', 'softmax']),
      }),
    () => nn.layerNormalization({ epsilon: 1e-3 }),
    () => nn.batchNormalization(),
    () => nn.dropout({ rate: 0.2 }),
    () =>
      nn.activation(
        draw.from([
          'leakyRelu',
          'hardTanh',
          'softShrink',
          'hardShrink',
          'logSigmoid',
          'squareplus',
          'sparsePlus',
        ]),
      ),
    () =>
      nn.conv1d({
        filters: 1 + draw.below(4),
        kernelSize: 1 + draw.below(3),
        padding: isCausal ? 'causal' : draw.from(['same', 'causal', 'valid']),
        activation: 'tanh',
      }),
    () => nn.timeDistributed(nn.dense({ units: 3 })),
    ...(isCausal || isMasked
      ? []
      : [
          () => nn.maxPooling1d({ poolSize: 2, padding: draw.from(['valid', 'same']) }),
          () => nn.averagePooling1d({ poolSize: 3, strides: 1, padding: draw.from(['valid', 'same']) }),
        ]),
  ];
  return draw.from(choices)();
};

/**
 * Returns { model, streaming, isMasked }: a random model, whether it must be exported with its states, and whether it masks
 * steps. Also returns `readsIds`: whether the input is token ids.
 */
const randomModel = (draw) => {
  const streaming = draw.chance(0.3);
  const readsIds = draw.chance(0.4);
  const isMasked = !streaming && draw.chance(0.5);
  const features = 1 + draw.below(4);
  const source = readsIds ? nn.input({ shape: [null] }) : nn.input({ shape: [null, features] });
  let x = readsIds
    ? nn.embedding({ inputDim: 5, outputDim: features, maskZero: isMasked }).apply(source)
    : source;
  if (!readsIds && isMasked) x = nn.masking({ maskValue: 0 }).apply(x);
  const outputs = [];
  const depth = 1 + draw.below(3);
  for (let n = 0; n < depth; n++) {
    if (draw.chance(0.5)) x = between(draw, streaming, isMasked).apply(x);
    const returnState = !streaming && draw.chance(0.25);
    const layer = maybeBidirectional(
      draw,
      recurrentLayer(draw, { returnSequences: true, returnState }, streaming),
      streaming,
    );
    if (draw.chance(0.15) && !returnState && !(layer.goBackwards ?? false))
      x = nn.dense({ units: layer.cell ? layer.cell.units : 4 }).apply(x);
    const [y, ...states] = layer.apply(x);
    outputs.push(...states);
    x = y;
  }
  if (draw.chance(0.5)) {
    const last = maybeBidirectional(draw, recurrentLayer(draw, {}, streaming), streaming);
    x = last.apply(x);
  } else if (!streaming && draw.chance(0.4))
    x = draw
      .from([() => nn.globalAveragePooling1d(), () => nn.globalMaxPooling1d()])()
      .apply(x);
  x = nn.dense({ units: 2, activation: draw.from(['linear', 'softmax', 'sigmoid']) }).apply(x);
  return { model: nn.model({ inputs: source, outputs: [x, ...outputs] }), streaming, readsIds, isMasked };
};

/** Sets all weights to random values, so that no bias is 0. */
const randomise = (model, seed) => {
  const random = new core.RandomStream(seed, 'weights');
  model.build();
  for (const parameter of model.parameters) {
    const values = random.normal(parameter.size, 0, 0.5);
    parameter.assign(parameter.name.endsWith('variance') ? values.map((v) => Math.abs(v) + 0.2) : values);
  }
};

/** Draws inputs for a model. Some steps of sequences are zeros, which layers may mask. */
const drawInputs = (model, seed, batch, steps) => {
  const random = new core.RandomStream(seed, 'inputs');
  return model.inputShapes.map((shape, i) => {
    const fullShape = shape.map((extent, d) => (extent > 0 ? extent : d === 0 ? batch : steps));
    const size = fullShape.reduce((a, b) => a * b, 1);
    const values = fullShape.length === 2 ? random.uniform(size, 0, 5).map(Math.floor) : random.normal(size);
    if (fullShape.length === 3)
      random.uniform(batch * steps).forEach((chance, step) => {
        if (chance < 0.2) values.fill(0, step * fullShape[2], (step + 1) * fullShape[2]);
      });
    return { name: model.inputNames[i], shape: fullShape, values };
  });
};

/** Returns the largest difference between the outputs of a model and those of a file. */
const differenceOf = async (model, bytes, inputs) => {
  const outputs = await core.predictAll(
    model,
    inputs.map(({ values, shape }) => core.tensor(values, shape)),
  );
  const expected = await runOnnx(bytesSource(bytes), inputs);
  let worst = 0;
  for (const [i, output] of outputs.entries()) {
    if (output.shape.join() !== expected[i].shape.join())
      throw new Error(`output ${i}: got shape ${output.shape}, expected ${expected[i].shape}`);
    (await output.data()).forEach((value, k) => {
      const error = Math.abs(value - expected[i].values[k]) / Math.max(1, Math.abs(expected[i].values[k]));
      if (!(error <= worst)) worst = error;
    });
  }
  return worst;
};

/** Compares three chunks of a stream with onnxruntime-node, which gets the states of the previous chunk. Returns the largest difference. */
const verifyStream = async (model, bytes, draw, seed) => {
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const stream = model.stream({ batch: 2 });
  const random = new core.RandomStream(seed, 'stream');
  const [first, ...rest] = session.inputMetadata;
  const states = Object.fromEntries(
    rest.map(({ name, shape }) => {
      const dims = shape.map((extent) => (typeof extent === 'number' ? extent : 2));
      return [name, new ort.Tensor('float32', new Float32Array(dims.reduce((a, b) => a * b, 1)), dims)];
    }),
  );
  let worst = 0;
  for (let chunk = 0; chunk < 3; chunk++) {
    const steps = 1 + draw.below(4);
    const shape = first.shape.map((extent, d) => (typeof extent === 'number' ? extent : d === 0 ? 2 : steps));
    const size = shape.reduce((a, b) => a * b, 1);
    const values = first.type === 'int64' ? random.uniform(size, 0, 5).map(Math.floor) : random.normal(size);
    const data =
      first.type === 'int64' ? BigInt64Array.from(Array.from(values, BigInt)) : Float32Array.from(values);
    const result = await session.run({ ...states, [first.name]: new ort.Tensor(first.type, data, shape) });
    stream.push(core.scope(() => core.reshape(core.tensor(Array.from(values)), shape)));
    for (const [i, output] of stream.outputs.entries()) {
      const expected = result[session.outputNames[i]];
      (await output.data()).forEach((value, k) => {
        const error = Math.abs(value - expected.data[k]) / Math.max(1, Math.abs(expected.data[k]));
        if (!(error <= worst)) worst = error;
      });
    }
    for (const { name } of rest) states[name] = result[`${name}.next`];
  }
  await session.release();
  return worst;
};

let worst = 0;
const failures = [];
const counts = { streaming: 0, masked: 0, roundTrips: 0 };
for (let seed = firstSeed; seed < firstSeed + count; seed++) {
  const draw = drawer(seed);
  try {
    const { model, streaming, isMasked } = randomModel(draw);
    randomise(model, seed);
    const bytes = await exportOnnx(model, { streaming, opset: draw.from([13, 15, 17, 18, 20, 21]) });
    if (folder) writeFileSync(join(folder, `${seed}.onnx`), bytes);
    const inputs = drawInputs(model, seed, 3, 3 + draw.below(6));
    const largest = streaming
      ? await verifyStream(model, bytes, draw, seed)
      : await differenceOf(model, bytes, inputs);
    if (!(largest <= TOLERANCE))
      failures.push(
        `${seed}: ${largest} ${model.layers.map((l) => l.className)} ${JSON.stringify({ streaming, isMasked })}`,
      );
    else worst = Math.max(worst, largest);
    if (streaming) counts.streaming++;
    if (isMasked) counts.masked++;
    const { model: reimported } = await importOnnx(bytesSource(bytes));
    const reimportedInputs = drawInputs(reimported, seed, 3, 6).map((input, n) =>
      n === 0 ? drawInputs(model, seed, 3, 6)[0] : input,
    );
    const difference = await differenceOf(reimported, bytes, reimportedInputs);
    if (!(difference <= TOLERANCE))
      failures.push(`${seed}, re-imported: ${difference} ${model.layers.map((l) => l.className)}`);
    counts.roundTrips++;
  } catch (error) {
    failures.push(`${seed}: ${error.stack.split('\n').slice(0, 3).join(' | ')}`);
  }
}
console.log(
  `${count} models (${counts.streaming} streamed, ${counts.masked} with masks, ${counts.roundTrips} re-imported): ${failures.length} failures, largest difference ${worst}`,
);
for (const failure of failures) console.log(failure);
process.exitCode = failures.length > 0 ? 1 : 0;
