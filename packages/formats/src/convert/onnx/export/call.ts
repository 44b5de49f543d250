/** The context in which a layer is exported: the layer, its inputs and its weights. */
import { type FloatArray, type Shape, type UnrollError, valueError } from '@unroll/core';
import type { Layer } from '@unroll/nn';
import type { GraphTensor, OnnxGraph } from './graph.js';

/** The values of all parameters of a model, by parameter. */
export type Weights = ReadonlyMap<object, FloatArray>;

/** A state that a model takes as an input and returns as an output. */
export interface StreamedState {
  input: string;
  output: string;
  /** Shape without the batch axis. */
  shape: Shape;
}

export interface ExportSettings {
  graph: OnnxGraph;
  weights: Weights;
  /** True if the states of all layers are inputs and outputs. */
  streaming: boolean;
  states: StreamedState[];
}

export class LayerCall {
  readonly layer: Layer;
  /** Names of the models and layers that contain the layer, and its own name, joined by `/`. */
  readonly path: string;
  readonly inputs: readonly GraphTensor[];
  readonly settings: ExportSettings;

  constructor(layer: Layer, path: string, inputs: readonly GraphTensor[], settings: ExportSettings) {
    this.layer = layer;
    this.path = path;
    this.inputs = inputs;
    this.settings = settings;
  }

  get graph(): OnnxGraph {
    return this.settings.graph;
  }

  get config(): Readonly<Record<string, unknown>> {
    return this.layer.config.config;
  }

  /** Returns the shapes of the outputs. */
  get shapes(): Shape[] {
    return this.layer.outputShapes(this.inputs.map(({ shape }) => shape));
  }

  /** Returns the parameter whose name is `name` or ends with `/name`; null if the layer does not have it. */
  weight(name: string, layer: Layer = this.layer): { shape: Shape; values: FloatArray } | null {
    const parameter = layer.parameters.find(
      (candidate) => candidate.name === name || candidate.name.endsWith(`/${name}`),
    );
    const values = parameter && this.settings.weights.get(parameter);
    return values ? { shape: parameter.shape, values } : null;
  }

  /** Adds a parameter as an initializer, and returns its name. */
  initializer(name: string, layer: Layer = this.layer): string {
    const weight = this.weight(name, layer);
    if (!weight) throw this.error(`it has no weight ${name}`);
    return this.graph.floats(`${this.path}.${name.replaceAll('/', '.')}`, weight.values, weight.shape);
  }

  /** Returns the call of an inner layer, with the same settings. */
  inner(layer: Layer, inputs: readonly GraphTensor[], path = `${this.path}/${layer.name}`): LayerCall {
    return new LayerCall(layer, path, inputs, this.settings);
  }

  /** Adds an input of the graph for a state, and returns its name. */
  stateInput(name: string, shape: Shape): string {
    return this.graph.input(`${this.path}.${name}`, ['batch', ...shape]);
  }

  /** Declares `output`, the next value of a state, as an output of the graph. */
  stateOutput(input: string, output: string, shape: Shape): void {
    this.settings.states.push({ input, output, shape });
  }

  /** Returns an error that names the layer. @param problem a clause without a full stop */
  error(problem: string, data: Record<string, unknown> = {}): UnrollError {
    const { className, name } = this.layer;
    return valueError(`ONNX cannot express ${className} "${this.path || name}": ${problem}.`, {
      layer: name,
      className,
      ...data,
    });
  }
}
