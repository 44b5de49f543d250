/** The ONNX format. */
import type { ModelFormat } from '../format.js';
import { describeOnnx } from './describe.js';
import { exportOnnx } from './export.js';
import { importOnnx } from './import.js';
import { runOnnx, runOnnxLayers } from './run.js';

export const onnxFormat: ModelFormat = {
  name: 'onnx',
  title: 'an ONNX model',
  /** A model begins with the field ir_version (1), a number below 128, and usually another field of a ModelProto. */
  recognises: ([tag, version, next]) =>
    tag === 0x08 &&
    version > 0 &&
    version < 128 &&
    (next === undefined || [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42].includes(next)),
  describe: describeOnnx,
  read: importOnnx,
  run: runOnnx,
  runtime: 'ONNX Runtime',
  runLayers: runOnnxLayers,
  write: async (model, options) => new Map([['', await exportOnnx(model, options)]]),
};
