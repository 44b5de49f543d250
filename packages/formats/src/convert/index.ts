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
  NamedArray,
  OptimizerRecord,
} from './format.js';
export { extensionsOf, formatNamed, formatNames, formatOfExtension, formatOfFile } from './formats.js';
export { layerOutputs } from './layer-outputs.js';
export type { NumpyArray } from './npz/npy.js';
export { readNpz, writeNpz } from './npz/npz.js';
export { type ByteSource, blobSource, bytesSource, readAll } from './source.js';
export { urlSource } from './source-url.js';
export { readZipEntry, type ZipEntry, type ZipIndex, zipIndex } from './zip-source.js';
