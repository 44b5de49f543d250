/**
 * Tensors: immutable n-dimensional arrays of real numbers. Nobody disposes of them. A tensor's values lie in one of
 * three places:
 *
 * - host: an array that the garbage collector owns. What `tensor()` makes lies there, and what a scope returns where the
 *   backend's memory can be read synchronously; it may be used for ever and on any backend;
 * - block: temporary memory of the scope it was made in. Once that scope has closed, using the tensor throws;
 * - resident: a part of a buffer that stays in a backend's memory (parameters, optimizer slots, and what a scope returns
 *   where that memory can only be read asynchronously).
 */
import type { Backend, Block, FloatArray } from './backend.js';
import { formatShape, shapeError, UnrollError, valueError } from './errors.js';
import { FlatBuffer, readNow } from './resident.js';
import { currentBackend, openScope, type ScopeState } from './runtime.js';
import { checkShape, type Shape, sizeOf } from './shape.js';
import { shown } from './shown.js';

/** A block and the backend whose memory it lies in. */
export interface BlockLocation {
  backend: Backend;
  block: Block;
}

/** Memory that outlives scopes, found anew when the backend changes (see resident.ts). */
export interface ResidentMemory {
  blockFor(offset: number, length: number): Block;
  /** The current location of that part, without moving it to the current backend. */
  locationOf(offset: number, length: number): BlockLocation;
}

/**
 * Where values lie; shared by tensors that show the same ones in different shapes, so that they move together. `values`
 * is set where they lie in an array, else `memory` where they are resident, else they are in `block` of `scope`. An
 * array's values may also have been copied to `block`, for as long as `scope` is open.
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

/** Nested arrays of numbers, for making tensors and reading them. */
export type NestedArray = number | NestedArray[];
/** What ops accept in place of a tensor. */
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
   * The values at once, for tensors made of numbers and on CPU backends.
   * @throws UnrollError `backend` where the values lie in memory that can only be read asynchronously: await `data()`
   */
  dataSync(): FloatArray {
    return this.hostArray?.slice() ?? hostValues(this, `This tensor of shape ${formatShape(this.shape)}`);
  }

  /** The single value of a tensor of size 1. */
  item(): number {
    if (this.size !== 1) {
      throw shapeError(
        `item() needs a tensor of one element, this one has shape ${formatShape(this.shape)}.`,
      );
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

  /** @internal The values on the host, not to be changed; null: they lie in a backend's memory. */
  get hostArray(): FloatArray | null {
    return this.#storage.values;
  }

  /** @internal The memory that values which are not `hostArray` lie in. */
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

  /** @internal Another shape over the same memory. */
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
 * The values of a tensor that lies on the host, without a copy: not to be changed. Elsewhere a copy, on CPU backends.
 * @throws UnrollError `backend`, beginning with `what`, on others
 */
export function hostValues(tensor: Tensor, what: string): FloatArray {
  return tensor.hostArray ?? readNow(tensor.location(), what);
}

/** The values of several tensors, without a copy of those that lie on the host: not to be changed. */
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

/** @internal A tensor over part of another one's temporary memory. */
export function viewTensor(block: Block, shape: Shape): Tensor {
  return new Tensor(shape, storage(null, block, openScope()));
}

const kindOf = (value: unknown): string => typeof value;

/**
 * A tensor of the given values.
 * @param values nested arrays of equal lengths, or a typed array together with `shape`
 * @param shape needed for typed arrays; for nested arrays it may reshape them
 * @throws UnrollError `shape` when the values are ragged or do not fill the shape
 */
export function tensor(values: NestedArray | FloatArray | readonly number[], shape?: Shape): Tensor {
  return tensorOf(values, shape, shown);
}

/**
 * @internal {@link tensor} where values are not a user's: a page that only runs models does without the code that shows them.
 * @param say how the error about something else than a number calls it
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
    throw valueError(`A tensor is made of numbers or nested arrays of numbers, got ${say(values)}.`);
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

/** A tensor from whatever an op accepts. */
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
