/**
 * `outputEmbedding`: computes a score for each token of a vocabulary, x Eᵀ + b. The table E [V, D] has one row per token. The
 * layer can share the table of an `embedding` (Press & Wolf 2017, Inan et al. 2017), so that a language model has one table
 * instead of two. For large vocabularies, `losses.sampledSoftmax` trains the table from a sample of its rows.
 */
import { add, type MaskedSequence, matmul, type Parameter, type Shape } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { type Activation, activation } from '../activations.js';
import { checkUnits } from '../cells/matrix-cell.js';
import type { Initializer } from '../initializers.js';
import { Layer, type LayerConfig, type LayerOptions } from '../layer.js';
import { LAYER } from '../option-names.js';
import type { Regularizer } from '../regularizers.js';
import { Embedding } from './embedding.js';

export interface OutputEmbeddingOptions extends LayerOptions {
  /** V, the size of the vocabulary. Default: the `inputDim` of `tiedTo`. */
  units?: number;
  /**
   * An embedding of the same model whose table is used. The width of its vectors must be the width of x. Default: the layer
   * has its own table.
   */
  tiedTo?: Embedding;
  /** Activation of the scores. Default `linear`: the output contains logits. */
  activation?: Activation;
  /** Add a bias b [V]. Default true. */
  useBias?: boolean;
  /** Initialiser of the layer's own table. Default `glorotUniform`. */
  embeddingsInitializer?: Initializer;
  /** Initialiser of b. Default `zeros`. */
  biasInitializer?: Initializer;
  /** Regularisers of the layer's own table and of b. Default: none. */
  embeddingsRegularizer?: Regularizer | null;
  biasRegularizer?: Regularizer | null;
}

/** The options in a config, in which an embedding is given by its name. */
type StoredOptions = Omit<OutputEmbeddingOptions, 'tiedTo'> & { tiedTo?: Embedding | string };

export class OutputEmbedding extends Layer<StoredOptions> {
  static override readonly className = 'OutputEmbedding';
  /** V, the size of the vocabulary. */
  readonly units: number;
  #tiedEmbedding: Embedding | null = null;
  #ownTable: Parameter | null = null;
  #bias: Parameter | null = null;

  constructor(options: StoredOptions) {
    super(options);
    const { tiedTo } = options;
    if (tiedTo instanceof Embedding) this.#tiedEmbedding = tiedTo;
    else if (tiedTo !== undefined && typeof tiedTo !== 'string')
      throw this.error('value', `tiedTo must be an embedding layer, got ${formatValue(tiedTo)}.`);
    this.units = options.units ?? this.#tiedEmbedding?.inputDim ?? 0;
    checkUnits(this.label, this.units);
    if (this.#tiedEmbedding && this.#tiedEmbedding.inputDim !== this.units) {
      throw this.error(
        'value',
        `units must be ${this.#tiedEmbedding.inputDim}, the vocabulary size of ${this.#tiedEmbedding.label}, got ${this.units}.`,
      );
    }
    activation(options.activation ?? 'linear', this.label);
  }

  /** E [V, D]. */
  get table(): Parameter {
    const table = this.#tiedEmbedding?.table ?? this.#ownTable;
    if (table) return table;
    throw this.error(
      'state',
      `is not built yet. Build the model first, or call build([[-1, D]]) for inputs of width D.`,
    );
  }

  /** b [V], or null without a bias. */
  get bias(): Parameter | null {
    return this.#bias;
  }

  override connect(layers: readonly Layer[]): void {
    const { tiedTo } = this.options;
    if (tiedTo === undefined) return;
    const found = layers.find(
      (layer) => layer === tiedTo || (layer instanceof Embedding && layer.name === tiedTo),
    );
    if (found instanceof Embedding) this.#tiedEmbedding = found;
    else {
      const name = typeof tiedTo === 'string' ? tiedTo : tiedTo.name;
      throw this.error('value', `tiedTo must be an embedding of the same model, got "${name}".`);
    }
  }

  outputShapes([x]: readonly Shape[]): Shape[] {
    const width = this.#tiedEmbedding?.outputDim ?? this.#ownTable?.shape[1] ?? x.at(-1) ?? -1;
    if (x.length < 2 || x.at(-1) !== width || width < 1) {
      const source = this.#tiedEmbedding ? `, the width of ${this.#tiedEmbedding.label}` : '';
      throw this.shapeError(x, `[batch, ..., ${width > 0 ? width : 'features'}]${source}`);
    }
    return [[...x.slice(0, -1), this.units]];
  }

  protected override makeParameters([x]: readonly Shape[]): void {
    const o = this.options;
    if (!this.#tiedEmbedding) {
      this.#ownTable = this.addParameter(
        'embeddings',
        [this.units, x[x.length - 1]],
        o.embeddingsInitializer ?? 'glorotUniform',
        { regularizer: o.embeddingsRegularizer },
      );
    }
    if (o.useBias === false) return;
    this.#bias = this.addParameter('bias', [this.units], o.biasInitializer ?? 'zeros', {
      regularizer: o.biasRegularizer,
    });
  }

  call([x]: readonly MaskedSequence[]): MaskedSequence[] {
    const products = matmul(x.value, this.table, { transB: true });
    const scores = this.#bias ? add(products, this.#bias) : products;
    return [{ value: activation(this.options.activation ?? 'linear')(scores), mask: x.mask }];
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [...inputs];
  }

  override get config(): LayerConfig {
    const { className, config } = super.config;
    return {
      className,
      config: {
        ...config,
        units: this.units,
        ...(this.#tiedEmbedding && { tiedTo: this.#tiedEmbedding.name }),
      },
    };
  }
}

/**
 * Creates a layer that scores all tokens of a vocabulary: [B, ..., D] to [B, ..., V].
 *
 *     const tokens = embedding({ inputDim: V, outputDim: 256 });
 *     sequential([tokens, lstm({ units: 256, returnSequences: true }), outputEmbedding({ tiedTo: tokens })]);
 *
 * @throws UnrollError `value` if `units` differs from the `inputDim` of `tiedTo`, or if `tiedTo` is not in the same model;
 * `shape` if the width of the input differs from the width of the table
 */
export function outputEmbedding(options: OutputEmbeddingOptions): OutputEmbedding {
  checkOptions('outputEmbedding', options, {
    units: 'count',
    tiedTo: true,
    activation: true,
    useBias: 'boolean',
    embeddingsInitializer: true,
    biasInitializer: true,
    embeddingsRegularizer: true,
    biasRegularizer: true,
    ...LAYER,
  });
  return new OutputEmbedding(options);
}
