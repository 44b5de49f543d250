/**
 * The interface of all model file formats: recognising, describing, importing and exporting files. An importer creates the
 * config and the weights of an Unroll model, and builds the model from both (`imported.ts`); an exporter reads the config
 * and the weights of a model. No reader executes anything that a file contains.
 */
import type { FloatArray, Shape } from '@unroll/core';
import type { Json } from '@unroll/core/internal';
import type { Network } from '@unroll/nn';
import type { ByteSource } from './source.js';

export type FormatName = 'unroll' | 'keras' | 'h5' | 'tfjs' | 'pytorch' | 'safetensors' | 'onnx' | 'app';

export interface ModelFormat {
  readonly name: FormatName;
  /** Description with its article, for messages: `a Keras model`. */
  readonly title: string;
  /** Returns true if a file that begins with `head` (its first 4096 bytes, or the whole file) can have this format. */
  recognises(head: Uint8Array): boolean;
  /**
   * Describes a file, if possible without reading its weights.
   * @throws UnrollError `format` for a file that is damaged or not of this format
   */
  describe(source: ByteSource): Promise<FileDescription>;
  /**
   * Reads a model.
   * @throws UnrollError `format` for a damaged file, `value` for a layer or an op that Unroll does not have; the message
   * names it
   */
  read(source: ByteSource, options?: ImportOptions): Promise<ImportedModel>;
  /**
   * Writes a model, and returns the contents of the files by name. The name '' stands for the output file; a name such as
   * `.py` stands for a file with the same name and this extension instead. If there is no '', the output is a folder.
   * @throws UnrollError `value` for a layer that the format does not have; the message names it
   */
  write?(model: Network, options?: ExportOptions): Promise<Map<string, Uint8Array>>;
  /** For files without layers: returns a draft of {@link ImportOptions.map}, with everything that the file determines. */
  template?(source: ByteSource): Promise<Json>;
  /**
   * Runs the model in a file with a runtime of the format, for `unroll convert --verify random`. Default: no runtime.
   * @param inputs in the order of the model's inputs
   * @returns the outputs, in the order of the model's outputs
   * @throws UnrollError `value` if the runtime is not installed, with the command that installs it
   */
  run?(source: ByteSource, inputs: readonly NamedArray[]): Promise<NamedArray[]>;
  /** The name of the runtime that `run` uses, for messages: `ONNX Runtime`. */
  readonly runtime?: string;
  /**
   * Like `run`, but returns the values inside the file's graph that correspond to the first outputs of the imported model's
   * layers. Each array has the name of its layer.
   */
  runLayers?(source: ByteSource, inputs: readonly NamedArray[]): Promise<NamedArray[]>;
}

/** An input or output of a model. */
export interface NamedArray {
  name: string;
  shape: Shape;
  values: FloatArray;
}

export interface ImportOptions {
  /**
   * For a file without layers (PyTorch, safetensors): which tensors belong to which layer. Default: follows from names and
   * shapes.
   */
  map?: unknown;
  /** For a file that contains only weights (`.weights.h5`): the built model to load them into. */
  model?: Network;
  /** Contents of further files to which the file refers, by name. Default: they are read from the folder of the file. */
  files?: ReadonlyMap<string, Uint8Array>;
}

export interface ExportOptions {
  /** ONNX: version of the operator set. Default 17. */
  opset?: number;
  /** ONNX: make the states of recurrent layers inputs and outputs, so that the model can run step by step. Default false. */
  streaming?: boolean;
  /** Formats `unroll` and `app`: type of the stored weights. Default `float32`. */
  weights?: 'float32' | 'float16';
  /** Format `app`: store the weights in a separate file instead of in the module. Default false. */
  weightsBeside?: boolean;
  /**
   * Name of the output without its extension. A module (`app`) and a Python file (`pytorch`, `safetensors`) load their weights
   * by this name. Default: `model` for `app`, `weights` for the others.
   */
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
   * For each slot of the optimizer (`m`, `v`, ...), the values by parameter name, as Unroll's optimizers store them. (The
   * momentum of SGD has the sign of the gradient; Keras stores the opposite.)
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
  /** Loss, metrics and loss weights of the file's training configuration, in Unroll's names; null if the file has none. */
  compile: { loss?: unknown; metrics?: unknown; lossWeights?: unknown } | null;
  /** ONNX: the order of the axes of inputs and outputs in the file. */
  axes?: {
    inputs: readonly AxisOrder[];
    outputs: readonly AxisOrder[];
    /** For each layer, by name: the value in the file that corresponds to the layer's first output. */
    layers: ReadonlyMap<string, AxisOrder>;
  };
}

/** The order of the axes of a value in a file, where the batch is not always the first axis. */
export interface AxisOrder {
  /** Name in the file. */
  name: string;
  /** For each axis in the model (the first is the batch), its index in the file; -1 if the file does not have it. */
  axes: readonly number[];
}

/** What the importer did with each part of the file. */
export interface ImportReport {
  /** Layers, nodes or tensors of the file, with the layer or parameter of the model that they became. */
  mapped: { from: string; to: string }[];
  /** Values that the file does not contain or that were changed, with the value used instead and the reason. */
  defaulted: { name: string; value: string; reason: string }[];
  /** Parts of the file that the model does not contain, and why the outputs do not depend on them. */
  dropped: { name: string; reason: string }[];
}

/** What `unroll inspect` prints about a file. */
export interface FileDescription {
  format: FormatName;
  /** One line: `Keras 3.15.1, Functional "demand", 4 layers`. */
  title: string;
  /** Layers or nodes, in the order of the file; empty for a file that only has tensors. */
  parts: { name: string; type: string; shape: Shape | null; supported: boolean; note?: string }[];
  tensors: { name: string; shape: Shape; dtype: string }[];
  /** Other properties of the file by name, for example its inputs or the version of Keras. */
  facts: { name: string; value: string }[];
}
