/** Parameters: the tensors of a model that training changes, and those that a model keeps (batch statistics). */
import type { WeightFormatName } from './backend.js';
import { formatShape, shapeError } from './errors.js';
import { FlatBuffer } from './resident.js';
import { type Shape, sizeOf } from './shape.js';
import { storage, Tensor } from './tensor.js';

export class Parameter extends Tensor {
  /** Name within its layer, as in Keras: `kernel`, `recurrent_kernel`, `bias`, ... */
  name: string;
  /** If false, it has no gradient and no optimizer changes it. */
  trainable: boolean;
  /** A scalar that this parameter adds to the loss in training; null: nothing. */
  regularizer: ((weights: Tensor) => Tensor) | null = null;
  /** Applied to the values after each update of an optimizer; null: nothing. */
  constraint: ((weights: Tensor) => Tensor) | null = null;
  #buffer: FlatBuffer;
  #offset: number;

  constructor(name: string, shape: Shape, values: ArrayLike<number>, trainable = true) {
    const buffer = new FlatBuffer(sizeOf(shape));
    super([...shape], storage(null, null, null, buffer, 0));
    this.name = name;
    this.trainable = trainable;
    this.#buffer = buffer;
    this.#offset = 0;
    this.assign(values);
  }

  /** The buffer that contains this parameter, and its offset. */
  get storage(): { buffer: FlatBuffer; offset: number } {
    return { buffer: this.#buffer, offset: this.#offset };
  }

  /** Replaces the values by a tensor or by row-major numbers of the same size. */
  assign(values: Tensor | ArrayLike<number>): void {
    const list = values instanceof Tensor ? values.hostArray : values;
    const got = list?.length ?? (values as Tensor).size;
    if (got !== this.size) {
      throw shapeError(
        `Parameter ${this.name} of shape ${formatShape(this.shape)} needs ${this.size} values, got ${got}.`,
        { name: this.name, shape: this.shape, got },
      );
    }
    if (list) this.#buffer.write(list, this.#offset);
    else this.#buffer.copyFrom((values as Tensor).block(), this.#offset);
  }

  /**
   * Says that `format` represents every value exactly: kernels may then read a packed copy of half the bytes, with the same
   * results. It holds until this parameter, or one that shares its buffer, is written or moved to another backend.
   */
  setWeightFormat(format: WeightFormatName): void {
    this.#buffer.setWeightFormat(format, this.#offset, this.size);
  }

  /** @internal */
  moveTo(buffer: FlatBuffer, offset: number): void {
    buffer.copyFrom(this.block(), offset);
    this.#buffer = buffer;
    this.#offset = offset;
    this.bindTo(buffer, offset);
  }
}

/**
 * Lays out parameters side by side in one buffer, in the given order, and returns the buffer. The order does not
 * affect results: each parameter keeps its name, shape and values.
 */
export function layOut(parameters: readonly Parameter[]): FlatBuffer {
  const first = parameters[0]?.storage.buffer;
  let offset = 0;
  const dense = parameters.every((parameter) => {
    const fits = parameter.storage.buffer === first && parameter.storage.offset === offset;
    offset += parameter.size;
    return fits;
  });
  if (first && dense && first.length === offset) return first;
  const total = parameters.reduce((sum, parameter) => sum + parameter.size, 0);
  const buffer = new FlatBuffer(total);
  let at = 0;
  for (const parameter of parameters) {
    parameter.moveTo(buffer, at);
    at += parameter.size;
  }
  return buffer;
}
