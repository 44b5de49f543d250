/** `embedding`: looks up a vector for each id, in the rows of a table. With `maskZero`, id 0 is padding. */
import {
  type ForwardContext,
  formatShape,
  gather,
  type MaskedSequence,
  mul,
  type Parameter,
  type Shape,
  type Tensor,
} from '@unroll/core';
import { checkOptions, hostTensor, hostValues } from '@unroll/core/internal';
import { checkRate, checkUnits } from '../cells/matrix-cell.js';
import type { Constraint } from '../constraints.js';
import type { Initializer } from '../initializers.js';
import { Layer, type LayerOptions } from '../layer.js';
import { LAYER } from '../option-names.js';
import type { Regularizer } from '../regularizers.js';
import { sequenceStream } from '../seeds.js';

export interface EmbeddingOptions extends LayerOptions {
  /** Number of ids (0 to inputDim - 1): the size of the vocabulary, plus 1 if id 0 is padding. */
  inputDim: number;
  /** Width of the vectors. */
  outputDim: number;
  /** Treat id 0 as padding: later layers mask its steps. Default false. */
  maskZero?: boolean;
  /** Initialiser of the table. Default `randomUniform`, in ±0.05. */
  embeddingsInitializer?: Initializer;
  /** Regulariser of the table. Default: none. */
  embeddingsRegularizer?: Regularizer | null;
  /** Constraint on the table after each update. Default: none. */
  embeddingsConstraint?: Constraint | null;
  /**
   * Rate of embedding dropout: the fraction of the ids (word types) whose vectors are 0 throughout a training batch;
   * the other vectors are divided by 1 - rate (Gal & Ghahramani 2016; Merity et al. 2018). Default 0.
   */
  embeddingDropout?: number;
  /**
   * Pretrained vectors [inputDim][outputDim] as initial values. The config does not store them, because artifacts
   * contain the weights.
   */
  weights?: readonly (readonly number[])[] | Tensor;
}

export class Embedding extends Layer<EmbeddingOptions> {
  static override readonly className = 'Embedding';
  readonly #pretrained: ArrayLike<number> | null;
  #table!: Parameter;

  constructor({ weights, ...options }: EmbeddingOptions) {
    super(options);
    checkUnits(this.label, options.inputDim, 'inputDim');
    checkUnits(this.label, options.outputDim, 'outputDim');
    checkRate(this.label, 'embeddingDropout', options.embeddingDropout);
    this.#pretrained = weights
      ? 'shape' in weights
        ? hostValues(weights, `weights of ${this.label}`)
        : Float64Array.from(weights.flatMap((row) => [...row]))
      : null;
    if (!weights) return;
    const expected = [options.inputDim, options.outputDim];
    const shape =
      'shape' in weights ? weights.shape : [weights.length, ...new Set(weights.map((row) => row.length))];
    if (shape.length !== 2 || shape.some((extent, axis) => extent !== expected[axis]))
      throw this.error(
        'shape',
        `weights must have shape ${formatShape(expected)}, got ${formatShape(shape)}.`,
      );
    const values = Array.from(this.#pretrained ?? []);
    const index = values.findIndex((value) => !Number.isFinite(value));
    if (index < 0) return;
    const position = `row ${Math.floor(index / options.outputDim)}, column ${index % options.outputDim}`;
    throw this.error('nan', `weights must be finite numbers, got ${values[index]} in ${position}.`);
  }

  /** Number of ids. */
  get inputDim(): number {
    return this.options.inputDim;
  }

  /** Width of the vectors. */
  get outputDim(): number {
    return this.options.outputDim;
  }

  /** The table [inputDim, outputDim]; undefined until the layer is built. */
  get table(): Parameter | undefined {
    return this.#table;
  }

  outputShapes([ids]: readonly Shape[]): Shape[] {
    return [[...ids, this.options.outputDim]];
  }

  protected override makeParameters(): void {
    const { inputDim, outputDim, embeddingsInitializer = 'randomUniform', ...o } = this.options;
    const pretrained = this.#pretrained;
    const initializer = pretrained ? () => pretrained : embeddingsInitializer;
    this.#table = this.addParameter('embeddings', [inputDim, outputDim], initializer, {
      regularizer: o.embeddingsRegularizer,
      constraint: o.embeddingsConstraint,
    });
  }

  call([ids]: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const values = hostValues(ids.value, `The input of ${this.label}`);
    const { inputDim, maskZero, embeddingDropout } = this.options;
    const unknownIndex = values.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < inputDim));
    if (unknownIndex >= 0) throw this.#unknownId(values[unknownIndex], unknownIndex, ids.value.shape);
    const padding = maskZero && ids.value.rank === 2 ? paddingMask(values, ids.value.shape) : null;
    const mask = padding && ids.mask ? mul(padding, ids.mask) : (padding ?? ids.mask);
    const vectors = gather(this.#table, ids.value);
    if (!context.training || !embeddingDropout) return [{ value: vectors, mask }];
    // One factor per id. The factors of the looked-up rows are gathered, so the gradient of the table stays sparse.
    const factors = sequenceStream(context, undefined).dropoutMask([inputDim, 1], embeddingDropout);
    return [{ value: mul(vectors, gather(factors, ids.value)), mask }];
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [...inputs];
  }

  /** Creates the error for an invalid id. @param index offset of the id in the input. @param shape shape of the input */
  #unknownId(id: number, index: number, shape: Shape): Error {
    const { inputDim } = this.options;
    const length = shape.length > 1 ? shape[shape.length - 1] : 1;
    const position =
      shape.length > 1 ? `row ${Math.floor(index / length)}, step ${index % length}` : `position ${index}`;
    return this.error(
      'value',
      `ids must be integers from 0 to ${inputDim - 1}, got ${id} at ${position}. ` +
        'Set inputDim to the size of the vocabulary (plus 1 if 0 is padding), or map unknown words to one reserved id.',
      { id, position: index, inputDim },
    );
  }
}

/** Returns the mask of ids: 0 where the id is 0. */
function paddingMask(ids: Float32Array | Float64Array, shape: Shape): Tensor {
  return hostTensor(
    ids.map((id) => (id === 0 ? 0 : 1)),
    shape,
  );
}

/** Creates a layer that looks up the vector of each id: [B, T] to [B, T, outputDim]. */
export function embedding(options: EmbeddingOptions): Embedding {
  checkOptions('embedding', options, {
    inputDim: 'count',
    outputDim: 'count',
    maskZero: 'boolean',
    embeddingsInitializer: true,
    embeddingsRegularizer: true,
    embeddingsConstraint: true,
    embeddingDropout: 'fraction',
    weights: true,
    ...LAYER,
  });
  return new Embedding(options);
}
