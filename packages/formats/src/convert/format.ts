/**
 * What every format of model files provides: recognising, describing, importing and exporting. An importer creates the
 * config of an Unroll model and its weights, and builds the model from both (`imported.ts`); an exporter reads the config
 * and the weights of a model. No reader executes anything that a file contains.
 */
import type { FloatArray, Shape } from '@unroll/core';
import type { Network } from '@unroll/nn';
import type { ByteSource } from './source.js';

export type FormatName = 'unroll' | 'keras' | 'h5' | 'tfjs' | 'pytorch' | 'safetensors' | 'onnx';

export interface ModelFormat {
  readonly name: FormatName;
  /** With its article, for messages: `a Keras model`. */
  readonly title: string;
  /** Extensions of the files, without the dot. The first is the extension of written files. */
  readonly extensions: readonly string[];
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
   * Writes a model to files, by name. One file: the name is ''.
   * @throws UnrollError `value` for a layer that the format does not have, by name
   */
  write?(model: Network, options?: ExportOptions): Promise<Map<string, Uint8Array>>;
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
