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
  /** In streaming inference: true if the value is constant, given once when the stream is created. Default false. */
  fixed?: boolean;
}

/** The context of a forward pass. */
export interface ForwardContext {
  /** True in training: dropout is active, and batch normalisation uses the statistics of the batch. */
  training: boolean;
  /** The random stream for dropout masks. */
  random: RandomStream;
  /** Registers work to run after the gradient computation of the step, such as an update of moving statistics. */
  afterStep(work: () => void | Promise<void>): void;
  /** Adds a scalar to the loss of this pass, such as a regularisation penalty. */
  addLoss(term: Tensor): void;
  /**
   * Present if the pass covers only a part of each sequence (truncated backpropagation through time). Returns the random
   * stream for a dropout mask that all steps of a sequence share, so that every part of the sequence gets the same mask. A
   * layer calls the function once for each such mask.
   * @param stream the random stream that the layer would use otherwise
   */
  sharedDraw?(stream: RandomStream): RandomStream;
}

/** The states of a model between two parts of its sequences: a tree of tensors with the structure of the model. */
export interface ModelState {
  tensors: Readonly<Record<string, Tensor>>;
  parts: Readonly<Record<string, ModelState>>;
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
  /**
   * Like {@link forward}, for the next steps of sequences that were processed up to `state` (null: from their start).
   * Returns the outputs of these steps and the state after them, both with gradients. Adds the loss terms of layers, but
   * not the penalties of parameters. Required only for truncated backpropagation through time.
   */
  forwardFrom?(
    inputs: readonly MaskedSequence[],
    context: ForwardContext,
    state: ModelState | null,
  ): { outputs: MaskedSequence[]; state: ModelState };
  /**
   * Returns for each output whether it has the time axis of the inputs. `inputs` says for each input whether it has this
   * axis; training passes `true` for all inputs of the model. Required with {@link forwardFrom}.
   * @throws UnrollError `state` if a part of the model needs the whole sequence before its first output
   */
  streaming?(inputs: readonly boolean[]): readonly boolean[];
  /** Returns the shapes of the outputs for inputs of these shapes. Required only if a loss has parameters. */
  outputShapes?(inputs: readonly Shape[]): readonly Shape[];
  /** JSON from which the model can be rebuilt. It contains no code. */
  readonly config: Readonly<Record<string, unknown>>;
}
