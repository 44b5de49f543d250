/**
 * The engine ONNX Runtime: `ort.js <threads> node|web` (native or WebAssembly). Each row has one session with all graph
 * optimisations. Inputs are allocated before timing; in the native runtime, outputs are, too.
 */
import { argument, importPeer, peerVersion, threads, workersStarted } from '#host';
import { makeData, type RowData, toTimeMajor } from '../data.js';
import { onnxModel } from '../onnx/model.js';
import { onnxTextModel } from '../onnx/text-model.js';
import { type Mode, parseRow, type Row, type TextModel } from '../rows.js';
import { type PreparedRow, serve, Unavailable } from './serve.js';

interface OrtTensor {
  readonly data: Float32Array;
}
type TensorMap = Record<string, OrtTensor>;
interface Session {
  run(feeds: TensorMap, fetches?: TensorMap): Promise<TensorMap>;
  release(): Promise<void>;
}
interface Ort {
  Tensor: new (
    type: 'float32' | 'int32',
    data: Float32Array | Int32Array,
    dims: readonly number[],
  ) => OrtTensor;
  InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
  env: { wasm: { numThreads?: number } };
}

const web = argument === 'web';
const name = web ? 'onnxruntime-web' : 'onnxruntime-node';
const ort = await importPeer<Ort>(name);
if (web) ort.env.wasm.numThreads = threads;

const tensor = (values: Float32Array, ...dims: number[]): OrtTensor =>
  new ort.Tensor('float32', values, dims);

const createSession = (model: Uint8Array): Promise<Session> =>
  ort.InferenceSession.create(model, {
    executionProviders: [web ? 'wasm' : 'cpu'],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
  });

/** Runs the session. The WebAssembly build always copies outputs out of its own memory, so `fetches` would not help. */
const run = (session: Session, feeds: TensorMap, fetches: TensorMap): Promise<TensorMap> =>
  web ? session.run(feeds) : session.run(feeds, fetches);

/** Transposes the outputs of D directions, [D, B, H], to [B, D·H]. */
function batchMajor(h: Float32Array, { B, H }: Row): Float32Array {
  const D = h.length / (B * H);
  const out = new Float32Array(h.length);
  for (let d = 0; d < D; d++) {
    for (let b = 0; b < B; b++) out.set(h.subarray((d * B + b) * H, (d * B + b + 1) * H), (b * D + d) * H);
  }
  return out;
}

async function prepareStream(row: Row, data: RowData): Promise<PreparedRow> {
  const { I, H } = row;
  const names = row.kind === 'lstm' ? ['h', 'c'] : ['h'];
  const session = await createSession(onnxModel(row, data, true));
  const steps = Array.from({ length: data.inputs[0].shape[1] }, (_, t) =>
    tensor(data.inputs[0].values.slice(t * I, (t + 1) * I), 1, 1, I),
  );
  // The native runtime writes its outputs to given tensors. Two sets of states alternate: one is read, the other written.
  const makeStates = (): TensorMap =>
    Object.fromEntries(names.map((name) => [name, tensor(new Float32Array(H), 1, 1, H)]));
  const outputSets = [makeStates(), makeStates()];
  let step = 0;
  let states = makeStates();
  const work = async (): Promise<void> => {
    const feeds: TensorMap = { x: steps[step % steps.length], h0: states.h };
    if (states.c) feeds.c0 = states.c;
    states = await run(session, feeds, outputSets[step++ & 1]);
  };
  return {
    work,
    outputs: async () => {
      for (const _ of steps) await work();
      return states.h.data;
    },
    drop: () => session.release(),
  };
}

async function prepareTextModel(row: Row, textModel: TextModel, data: RowData): Promise<PreparedRow> {
  const { B, T } = row;
  const session = await createSession(onnxTextModel(row, textModel, data));
  const feeds = Object.fromEntries(
    data.inputs.map((input) => {
      const tokens = Int32Array.from(toTimeMajor({ ...input, shape: [B, T, 1] }));
      return [input.name, new ort.Tensor('int32', tokens, [T, B])];
    }),
  );
  const steps = textModel.model === 'translator' ? [T] : [];
  const logits = new Float32Array((steps[0] ?? 1) * B * textModel.classes);
  const fetches = { logits: tensor(logits, ...steps, B, textModel.classes) };
  const work = (): Promise<TensorMap> => run(session, feeds, fetches);
  return {
    work,
    outputs: async () => (await work()).logits.data.slice(-B * textModel.classes),
    drop: () => session.release(),
  };
}

async function prepare(row: Row, mode: Mode, data: RowData): Promise<PreparedRow> {
  if (mode === 'train') throw new Unavailable('does not train');
  if (mode === 'stream') return prepareStream(row, data);
  if (row.textModel) return prepareTextModel(row, row.textModel, data);
  const { I, H, B, T } = row;
  const session = await createSession(onnxModel(row, data, false));
  const D = row.layers[row.layers.length - 1].bidirectional ? 2 : 1;
  const feeds = { x: tensor(toTimeMajor(data.inputs[0]), T, B, I) };
  const fetches = { h: tensor(new Float32Array(D * B * H), D, B, H) };
  const work = (): Promise<TensorMap> => run(session, feeds, fetches);
  return {
    work,
    outputs: async () => batchMajor((await work()).h.data, row),
    drop: () => session.release(),
  };
}

/** Starts the threads by creating a session. @throws Error in a page, if the number of started threads is wrong */
async function startThreads(): Promise<void> {
  const row = parseRow('rnn-1-1-1-1');
  await (await createSession(onnxModel(row, makeData(row, 'infer'), false))).release();
  const workers = workersStarted();
  // The session also runs on the thread that calls it.
  if (workers !== null && workers + 1 !== threads)
    throw new Error(`${workers + 1} of ${threads} threads started`);
}

serve({
  hello: async () => {
    await startThreads();
    return {
      version: await peerVersion(name),
      description: web ? 'WebAssembly SIMD' : 'native, CPU provider',
    };
  },
  prepare,
});
