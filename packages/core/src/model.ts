/**
 * The structural type of a model, shared by layers, training and artifacts. Anything with these members can be trained,
 * with or without layers of @unroll/nn.
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
  /** True while training: dropout drops, batch statistics are the batch's own. */
  training: boolean;
  /** The stream that dropout masks are drawn from. */
  random: RandomStream;
  /** Work to do once the step's gradient has been taken, such as moving statistics; one after another. */
  afterStep(work: () => void | Promise<void>): void;
  /** Adds a scalar to the loss of this pass: regularisers of weights and of activities. */
  addLoss(term: Tensor): void;
}

export interface Model {
  readonly name: string;
  /** True once all parameters exist. */
  readonly built: boolean;
  /** Makes the parameters for inputs of these shapes ([batch, ...]; -1: any extent). Does nothing when built. */
  build(inputShapes: readonly Shape[]): void;
  /** All parameters, in Keras's order of weights. */
  readonly parameters: readonly Parameter[];
  forward(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[];
  /** Shapes of the outputs for inputs of these shapes. Needed where a loss has parameters. */
  outputShapes?(inputs: readonly Shape[]): readonly Shape[];
  /** Everything needed to build the model again, as JSON; nothing executable. */
  readonly config: Readonly<Record<string, unknown>>;
}
