/** @unroll/formats/convert: reads and writes the model files of other tools. */
export type {
  AxisOrder,
  ExportOptions,
  FileDescription,
  FormatName,
  ImportedModel,
  ImportOptions,
  ImportReport,
  ModelFormat,
  OptimizerRecord,
} from './format.js';
export { formatNamed, formatOfExtension, formatOfFile } from './formats.js';
export { type ByteSource, blobSource, bytesSource, readAll } from './source.js';
