/** What the export of one layer needs: the layer, its inputs and its weights. */
import { type FloatArray, type Shape, type UnrollError, valueError } from '@unroll/core';
import type { Layer } from '@unroll/nn';
import type { GraphTensor, OnnxGraph } from './graph.js';

/** The values of all parameters of a model, by parameter. */
export type Weights = ReadonlyMap<object, FloatArray>;

/** A state that a model takes as an input and returns as an output. */
export interface StreamedState {
  input: string;
  output: string;
  /** Without the batch axis. */
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
  /** Name of the layer with those of the models that contain it. */
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

  /** Returns the values of a parameter by the end of its name; null if the layer does not have it. */
  weight(name: string, layer: Layer = this.layer): { shape: Shape; values: FloatArray } | null {
    const parameter = layer.parameters.find((own) => own.name === name || own.name.endsWith(`/${name}`));
    const values = parameter && this.settings.weights.get(parameter);
    return values ? { shape: parameter.shape, values } : null;
  }

  /** Adds a parameter as an initializer, and returns its name. */
  initializer(name: string, layer: Layer = this.layer): string {
    const weight = this.weight(name, layer);
    if (!weight) throw this.error(`it has no weight ${name}`);
    return this.graph.floats(`${this.path}.${name.replaceAll('/', '.')}`, weight.values, weight.shape);
  }

  /** Returns the same call of an inner layer. */
  inner(layer: Layer, inputs: readonly GraphTensor[], path = `${this.path}/${layer.name}`): LayerCall {
    return new LayerCall(layer, path, inputs, this.settings);
  }

  /** Adds a state that is an input and an output of the model. Returns the name of the input. */
  stateInput(name: string, shape: Shape): string {
    return this.graph.input(`${this.path}.${name}`, ['batch', ...shape]);
  }

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
