/** A model that predicts. What `unrolljs/infer` loads; `Model` adds training to it. */
import {
  type PredictOptions as CorePredictOptions,
  type Flow,
  type ForwardContext,
  type Model as Network,
  type Parameter,
  predictAll,
  type Shape,
  type Tensor,
} from '@unroll/core';
import { type ModelValues, toTensor, toTensors, type Values } from './values.js';

export interface PredictOptions extends Omit<CorePredictOptions, 'mask'> {
  /** Which steps are valid, [N, T] with 1 and 0, for padded sequences. Default: as the model's layers find. */
  mask?: Values;
}

/** Weights as plain numbers: one entry per parameter, in Keras's order. */
export interface Weights {
  name: string;
  shape: Shape;
  values: Float32Array | Float64Array;
}

export class InferenceModel implements Network {
  /** The network itself: layers and weights. */
  readonly network: Network;

  constructor(network: Network) {
    this.network = network;
  }

  get name(): string {
    return this.network.name;
  }

  get built(): boolean {
    return this.network.built;
  }

  get parameters(): readonly Parameter[] {
    return this.network.parameters;
  }

  get config(): Readonly<Record<string, unknown>> {
    return this.network.config;
  }

  build(inputShapes: readonly Shape[]): void {
    this.network.build(inputShapes);
  }

  forward(inputs: readonly Flow[], context: ForwardContext): Flow[] {
    return this.network.forward(inputs, context);
  }

  /** The output for x, [N, ...]; of a model of several outputs, the first. */
  async predict(x: ModelValues, options?: PredictOptions): Promise<Tensor> {
    return (await this.predictAll(x, options))[0]!;
  }

  /** Every output for x, [N, ...] each. */
  predictAll(x: ModelValues, { mask, ...options }: PredictOptions = {}): Promise<Tensor[]> {
    const call: CorePredictOptions = mask === undefined ? options : { ...options, mask: toTensor(mask) };
    return predictAll(this.network, toTensors(x), call);
  }
}
