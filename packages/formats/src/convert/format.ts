/**
 * What every format of model files provides: recognising, describing, importing and exporting. An importer creates the
 * config of an Unroll model and its weights, and builds the model from both (`imported.ts`); an exporter reads the config
 * and the weights of a model. No reader executes anything that a file contains.
 */
import type { FloatArray, Shape } from '@unroll/core';
import type { Json } from '@unroll/core/internal';
import type { Network } from '@unroll/nn';
import type { ByteSource } from './source.js';

export type FormatName = 'unroll' | 'keras' | 'h5' | 'tfjs' | 'pytorch' | 'safetensors' | 'onnx' | 'app';

export interface ModelFormat {
  readonly name: FormatName;
  /** With its article, for messages: `a Keras model`. */
  readonly title: string;
  /** Whether a file whose first bytes these are (at least 16, or the whole file) can be of this format. */
  recognises(head: Uint8Array): boolean;
  /**
   * Describes a file without reading its weights.
   * @throws UnrollError `format` for a file that is damaged or not of this format
   */
  describe(source: ByteSource): Promise<FileDescription>;
  /**
   * Reads a model.
   * @throws UnrollError `format` for a damaged file, `value` for a layer or an op that Unroll does not have, by name
   */
  read(source: ByteSource, options?: ImportOptions): Promise<ImportedModel>;
  /**
   * Writes a model to files, by name. The name '' stands for the output itself, and a name such as `.py` for a file beside
   * it with another extension. Without '', the output is a folder.
   * @throws UnrollError `value` for a layer that the format does not have, by name
   */
  write?(model: Network, options?: ExportOptions): Promise<Map<string, Uint8Array>>;
  /** For files without layers: a map for {@link ImportOptions.map}, with everything that the file decides. */
  template?(source: ByteSource): Promise<Json>;
  /**
   * Runs a file with the format's own runtime, for `--verify random`. Default: there is none.
   * @param inputs in the order of the model's inputs
   * @returns the outputs, in the order of the model's outputs
   * @throws UnrollError `value` if the runtime is not installed, with the command that installs it
   */
  run?(source: ByteSource, inputs: readonly NamedArray[]): Promise<NamedArray[]>;
  /** The name of that runtime, for messages: `ONNX Runtime`. */
  readonly runtime?: string;
  /** Like `run`, for the values inside a file that layers of the imported model compute. The arrays have the layers' names. */
  runLayers?(source: ByteSource, inputs: readonly NamedArray[]): Promise<NamedArray[]>;
}

/** An input or output of a model. */
export interface NamedArray {
  name: string;
  shape: Shape;
  values: FloatArray;
}

export interface ImportOptions {
  /** For a file without layers (PyTorch, safetensors): which tensors belong to which layer. Default: found by names. */
  map?: unknown;
  /** For a file that contains only weights (`.weights.h5`): the built model to load them into. */
  model?: Network;
  /** For a file that refers to others, if they are not beside it: their contents by name. */
  files?: ReadonlyMap<string, Uint8Array>;
}

export interface ExportOptions {
  /** ONNX: version of the operator set. Default 17. */
  opset?: number;
  /** ONNX: the states of recurrent layers are inputs and outputs, so that a model runs step by step. Default false. */
  streaming?: boolean;
  /** Unroll and app: type of the stored weights. Default `float32`. */
  weights?: 'float32' | 'float16';
  /** App: store the weights in a file beside the module instead of in it. Default false. */
  weightsBeside?: boolean;
  /** App: name of the output without its extension, for files beside it. Default `model`. */
  name?: string;
  /** Optimizer state to write, if the format stores it. Default: none. */
  optimizer?: OptimizerRecord;
  /** Loss and metrics to write, in Unroll's names, if the format stores them. Default: none. */
  compile?: { loss?: unknown; metrics?: unknown; lossWeights?: unknown };
}

/** The state of an optimizer in a file, so that training can continue. */
export interface OptimizerRecord {
  /** Name in Unroll: `adam`, `sgd`, `rmsprop`, ... */
  name: string;
  /** Options in Unroll's spelling: `{ learningRate: 0.001, beta1: 0.9 }`. */
  options: Readonly<Record<string, unknown>>;
  /** Number of updates so far. */
  iterations: number;
  /**
   * Per slot of the optimizer (`m`, `v`, ...): the values per parameter, by the name of the parameter, as Unroll's optimizers
   * store them. (The momentum of SGD has the sign of the gradient; Keras stores the opposite.)
   */
  slots: Readonly<Record<string, ReadonlyMap<string, FloatArray>>>;
}

/** A model from a file of another tool. */
export interface ImportedModel {
  /** A normal Unroll model: it can be trained, streamed and saved. */
  model: Network;
  report: ImportReport;
  /** The optimizer's state; null if the file has none. */
  optimizer: OptimizerRecord | null;
  /** Loss and metrics of the file's training configuration, in Unroll's names; null if the file has none. */
  compile: { loss?: unknown; metrics?: unknown } | null;
  /** ONNX: where the axes of the model's inputs and outputs are in the file. */
  axes?: {
    inputs: readonly AxisOrder[];
    outputs: readonly AxisOrder[];
    /** By the name of a layer: the value of the file that its first output is. */
    layers: ReadonlyMap<string, AxisOrder>;
  };
}

/** Where the axes of an input or output of a model are in a file, which may have the batch on another axis. */
export interface AxisOrder {
  /** Name in the file. */
  name: string;
  /** For each axis of the model, of which the first is the batch: the axis in the file; -1: none. */
  axes: readonly number[];
}

/** What became of each part of the file. */
export interface ImportReport {
  /** Layers, nodes or tensors of the file, with the layer or parameter of the model that they became. */
  mapped: { from: string; to: string }[];
  /** Values that the file does not contain, and what was used for them. */
  defaulted: { name: string; value: string; reason: string }[];
  /** Parts of the file that the model does not contain, and why the outputs do not depend on them. */
  dropped: { name: string; reason: string }[];
}

/** What `unroll inspect` says about a file. */
export interface FileDescription {
  format: FormatName;
  /** One line: `Keras 3.15.1, Functional "demand", 4 layers`. */
  title: string;
  /** Layers or nodes, in the order of the file; empty for a file that only has tensors. */
  parts: { name: string; type: string; shape: Shape | null; supported: boolean; note?: string }[];
  tensors: { name: string; shape: Shape; dtype: string }[];
  /** Further facts, for example the version of the operator set. */
  facts: { name: string; value: string }[];
}
