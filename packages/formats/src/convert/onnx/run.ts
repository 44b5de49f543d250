/**
 * Runs an ONNX file with onnxruntime-node, to compare its outputs with a model's. onnxruntime-node is not a dependency of
 * Unroll, because it is large: users install it next to Unroll or in their project.
 */
import { type FloatArray, type Shape, UnrollError, valueError } from '@unroll/core';
import type { AxisOrder, ImportedModel, NamedArray } from '../format.js';
import { type ByteSource, readAll } from '../source.js';
import { strided, stridesOf } from './arrays.js';
import { importOnnx } from './import.js';
import { writeModel } from './protobuf.js';

const RUNTIME = 'onnxruntime-node';

/** The part of onnxruntime-node that is used. */
interface Runtime {
  InferenceSession: { create(bytes: Uint8Array, options: object): Promise<Session> };
  Tensor: new (type: string, data: unknown, dims: readonly number[]) => RuntimeTensor;
}
interface RuntimeTensor {
  data: ArrayLike<number | bigint | boolean>;
  dims: readonly number[];
}
interface InputInfo {
  name: string;
  type: string;
  /** A string is the name of an axis of any size. */
  shape: readonly (number | string)[];
}
interface Session {
  inputNames: readonly string[];
  outputNames: readonly string[];
  inputMetadata: readonly InputInfo[];
  run(feeds: Record<string, RuntimeTensor>): Promise<Record<string, RuntimeTensor>>;
  release(): Promise<void>;
}

/**
 * Runs a file. Inputs that are not given, such as the recurrent states of a model exported for streaming, are zeros. If the
 * file fixes the batch size, the file is run several times.
 * @param inputs inputs of the imported model; the batch is the first axis
 * @returns the outputs of the imported model; the batch is the first axis
 * @throws UnrollError `value` if onnxruntime-node is not installed, or if the file does not have one of the inputs
 */
export async function runOnnx(source: ByteSource, inputs: readonly NamedArray[]): Promise<NamedArray[]> {
  const runtime = await loadRuntime();
  const axes = await axesOf(source);
  const session = await runtime.InferenceSession.create(await readAll(source), { logSeverityLevel: 3 });
  try {
    return await runBatches(runtime, session, inputs, axes);
  } finally {
    await session.release();
  }
}

/**
 * Runs a file, and returns the values inside it that correspond to the outputs of the imported model's layers, except those
 * that are outputs of the file.
 * @param inputs inputs of the imported model; the batch is the first axis
 * @returns the values with the names of the layers; the batch is the first axis
 */
export async function runOnnxLayers(
  source: ByteSource,
  inputs: readonly NamedArray[],
): Promise<NamedArray[]> {
  const runtime = await loadRuntime();
  const axes = await axesOf(source);
  if (!axes) return [];
  const outputNames = new Set(axes.outputs.map(({ name }) => name));
  const layers = [...axes.layers].filter(([, { name }]) => !outputNames.has(name));
  if (layers.length === 0) return [];
  // Protobuf merges a message that is appended to another message: this one adds outputs to the graph.
  const addition = writeModel({ graph: { output: layers.map(([, { name }]) => ({ name })) } });
  const original = await readAll(source);
  const bytes = new Uint8Array(original.length + addition.length);
  bytes.set(original);
  bytes.set(addition, original.length);
  const session = await runtime.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  try {
    const outputs = layers.map(([, order]) => order);
    const results = await runBatches(runtime, session, inputs, { inputs: axes.inputs, outputs });
    return results.map((result, i) => ({ ...result, name: layers[i][0] }));
  } finally {
    await session.release();
  }
}

/** Returns the order of the axes in the file; null if Unroll cannot import it (the outputs then keep the axes of the file). */
async function axesOf(source: ByteSource): Promise<Required<ImportedModel>['axes'] | null> {
  try {
    return (await importOnnx(source)).axes ?? null;
  } catch (error) {
    if (error instanceof UnrollError && error.code === 'value') return null;
    throw error;
  }
}
type AxisOrders = readonly AxisOrder[];

/** Provided by Node. */
declare const process: {
  cwd(): string;
  getBuiltinModule?(name: string): { createRequire(path: string): { resolve(name: string): string } };
};

/** Loads onnxruntime-node from the folder of Unroll, or from the current folder. */
async function loadRuntime(): Promise<Runtime> {
  const resolvers = [
    () => RUNTIME,
    () =>
      process.getBuiltinModule?.('module').createRequire(`${process.cwd()}/package.json`).resolve(RUNTIME),
  ];
  for (const resolve of resolvers) {
    try {
      // A name that bundlers cannot see: they must not include the package.
      const loaded = (await import(/* @vite-ignore */ resolve() as string)) as Runtime & {
        default?: Runtime;
      };
      return loaded.InferenceSession ? loaded : (loaded.default as Runtime);
    } catch (error) {
      if (!/not_found/i.test(`${(error as { code?: string }).code}`)) throw error;
    }
  }
  throw new UnrollError(
    'value',
    `Running an ONNX file needs the package ${RUNTIME}. Install it with: npm install ${RUNTIME}`,
  );
}

async function runBatches(
  runtime: Runtime,
  session: Session,
  inputs: readonly NamedArray[],
  axes: { inputs: AxisOrders; outputs: AxisOrders } | null,
): Promise<NamedArray[]> {
  const byName = new Map(session.inputMetadata.map((info) => [info.name, info]));
  const infos = inputs.map(({ name }, i) => {
    const nameInFile = axes?.inputs[i]?.name ?? (byName.has(name) ? name : session.inputNames[i]);
    const info = byName.get(nameInFile);
    if (!info)
      throw valueError(
        `The ONNX file has no input "${nameInFile}". Its inputs are ${session.inputNames.join(', ')}.`,
      );
    return info;
  });
  const orders = inputs.map(({ shape }, i) => axes?.inputs[i]?.axes ?? shape.map((_, d) => d));
  const total = inputs[0].shape[0];
  const batchSizes = infos.map(({ shape }, i) => (orders[i][0] < 0 ? 1 : shape[orders[i][0]]));
  const fixedBatch = batchSizes.find((extent) => typeof extent === 'number' && extent > 0) as
    | number
    | undefined;
  const parts: NamedArray[][] = [];
  for (let from = 0; from < total; from += fixedBatch ?? total) {
    const feeds: Record<string, RuntimeTensor> = {};
    inputs.forEach((input, i) => {
      const { shape, values } = inFileOrder(rowsOf(input, from, fixedBatch ?? total), orders[i]);
      const { name, type } = infos[i];
      feeds[name] = new runtime.Tensor(type, dataOf(type, values), shape);
    });
    for (const { name, type, shape } of session.inputMetadata) {
      if (name in feeds) continue;
      const fullShape = shape.map((extent) => (typeof extent === 'number' ? extent : (fixedBatch ?? total)));
      feeds[name] = new runtime.Tensor(type, dataOf(type, new Float32Array(product(fullShape))), fullShape);
    }
    const results = await session.run(feeds);
    parts.push(outputsOf(session, results, axes?.outputs ?? null));
  }
  return parts[0].map((output, i) =>
    joinRows(
      output,
      parts.map((part) => part[i]),
      total,
    ),
  );
}

const product = (shape: Shape): number => shape.reduce((total, extent) => total * extent, 1);

/** Returns `count` rows of a batch, beginning with row `from`. After the last row, it continues with the first. */
function rowsOf(
  { shape, values }: NamedArray,
  from: number,
  count: number,
): { shape: number[]; values: FloatArray } {
  const [total, ...rest] = shape;
  const size = product(rest);
  const selected = new Float64Array(count * size);
  for (let row = 0; row < count; row++) {
    const begin = ((from + row) % total) * size;
    selected.set(values.subarray(begin, begin + size), row * size);
  }
  return { shape: [count, ...rest], values: selected };
}

/** Concatenates batches, and returns the first `total` rows. */
function joinRows({ name, shape }: NamedArray, parts: readonly NamedArray[], total: number): NamedArray {
  const joinedShape = [total, ...shape.slice(1)];
  const values = new Float64Array(product(joinedShape));
  let at = 0;
  for (const part of parts) {
    const rest = part.values.subarray(0, values.length - at);
    values.set(rest, at);
    at += rest.length;
  }
  return { name, shape: joinedShape, values };
}

/** Returns an array with its axes in the order of the file. */
function inFileOrder(
  { shape, values }: { shape: readonly number[]; values: FloatArray },
  order: readonly number[],
): { shape: number[]; values: FloatArray } {
  const rank = order.filter((axis) => axis >= 0).length;
  const source = Array.from({ length: rank }, (_, axis) => order.indexOf(axis));
  const strides = stridesOf(shape);
  const fileShape = source.map((d) => shape[d]);
  return {
    shape: fileShape,
    values: strided(
      values,
      fileShape,
      source.map((d) => strides[d]),
    ),
  };
}

/** Returns the outputs with their axes in the order of the model. */
function outputsOf(
  { outputNames }: Session,
  results: Record<string, RuntimeTensor>,
  orders: AxisOrders | null,
): NamedArray[] {
  const names = orders?.map(({ name }) => name) ?? outputNames;
  return names.map((name, i) => {
    const { dims, data } = results[name];
    const values = Float64Array.from(data as ArrayLike<number>, Number);
    const order = orders?.[i].axes ?? dims.map((_, d) => d);
    const strides = stridesOf(dims);
    const shape = order.map((axis) => (axis < 0 ? 1 : dims[axis]));
    return {
      name,
      shape,
      values: strided(
        values,
        shape,
        order.map((axis) => (axis < 0 ? 0 : strides[axis])),
      ),
    };
  });
}

function dataOf(type: string, values: FloatArray): unknown {
  if (type === 'int64') return BigInt64Array.from(Array.from(values, (value) => BigInt(Math.trunc(value))));
  if (type === 'int32') return Int32Array.from(values);
  if (type === 'float64') return Float64Array.from(values);
  if (type === 'bool') return Uint8Array.from(values, (value) => (value === 0 ? 0 : 1));
  return Float32Array.from(values);
}
