/**
 * The structural type of a model, used by layers, training and artifacts. Any object with these members can be
 * trained, with or without layers of @unroll/nn.
 */
import type { Parameter } from './parameter.js';
import type { RandomStream } from './random.js';
import type { Shape } from './shape.js';
import type { Tensor } from './tensor.js';

/** A tensor with its mask. The mask [B, T] is 1 at valid steps and 0 at padding; null: there is no padding. */
export interface MaskedSequence {
  value: Tensor;
  mask: Tensor | null;
  /** In a stream: the value is constant, given when the stream is created. Default false. */
  fixed?: boolean;
}

/** The context of a forward pass. */
export interface ForwardContext {
  /** True in training: dropout is active, and batch statistics are those of the batch. */
  training: boolean;
  /** The random stream for dropout masks. */
  random: RandomStream;
  /** Work to do after the gradient of the step, such as updating moving statistics; run in order. */
  afterStep(work: () => void | Promise<void>): void;
  /** Adds a scalar to the loss of this pass, such as a penalty of a regulariser. */
  addLoss(term: Tensor): void;
}

export interface Model {
  readonly name: string;
  /** True once all parameters exist. */
  readonly built: boolean;
  /** Creates the parameters for inputs of these shapes ([batch, ...]; -1: any size). Does nothing if they exist. */
  build(inputShapes: readonly Shape[]): void;
  /** All parameters, in the order of Keras's weights. */
  readonly parameters: readonly Parameter[];
  forward(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[];
  /** Shapes of the outputs for inputs of these shapes. Needed if a loss has parameters. */
  outputShapes?(inputs: readonly Shape[]): readonly Shape[];
  /** JSON from which the model can be rebuilt; contains nothing executable. */
  readonly config: Readonly<Record<string, unknown>>;
}
