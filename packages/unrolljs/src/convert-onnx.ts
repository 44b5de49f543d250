/** Imports and exports ONNX models. */
import { checkOptions } from '@unroll/core/internal';
import type { Network } from '@unroll/nn';
import { exportTo, type Imported, importOneOf, type ModelSource } from './convert-model.js';

/**
 * Reads an ONNX model, operator sets 7 to 28. The inputs and outputs of the imported model are batch-major; `axes` of the
 * result contains the order of their axes in the file.
 * @throws UnrollError `format` for a damaged file, `value` with the names of nodes that Unroll cannot convert
 */
export async function importOnnx(source: ModelSource): Promise<Imported> {
  return importOneOf(source, ['onnx']);
}

export interface ExportOnnxOptions {
  /** Version of the operator set, 13 to 23. Default 17. */
  opset?: number;
  /**
   * True: turns the states of all layers into inputs and outputs (`lstm.h` and `lstm.h.next`), so that the model runs step
   * by step. The model must be causal. Default false.
   */
  streaming?: boolean;
}

/**
 * Writes a model as an ONNX file, with the names and axes of its inputs and outputs. The states of stateful layers are
 * additional inputs and outputs.
 * @throws UnrollError `value` for a layer that ONNX cannot express, `state` for a model that is not built or cannot be streamed
 */
export async function exportOnnx(model: Network, options: ExportOnnxOptions = {}): Promise<Uint8Array> {
  checkOptions('exportOnnx', options, { opset: 'integer', streaming: 'boolean' });
  const files = await exportTo(model, 'onnx', options);
  return files.get('') ?? new Uint8Array();
}
