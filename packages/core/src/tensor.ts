/**
 * Tensors: immutable n-dimensional arrays of real numbers. They need not be disposed. The values of a tensor are in
 * one of three locations:
 *
 * - host: a JavaScript array owned by the garbage collector, for results of `tensor()`, and for results of scopes if the
 *   backend's memory can be read synchronously. Such a tensor never expires and can be used on any backend.
 * - block: temporary memory of the scope in which the tensor was created. After the scope has closed, using the tensor
 *   throws an error.
 * - resident: a part of a buffer that stays in a backend's memory, for parameters and optimizer slots, and for results
 *   of scopes if the backend's memory can only be read asynchronously.
 *
 * Batches of a data set are host tensors whose array is created only when it is needed (taken-rows.ts).
 */
import type { Backend, Block, FloatArray } from './backend.js';
import { formatShape, shapeError, UnrollError } from './errors.js';
import { type NestedNumbers, nestedNumbers } from './nested.js';
import { FlatBuffer, readSynchronously } from './resident.js';
import { currentBackend, currentScope, type ScopeState } from './runtime.js';
import { checkShape, type Shape, sizeOf } from './shape.js';

/** A block and the backend that owns it. */
export interface BlockLocation {
  backend: Backend;
  block: Block;
}

/** Memory that outlives scopes (see resident.ts). */
export interface ResidentMemory {
  /** The part at `offset`, after moving the memory to the current backend if necessary. */
  blockFor(offset: number, length: number): Block;
  /** The current location, without moving the memory to the current backend. */
  locationOf(offset: number, length: number): BlockLocation;
}

/**
 * The location of a tensor's values. A tensor and its reshaped views share one Storage, so that they move together. Host
 * values are in `values`, and may have a copy in `block` while `scope` is open. Resident values are in `memory` at
 * `offset`. Otherwise, the values are in `block`, which belongs to `scope`.
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

/** A number, or nested arrays of numbers. */
export type NestedArray = number | NestedArray[];
/** A tensor, or numbers that an op converts to a tensor. */
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

  /** Returns a copy of the values, row-major. Works on every backend. */
  async data(): Promise<FloatArray> {
    const { hostArray } = this;
    if (hostArray) return hostArray.slice();
    const { backend, block } = this.location();
    return backend.read(block);
  }

  /**
   * Returns a copy of the values, row-major, synchronously. Works on CPU backends, and for tensors made from numbers.
   * @throws UnrollError `backend` if the values can only be read asynchronously; await `data()` instead
   */
  dataSync(): FloatArray {
    return this.hostArray?.slice() ?? hostValues(this, `This tensor of shape ${formatShape(this.shape)}`);
  }

  /** Returns the value of a tensor with one element. */
  item(): number {
    if (this.size !== 1) {
      throw shapeError(`item() needs a tensor of one element, got shape ${formatShape(this.shape)}.`);
    }
    return this.dataSync()[0];
  }

  /** Returns the values as nested arrays. */
  toArray(): NestedArray {
    const values = this.dataSync();
    let index = 0;
    const build = (depth: number): NestedArray =>
      depth === this.rank
        ? values[index++]
        : Array.from({ length: this.shape[depth] }, () => build(depth + 1));
    return build(0);
  }

  toString(): string {
    return `Tensor${formatShape(this.shape)}`;
  }

  /** @internal The values of a host tensor (do not change them), or null if they are in a backend's memory. */
  get hostArray(): FloatArray | null {
    return this.#storage.values;
  }

  /** @internal Returns the backend memory of the values, for tensors without `hostArray`. */
  location(): BlockLocation {
    const { memory, offset, scope } = this.#storage;
    return memory?.locationOf(offset, this.size) ?? { backend: scope!.backend, block: this.#liveBlock() };
  }

  /** @internal Returns the values in the memory of the current backend; uploads host values once per scope. */
  block(): Block {
    const storage = this.#storage;
    const { values, memory } = storage;
    if (memory !== null) return memory.blockFor(storage.offset, this.size);
    if (values === null) return this.#liveBlock();
    const scope = currentScope();
    if (storage.scope?.open && storage.scope.backend === scope.backend) return storage.block!;
    const block = scope.backend.temporary(this.size);
    scope.backend.write(block, values);
    storage.block = block;
    storage.scope = scope;
    return block;
  }

  /** @internal Returns a tensor of another shape with the same storage. */
  withShape(shape: Shape): Tensor {
    return new Tensor(shape, this.#storage);
  }

  /** @internal Moves the values to memory that outlives scopes if they are in `scope` (null: in any scope). */
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

  /** @internal Makes `memory` at `offset` the storage of this tensor. */
  bindTo(memory: ResidentMemory, offset: number): void {
    this.#storage = storage(null, null, null, memory, offset);
  }

  #liveBlock(): Block {
    const { scope, block } = this.#storage;
    if (scope!.open) return block!;
    throw new UnrollError(
      'scope',
      `This tensor of shape ${formatShape(this.shape)} was freed when its scope() or training step ended. ` +
        'Return or keep() it.',
      { shape: this.shape },
    );
  }
}

/**
 * Returns the values of a tensor: the array itself for a host tensor (do not change it), or a copy of backend memory.
 * @param what the subject of the error message
 * @throws UnrollError `backend` if the values can only be read asynchronously
 */
export function hostValues(tensor: Tensor, what: string): FloatArray {
  return tensor.hostArray ?? readSynchronously(tensor.location(), what);
}

/** Returns the values of several tensors: a promise unless all of them are host tensors. Do not change the arrays. */
export function valuesOf(tensors: readonly Tensor[]): FloatArray[] | Promise<FloatArray[]> {
  const arrays = tensors.map((tensor) => tensor.hostArray);
  if (!arrays.includes(null)) return arrays as FloatArray[];
  return Promise.all(arrays.map((values, i) => values ?? tensors[i].data()));
}

/** Length of a pool array, and the size of the largest tensor stored in one. */
const POOL_LENGTH = 4096;
const MAX_POOLED_SIZE = 256;
const pools = new Map<unknown, { array: FloatArray; used: number }>();

/**
 * Returns an array for a small tensor that leaves its scope: a part of a pool array, because allocating an array per
 * tensor would take most of the time of a small step. Returns undefined for larger tensors. Users never get a pool
 * array, because `data` and `dataSync` copy.
 */
function pooledArray(
  size: number,
  Float: Float32ArrayConstructor | Float64ArrayConstructor,
): FloatArray | undefined {
  if (size > MAX_POOLED_SIZE) return undefined;
  let pool = pools.get(Float);
  if (pool === undefined || pool.used + size > POOL_LENGTH) {
    pool = { array: new Float(POOL_LENGTH), used: 0 };
    pools.set(Float, pool);
  }
  const start = pool.used;
  pool.used += size;
  return pool.array.subarray(start, pool.used);
}

/** @internal Returns a host tensor that takes ownership of `values` (no copy). */
export function hostTensor(values: FloatArray, shape: Shape): Tensor {
  return new Tensor(shape, storage(values, null, null));
}

/** @internal Allocates a tensor, with undefined values, in the temporary memory of the open scope. */
export function temporaryTensor(shape: Shape): Tensor {
  return viewTensor(currentScope().backend.temporary(sizeOf(shape)), shape);
}

/** @internal Returns a tensor over a block of temporary memory of the open scope. */
export function viewTensor(block: Block, shape: Shape): Tensor {
  return new Tensor(shape, storage(null, block, currentScope()));
}

/**
 * Creates a tensor from values.
 * @param values a typed array, or nested arrays of equal lengths (the innermost may be typed)
 * @param shape default: the shape of the nested arrays, or [length] for a typed array
 * @throws UnrollError `shape` if the values are ragged or do not fill the shape, `value` for anything other than numbers
 */
export function tensor(values: NestedNumbers, shape?: Shape): Tensor {
  const { shape: nestedShape, numbers } = nestedNumbers(values, currentBackend().float);
  const fullShape = shape ?? nestedShape;
  checkSize(numbers.length, fullShape);
  return hostTensor(numbers, [...fullShape]);
}

/** @throws UnrollError `shape` unless `count` values fill `shape` */
function checkSize(count: number, shape: Shape): void {
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

/** Converts anything that an op accepts to a tensor. */
export function asTensor(value: TensorLike): Tensor {
  if (value instanceof Tensor) return value;
  return typeof value === 'number' ? hostTensor(currentBackend().float.of(value), []) : tensor(value);
}

/** Creates a tensor filled with one value. */
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
