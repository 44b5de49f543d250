/**
 * unrolljs/convert: reads and writes models of other tools.
 *
 *     import { importModel } from 'unrolljs/convert';
 *
 *     const { model, report } = await importModel('encoder.pt');
 *     await model.predict(x);
 */
// biome-ignore-all assist/source/organizeImports: grouped by subject
// Any format
export {
  describeModel,
  type Imported,
  type ImportModelOptions,
  importModel,
  type ModelSource,
  type ResumeOptions,
  resumeTraining,
} from './convert-model.js';
export type { FileDescription, FormatName, ImportReport, OptimizerRecord } from '@unroll/formats/convert';

// Keras and TensorFlow.js
export {
  type ExportKerasOptions,
  exportKeras,
  type ImportKerasOptions,
  importKeras,
} from './convert-keras.js';

// PyTorch
export {
  type ExportPyTorchOptions,
  exportPyTorch,
  type ImportPyTorchOptions,
  importPyTorch,
  type PyTorchFiles,
} from './convert-pytorch.js';

// ONNX
export { type ExportOnnxOptions, exportOnnx, importOnnx } from './convert-onnx.js';
export type { AxisOrder } from '@unroll/formats/convert';

// Arrays
export { readSafetensors, writeSafetensors } from '@unroll/formats';
export { type NumpyArray, readNpz, writeNpz } from './convert-arrays.js';
