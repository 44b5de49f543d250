/**
 * Tensors: immutable n-dimensional arrays of real numbers. They need not be disposed. The values of a tensor are in
 * one of three locations:
 *
 * - host: an array owned by the garbage collector. Results of `tensor()` are there, and results of scopes if the
 * backend's memory can be read synchronously; such a tensor never expires and can be used on any backend;
 * - block: temporary memory of the scope in which it was created. After that scope has closed, using the tensor
 * throws;
 * - resident: a part of a buffer that stays in a backend's memory (parameters, optimizer slots, and results of scopes
 * if that memory can only be read asynchronously).
 */
import type { Backend, Block, FloatArray } from './backend.js';
import { formatShape, shapeError, UnrollError, valueError } from './errors.js';
import { FlatBuffer, readNow } from './resident.js';
import { currentBackend, openScope, type ScopeState } from './runtime.js';
import { checkShape, type Shape, sizeOf } from './shape.js';
import { shown } from './shown.js';

/** A block and the backend that owns it. */
export interface BlockLocation {
  backend: Backend;
  block: Block;
}

/** Memory that outlives scopes, looked up again when the backend changes (see resident.ts). */
export interface ResidentMemory {
  blockFor(offset: number, length: number): Block;
  /** The current location, without moving the memory to the current backend. */
  locationOf(offset: number, length: number): BlockLocation;
}

/**
 * The location of values, shared by tensors with the same values in different shapes, so that they move together.
 * `values` is set if they are in an array; else `memory` is set if they are resident; else they are in `block` of
 * `scope`. The values of an array may also have a copy in `block` while `scope` is open.
 * @internal
 */
export interface Storage {
  values: FloatArray | null;
  block: Block | null;
  scope: ScopeState | null;
  memory: ResidentMemory | null;
  readonly offset: number;
}

/** @internal */
export function storage(
  values: FloatArray | null,
  block: Block | null,
  scope: ScopeState | null,
  memory: ResidentMemory | null = null,
  offset = 0,
): Storage {
  return { values, block, scope, memory, offset };
}

/** Nested arrays of numbers, for creating tensors and reading them. */
export type NestedArray = number | NestedArray[];
/** A tensor, or numbers that ops accept instead of one. */
export type TensorLike = Tensor | NestedArray | Float32Array | Float64Array;

export class Tensor {
  readonly shape: Shape;
  readonly size: number;
  #storage: Storage;

  /** @internal Use {@link tensor}, {@link zeros} or an op. */
  constructor(shape: Shape, storage: Storage) {
    this.shape = shape;
    this.size = sizeOf(shape);
    this.#storage = storage;
  }

  get rank(): number {
    return this.shape.length;
  }

  /** A copy of the values, row-major. Works on every backend. */
  async data(): Promise<FloatArray> {
    const { hostArray } = this;
    if (hostArray) return hostArray.slice();
    const { backend, block } = this.location();
    return backend.read(block);
  }

  /**
   * The values, synchronously: for tensors made from numbers and on CPU backends.
   * @throws UnrollError `backend` if the values are in memory that can only be read asynchronously: await `data()`
   */
  dataSync(): FloatArray {
    return this.hostArray?.slice() ?? hostValues(this, `This tensor of shape ${formatShape(this.shape)}`);
  }

  /** The single value of a tensor of size 1. */
  item(): number {
    if (this.size !== 1) {
      throw shapeError(`item() needs a tensor of one element, got shape ${formatShape(this.shape)}.`);
    }
    return this.dataSync()[0];
  }

  /** The values as nested arrays. */
  toArray(): NestedArray {
    const values = this.dataSync();
    let at = 0;
    const build = (depth: number): NestedArray =>
      depth === this.rank ? values[at++] : Array.from({ length: this.shape[depth] }, () => build(depth + 1));
    return build(0);
  }

  toString(): string {
    return `Tensor${formatShape(this.shape)}`;
  }

  /** @internal The values in host memory, not to be changed; null if they are in a backend's memory. */
  get hostArray(): FloatArray | null {
    return this.#storage.values;
  }

  /** @internal The memory of values that are not in `hostArray`. */
  location(): BlockLocation {
    const { memory, offset, scope } = this.#storage;
    return memory?.locationOf(offset, this.size) ?? { backend: scope!.backend, block: this.#liveBlock() };
  }

  /** @internal The memory of this tensor for the current backend; uploads host values once per scope. */
  block(): Block {
    const storage = this.#storage;
    const { values, memory } = storage;
    if (memory !== null) return memory.blockFor(storage.offset, this.size);
    if (values === null) return this.#liveBlock();
    const scope = openScope();
    if (storage.scope?.open && storage.scope.backend === scope.backend) return storage.block!;
    const block = scope.backend.temporary(this.size);
    scope.backend.write(block, values);
    storage.block = block;
    storage.scope = scope;
    return block;
  }

  /** @internal A tensor of another shape over the same memory. */
  withShape(shape: Shape): Tensor {
    return new Tensor(shape, this.#storage);
  }

  /** @internal Moves the values to memory that outlives scopes, if `scope` is about to close. */
  moveOut(scope: ScopeState | null): void {
    const storage = this.#storage;
    if (storage.values !== null || storage.memory !== null || (scope !== null && storage.scope !== scope)) {
      return;
    }
    const { backend } = storage.scope!;
    const block = this.#liveBlock();
    if (backend.readSync) storage.values = backend.readSync(block, pooledArray(this.size, backend.float));
    else {
      const buffer = new FlatBuffer(this.size);
      buffer.copyFrom(block);
      storage.memory = buffer;
    }
  }

  /** @internal Makes resident memory the tensor's storage. */
  bindTo(memory: ResidentMemory, offset: number): void {
    this.#storage = storage(null, null, null, memory, offset);
  }

  #liveBlock(): Block {
    const { scope, block } = this.#storage;
    if (scope!.open) return block!;
    throw new UnrollError(
      'scope',
      `This tensor of shape ${formatShape(this.shape)} belongs to a step that has ended. ` +
        'Return it from the step, or keep() it there.',
      { shape: this.shape },
    );
  }
}

/**
 * The values of a tensor: for host tensors without a copy (not to be changed), on CPU backends a copy.
 * @throws UnrollError `backend`, beginning with `what`, on other backends
 */
export function hostValues(tensor: Tensor, what: string): FloatArray {
  return tensor.hostArray ?? readNow(tensor.location(), what);
}

/** The values of several tensors; those of host tensors without a copy (not to be changed). */
export function valuesOf(tensors: readonly Tensor[]): FloatArray[] | Promise<FloatArray[]> {
  const arrays = tensors.map((tensor) => tensor.hostArray);
  if (!arrays.includes(null)) return arrays as FloatArray[];
  return Promise.all(arrays.map((values, i) => values ?? tensors[i].data()));
}

/** Length of a pooled array, and the largest size of a tensor stored in one. */
const POOL_LENGTH = 4096;
const SMALL = 256;
const pools = new Map<unknown, { array: FloatArray; used: number }>();

/**
 * An array for a small tensor that leaves its scope, cut from a pool: allocating one per tensor would dominate a small
 * step. The pool stays private (`data` and `dataSync` copy).
 */
function pooledArray(
  size: number,
  Float: Float32ArrayConstructor | Float64ArrayConstructor,
): FloatArray | undefined {
  if (size > SMALL) return undefined;
  let pool = pools.get(Float);
  if (pool === undefined || pool.used + size > POOL_LENGTH) {
    pool = { array: new Float(POOL_LENGTH), used: 0 };
    pools.set(Float, pool);
  }
  const start = pool.used;
  pool.used += size;
  return pool.array.subarray(start, pool.used);
}

/** @internal A host tensor over `values`, which it owns from now on. */
export function hostTensor(values: FloatArray, shape: Shape): Tensor {
  return new Tensor(shape, storage(values, null, null));
}

/** @internal A fresh tensor in the temporary memory of the open scope. */
export function temporaryTensor(shape: Shape): Tensor {
  return viewTensor(openScope().backend.temporary(sizeOf(shape)), shape);
}

/** @internal A tensor over a part of another tensor's temporary memory. */
export function viewTensor(block: Block, shape: Shape): Tensor {
  return new Tensor(shape, storage(null, block, openScope()));
}

const kindOf = (value: unknown): string => typeof value;

/**
 * Creates a tensor from values.
 * @param values nested arrays of equal lengths, or a typed array together with `shape`
 * @param shape required for typed arrays; for nested arrays it may reshape them
 * @throws UnrollError `shape` if the values are ragged or do not fill the shape
 */
export function tensor(values: NestedArray | FloatArray | readonly number[], shape?: Shape): Tensor {
  return tensorOf(values, shape, shown);
}

/**
 * @internal {@link tensor} for values that are not from users: without the code that formats them, which a page that
 * only runs models omits.
 * @param say formats a value that is not a number, for the error
 */
export function tensorOf(
  values: NestedArray | FloatArray | readonly number[],
  shape?: Shape,
  say: (value: unknown) => string = kindOf,
): Tensor {
  const Float = currentBackend().float;
  let flat: number[] | FloatArray = [];
  let found: number[] = [];
  if (values instanceof Float32Array || values instanceof Float64Array) {
    flat = values;
    found = [values.length];
  } else flatten(values as NestedArray, 0, found, flat, say);
  const own = shape ?? found;
  checkFill(flat.length, own);
  return hostTensor(Float.from(flat), [...own]);
}

function checkFill(count: number, shape: Shape): void {
  checkShape(shape);
  if (count !== sizeOf(shape)) {
    throw shapeError(
      `${count} values do not fill the shape ${formatShape(shape)} (${sizeOf(shape)} elements).`,
      {
        count,
        shape,
      },
    );
  }
}

function flatten(
  values: NestedArray,
  depth: number,
  shape: number[],
  out: number[],
  say: (value: unknown) => string,
): void {
  if (typeof values === 'number') {
    if (depth < shape.length) throw shapeError('Ragged nested arrays: got a number, expected a row.');
    out.push(values);
    return;
  }
  if (!Array.isArray(values)) {
    throw valueError(`A tensor must be made of numbers or nested arrays of numbers, got ${say(values)}.`);
  }
  if (depth === shape.length) {
    if (out.length > 0) throw shapeError('Ragged nested arrays: got a row, expected a number.');
    shape.push(values.length);
  } else if (shape[depth] !== values.length) {
    throw shapeError(
      `Ragged nested arrays: a row of ${values.length} among rows of ${shape[depth]}. Pad sequences of different lengths first.`,
    );
  }
  for (const value of values) flatten(value, depth + 1, shape, out, say);
}

/** Converts anything that an op accepts to a tensor. */
export function asTensor(value: TensorLike): Tensor {
  if (value instanceof Tensor) return value;
  return typeof value === 'number' ? hostTensor(currentBackend().float.of(value), []) : tensorOf(value);
}

/** A tensor filled with one value. */
export function full(shape: Shape, value: number): Tensor {
  checkShape(shape);
  return hostTensor(new (currentBackend().float)(sizeOf(shape)).fill(value), [...shape]);
}

export function zeros(shape: Shape): Tensor {
  return full(shape, 0);
}

export function ones(shape: Shape): Tensor {
  return full(shape, 1);
}
