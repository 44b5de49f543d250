/**
 * Compares a model with an ONNX file: both compute outputs for the same random inputs, the file with onnxruntime-node. That
 * package is not a dependency of Unroll, because it is large: users install it next to the CLI or in their project.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  predictAll,
  RandomStream,
  type Shape,
  type Tensor,
  tensor,
  UnrollError,
  valueError,
} from '@unroll/core';
import type { AxisOrder, ImportedModel } from '@unroll/formats/convert';

type Network = ImportedModel['model'];
type Layer = Network['layers'][number];

const RUNTIME = 'onnxruntime-node';

export interface VerifyOptions {
  /** Seed of the inputs. Default 0. */
  seed?: number;
  /** Number of sequences, unless the file fixes it. Default 4. */
  batch?: number;
  /** Number of steps of sequences of any length. Default 12. */
  steps?: number;
  /** Where the axes of the model are in the file. Default: in the same order. */
  axes?: { inputs: readonly AxisOrder[]; outputs: readonly AxisOrder[] };
}

/** The difference between the outputs of the model and those of the file. */
export interface OutputDifference {
  output: string;
  /** The largest |y - ŷ|. */
  maxAbsolute: number;
  /** The largest |y - ŷ| / max(1, |y|), where y is the output of the file. */
  maxRelative: number;
}

/** The part of onnxruntime-node that is used. */
interface Runtime {
  InferenceSession: { create(bytes: Uint8Array, options: object): Promise<Session> };
  Tensor: new (type: string, data: unknown, dims: readonly number[]) => RuntimeTensor;
}
interface RuntimeTensor {
  data: ArrayLike<number | bigint | boolean>;
  dims: readonly number[];
  type: string;
}
interface Session {
  inputNames: readonly string[];
  outputNames: readonly string[];
  inputMetadata: readonly { name: string; type: string; shape: readonly (number | string)[] }[];
  run(feeds: Record<string, RuntimeTensor>): Promise<Record<string, RuntimeTensor>>;
  release(): Promise<void>;
}

/**
 * Runs a model and an ONNX file on the same random inputs. Inputs of the file that the model does not have, the states of
 * a stream, are zeros.
 * @returns the differences of the model's outputs, in order
 * @throws UnrollError `value` if onnxruntime-node is not installed, or if the file does not have the inputs of the model
 */
export async function verifyOnnx(
  model: Network,
  onnx: Uint8Array,
  { seed = 0, batch = 4, steps = 12, axes }: VerifyOptions = {},
): Promise<OutputDifference[]> {
  const runtime = await loadRuntime();
  const session = await runtime.InferenceSession.create(onnx, { logSeverityLevel: 3 });
  try {
    const draw = new Inputs(model, session, { seed, batch, steps, axes });
    const expected = await session.run(draw.feeds(runtime));
    const outputs = await predictAll(model, draw.tensors);
    return await Promise.all(
      outputs.map(async (output, i) => {
        const name = axes?.outputs[i]?.name ?? session.outputNames[i];
        const own = toFile(output.shape, await output.data(), axes?.outputs[i]?.axes);
        return { output: name, ...difference(own, expected[name], name) };
      }),
    );
  } finally {
    await session.release();
  }
}

/** Loads onnxruntime-node from the folder of the CLI or from the current one. */
async function loadRuntime(): Promise<Runtime> {
  const fromHere = createRequire(join(process.cwd(), 'package.json'));
  const places = [() => RUNTIME, () => pathToFileURL(fromHere.resolve(RUNTIME)).href];
  for (const place of places) {
    try {
      const loaded = (await import(place())) as Runtime & { default?: Runtime };
      return loaded.InferenceSession ? loaded : (loaded.default as Runtime);
    } catch (error) {
      if (!/not_found/i.test(`${(error as { code?: string }).code}`)) throw error;
    }
  }
  throw new UnrollError(
    'value',
    `Verifying an ONNX file with random inputs needs the package ${RUNTIME}. Install it with "npm install ${RUNTIME}".`,
  );
}

interface FileArray {
  shape: number[];
  values: ArrayLike<number>;
}

/** Random inputs of a model, also in the layout of the file. */
class Inputs {
  readonly tensors: Tensor[] = [];
  readonly #files: (FileArray & { name: string; type: string })[] = [];

  constructor(
    model: Network,
    session: Session,
    { seed, batch, steps, axes }: { seed: number; batch: number; steps: number; axes: VerifyOptions['axes'] },
  ) {
    const random = new RandomStream(seed, 'verify');
    const shapes = model.inputShapes ?? [];
    const byName = new Map(session.inputMetadata.map((input) => [input.name, input]));
    shapes.forEach((shape, i) => {
      const order = axes?.inputs[i];
      const name = order?.name ?? model.inputNames?.[i] ?? session.inputNames[i];
      const input = byName.get(name);
      if (!input)
        throw valueError(
          `The ONNX file has no input "${name}". Its inputs are ${session.inputNames.join(', ')}.`,
        );
      byName.delete(name);
      const own = sizes(shape, input.shape, order?.axes, { batch, steps });
      const count = own.reduce((total, extent) => total * extent, 1);
      const values = /^int/.test(input.type)
        ? integers(model, own, steps, random, count)
        : floats(own, random);
      this.tensors.push(tensorOf(values, own));
      this.#files.push({ name, type: input.type, ...toFile(own, values, order?.axes) });
    });
    const used = this.tensors[0]?.shape[0] ?? batch;
    for (const { name, type, shape } of byName.values()) {
      const own = shape.map((extent) => (typeof extent === 'number' ? extent : used));
      this.#files.push({ name, type, shape: own, values: new Float32Array(own.reduce((a, b) => a * b, 1)) });
    }
  }

  feeds({ Tensor: RuntimeClass }: Runtime): Record<string, RuntimeTensor> {
    return Object.fromEntries(
      this.#files.map(({ name, type, shape, values }) => [
        name,
        new RuntimeClass(type, dataOf(type, values), shape),
      ]),
    );
  }
}

/** Returns the sizes of a model's input: those that the model or the file fixes, and the given ones. */
function sizes(
  shape: Shape,
  file: readonly (number | string)[],
  order: readonly number[] | undefined,
  { batch, steps }: { batch: number; steps: number },
): number[] {
  return shape.map((extent, d) => {
    const axis = order ? order[d] : d;
    const fixed = axis < 0 ? 1 : file[axis];
    if (typeof fixed === 'number' && fixed > 0) return fixed;
    return extent > 0 ? extent : d === 0 ? batch : steps;
  });
}

/** Draws normal numbers. Some steps of sequences are zeros, which layers may mask. */
function floats(shape: Shape, random: RandomStream): Float64Array {
  const [batch, steps, width] = shape;
  const values = random.normal(shape.reduce((total, extent) => total * extent, 1));
  if (shape.length !== 3) return values;
  random.uniform(batch * steps).forEach((chance, step) => {
    if (chance < 0.15) values.fill(0, step * width, (step + 1) * width);
  });
  return values;
}

/** Draws ids for embeddings, or lengths of sequences. */
function integers(
  model: Network,
  shape: Shape,
  steps: number,
  random: RandomStream,
  count: number,
): Float64Array {
  const vocabularies = vocabulariesOf(model.layers);
  const isLengths = shape.length === 1 && !vocabularies.length;
  const below = isLengths ? steps : Math.min(...vocabularies, 1000);
  return random.uniform(count, 0, below).map((value) => Math.floor(value) + (isLengths ? 1 : 0));
}

/** Returns the numbers of ids of all embeddings. */
function vocabulariesOf(layers: readonly Layer[]): number[] {
  return layers.flatMap((layer) =>
    layer.className === 'Embedding'
      ? [Number(layer.config.config.inputDim)]
      : vocabulariesOf(layer.sublayers),
  );
}

/** Returns values with the axes in the order of the file. */
function toFile(shape: Shape, values: ArrayLike<number>, order?: readonly number[]): FileArray {
  if (!order || order.every((axis, d) => axis === d)) return { shape: [...shape], values };
  const rank = order.filter((axis) => axis >= 0).length;
  const source = Array.from({ length: rank }, (_, axis) => order.indexOf(axis));
  const own = source.map((d) => shape[d]);
  const strides = shape.map((_, d) => shape.slice(d + 1).reduce((total, extent) => total * extent, 1));
  const out = new Float64Array(values.length);
  const index = own.map(() => 0);
  for (let i = 0; i < out.length; i++) {
    out[i] = values[source.reduce((at, d, axis) => at + index[axis] * strides[d], 0)];
    for (let axis = rank - 1; axis >= 0 && ++index[axis] === own[axis]; axis--) index[axis] = 0;
  }
  return { shape: own, values: out };
}

const tensorOf = (values: ArrayLike<number>, shape: Shape): Tensor =>
  tensor(nested(Array.from(values), shape) as number[]);

/** Returns nested lists of this shape. */
function nested(values: readonly number[], [extent, ...rest]: Shape): unknown {
  if (rest.length === 0) return values;
  const size = values.length / extent;
  return Array.from({ length: extent }, (_, i) => nested(values.slice(i * size, (i + 1) * size), rest));
}

function dataOf(type: string, values: ArrayLike<number>): unknown {
  if (type === 'int64') return BigInt64Array.from(Array.from(values, BigInt));
  if (type === 'int32') return Int32Array.from(values);
  if (type === 'float64') return Float64Array.from(values);
  if (type === 'bool') return Uint8Array.from(values, (value) => (value === 0 ? 0 : 1));
  return Float32Array.from(values);
}

function difference(own: FileArray, expected: RuntimeTensor, name: string): Omit<OutputDifference, 'output'> {
  if (!expected || expected.data.length !== own.values.length)
    throw valueError(
      `The output ${name} of the ONNX file has ${expected?.data.length ?? 0} values, that of the model has ${own.values.length}.`,
    );
  let [maxAbsolute, maxRelative] = [0, 0];
  for (let i = 0; i < own.values.length; i++) {
    const y = Number(expected.data[i]);
    const error = Math.abs(y - own.values[i]);
    // A comparison with NaN is false, so NaN counts as the largest difference.
    if (!(error <= maxAbsolute)) maxAbsolute = error;
    if (!(error / Math.max(1, Math.abs(y)) <= maxRelative)) maxRelative = error / Math.max(1, Math.abs(y));
  }
  return { maxAbsolute, maxRelative };
}
