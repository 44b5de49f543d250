/** Parameters: the trainable weights of a model, and its other stored tensors, such as batch statistics. */
import type { WeightFormatName } from './backend.js';
import { formatShape, shapeError } from './errors.js';
import { FlatBuffer } from './resident.js';
import { type Shape, sizeOf } from './shape.js';
import { storage, Tensor } from './tensor.js';

export class Parameter extends Tensor {
  /** Name within its layer, as in Keras: `kernel`, `recurrent_kernel`, `bias`, ... */
  name: string;
  /** If false, the parameter has no gradient and optimizers do not change it. */
  trainable: boolean;
  /** Computes a scalar that is added to the loss in training; null: none. */
  regularizer: ((weights: Tensor) => Tensor) | null = null;
  /** Applied to the values after each optimizer update; null: none. */
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

  /** The buffer that contains this parameter, and the offset of the parameter in it. */
  get storage(): { buffer: FlatBuffer; offset: number } {
    return { buffer: this.#buffer, offset: this.#offset };
  }

  /** Replaces the values. @param values a tensor of the same size, or the numbers in row-major order */
  assign(values: Tensor | ArrayLike<number>): void {
    const array = values instanceof Tensor ? values.hostArray : values;
    const got = array?.length ?? (values as Tensor).size;
    if (got !== this.size) {
      throw shapeError(
        `Parameter ${this.name} of shape ${formatShape(this.shape)} needs ${this.size} values, got ${got}.`,
        { name: this.name, shape: this.shape, got },
      );
    }
    if (array) this.#buffer.write(array, this.#offset);
    else this.#buffer.copyFrom((values as Tensor).block(), this.#offset);
  }

  /**
   * Declares that `format` represents every value exactly, so that kernels may read a packed copy of half the size
   * with the same results. The declaration is dropped when this parameter, or another one in the same buffer, is
   * written or moved to another backend.
   */
  setWeightFormat(format: WeightFormatName): void {
    this.#buffer.setWeightFormat(format, this.#offset, this.size);
  }

  /** @internal Copies the values to `buffer` at `offset` and uses that memory from now on. */
  moveTo(buffer: FlatBuffer, offset: number): void {
    buffer.copyFrom(this.block(), offset);
    this.#buffer = buffer;
    this.#offset = offset;
    this.bindTo(buffer, offset);
  }
}

/**
 * Moves parameters to one buffer, contiguous and in the given order, and returns the buffer. The order does not affect
 * results: each parameter keeps its name, shape and values.
 */
export function layOut(parameters: readonly Parameter[]): FlatBuffer {
  const first = parameters[0]?.storage.buffer;
  let offset = 0;
  const contiguous = parameters.every((parameter) => {
    const fits = parameter.storage.buffer === first && parameter.storage.offset === offset;
    offset += parameter.size;
    return fits;
  });
  if (first && contiguous && first.length === offset) return first;
  const total = parameters.reduce((sum, parameter) => sum + parameter.size, 0);
  const buffer = new FlatBuffer(total);
  let start = 0;
  for (const parameter of parameters) {
    parameter.moveTo(buffer, start);
    start += parameter.size;
  }
  return buffer;
}
