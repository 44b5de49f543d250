/**
 * What layers, training and artifacts agree on without knowing one another: the structural type of a model. Anything
 * with these members can be trained, also without a single layer of @unroll/nn.
 */
import type { Parameter } from './parameter.js';
import type { RandomStream } from './random.js';
import type { Shape } from './shape.js';
import type { Tensor } from './tensor.js';

/** A value on its way through a model, with its mask [B, T] (1: valid) where it is a padded sequence. */
export interface Flow {
  value: Tensor;
  mask: Tensor | null;
  /** In a stream: given before it began, and the same in every call. Default false. */
  fixed?: boolean;
}

/** What a forward pass is told. */
export interface ForwardContext {
  /** True while training: dropout drops, batch statistics are the batch's own. */
  training: boolean;
  /** Where dropout masks come from. */
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
  forward(inputs: readonly Flow[], context: ForwardContext): Flow[];
  /** Shapes of the outputs for inputs of these shapes. Needed where a loss has parameters. */
  outputShapes?(inputs: readonly Shape[]): readonly Shape[];
  /** Everything needed to build the model again, as JSON; nothing executable. */
  readonly config: Readonly<Record<string, unknown>>;
}
