/**
 * The interface of a model for training and artifacts. Any object that implements it can be trained, with or without the
 * layers of @unroll/nn.
 */
import type { Parameter } from './parameter.js';
import type { RandomStream } from './random.js';
import type { Shape } from './shape.js';
import type { Tensor } from './tensor.js';

/** A tensor with its mask. The mask [B, T] is 1 at valid steps and 0 at padding; null: there is no padding. */
export interface MaskedSequence {
  value: Tensor;
  mask: Tensor | null;
  /** In a stream: true if the value is passed once, when the stream is created. Default false. */
  fixed?: boolean;
}

/** The context of a forward pass. */
export interface ForwardContext {
  /** True in training: dropout is active, and batch normalization uses the statistics of the batch. */
  training: boolean;
  /** The random stream for dropout masks. */
  random: RandomStream;
  /** Registers work to run after the gradient computation of the step, such as an update of moving statistics. */
  afterStep(work: () => void | Promise<void>): void;
  /** Adds a scalar to the loss of this pass, such as a regularisation penalty. */
  addLoss(term: Tensor): void;
}

export interface Model {
  readonly name: string;
  /** True once all parameters exist. */
  readonly built: boolean;
  /** Creates the parameters for inputs of these shapes ([batch, ...]; -1: any size), unless they already exist. */
  build(inputShapes: readonly Shape[]): void;
  /** All parameters, in the order of Keras's weights. */
  readonly parameters: readonly Parameter[];
  /** Computes the outputs and their masks. */
  forward(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[];
  /** Returns the shapes of the outputs for inputs of these shapes. Required only if a loss has parameters. */
  outputShapes?(inputs: readonly Shape[]): readonly Shape[];
  /** JSON from which the model can be rebuilt. It contains no code. */
  readonly config: Readonly<Record<string, unknown>>;
}
