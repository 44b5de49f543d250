/**
 * The memory of layers between calls: the states of a stream or of stateful layers. A memory is a tree of tensors with
 * the structure of the model. It can be converted to JSON.
 */
import { keep, type ModelState, type Shape, type Tensor, tensor, UnrollError } from '@unroll/core';
import { recording } from '@unroll/core/internal';

export interface Memory {
  tensors: Record<string, Tensor>;
  /** The memories of the inner layers, by name. */
  parts: Record<string, Memory>;
}

/** A {@link Memory} as JSON, which represents float32 numbers exactly. */
export interface MemoryJson {
  tensors: Record<string, { shape: Shape; values: number[] }>;
  parts: Record<string, MemoryJson>;
}

export function emptyMemory(): Memory {
  return { tensors: {}, parts: {} };
}

/** Creates a memory of the parts that are not empty. */
export function memoryOfParts(parts: readonly (readonly [string, Memory])[]): Memory {
  const filled = parts.filter(([, part]) => Object.keys({ ...part.tensors, ...part.parts }).length > 0);
  return { tensors: {}, parts: Object.fromEntries(filled) };
}

let linked = false;

/** Runs `work`. While it runs, {@link detach} does not detach, so gradients pass through the memories of layers. */
export function linkStates<T>(work: () => T): T {
  linked = true;
  try {
    return work();
  } finally {
    linked = false;
  }
}

/** Returns the tensors without their gradients, and keeps them valid after the current scope or training step ends. */
export function detach(tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  if (linked) return { ...tensors };
  const out: Record<string, Tensor> = {};
  for (const name in tensors) {
    const value = tensors[name];
    // A tape tracks tensors, not their storage: a second tensor with the same storage has no gradient.
    out[name] = keep(recording.current ? value.withShape(value.shape) : value);
  }
  return out;
}

/** Returns a copy of the tree that shares the tensors, which are immutable. */
export function copyMemory({ tensors, parts }: ModelState): Memory {
  const copy: Memory = { tensors: { ...tensors }, parts: {} };
  for (const name in parts) copy.parts[name] = copyMemory(parts[name]);
  return copy;
}

/** Returns a memory with `map` applied to every tensor. */
export function mapMemory({ tensors, parts }: Memory, map: (tensor: Tensor) => Tensor): Memory {
  return { tensors: mapValues(tensors, map), parts: mapValues(parts, (part) => mapMemory(part, map)) };
}

/** Converts a memory to JSON. */
export async function memoryToJson({ tensors, parts }: Memory): Promise<MemoryJson> {
  const json: MemoryJson = { tensors: {}, parts: {} };
  for (const name in tensors) {
    const { shape } = tensors[name];
    json.tensors[name] = { shape, values: Array.from(await tensors[name].data()) };
  }
  for (const name in parts) json.parts[name] = await memoryToJson(parts[name]);
  return json;
}

/** Restores a memory from JSON. @throws UnrollError `format` for anything other than a result of {@link memoryToJson} */
export function memoryFromJson(json: MemoryJson): Memory {
  try {
    return {
      tensors: mapValues(json.tensors, ({ shape, values }) => tensor(values, shape)),
      parts: mapValues(json.parts, memoryFromJson),
    };
  } catch (error) {
    if (error instanceof UnrollError && error.code === 'format') throw error;
    throw new UnrollError('format', `The saved state is damaged: ${(error as Error).message}`);
  }
}

/** Returns a record with `map` applied to each value. */
export function mapValues<A, B>(
  record: Readonly<Record<string, A>>,
  map: (value: A, name: string) => B,
): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}
