/**
 * Exports for other packages of Unroll, not for users. They may change in any version.
 */

export { crc32c } from '#crc32c';
export { inputGradients, Tape } from './autograd.js';
export type * from './backend.js';
export { cpuBackend } from './cpu/backend.js';
export { Heap } from './cpu/heap.js';
export {
  type AllowedTags,
  type CrfOutput,
  crfOutputOf,
  setCrfOutput,
} from './crf-output.js';
export { bestPath } from './ctc-path.js';
export { fromFloat16Bits, toFloat16Bits } from './float16.js';
export { formatValue } from './format-value.js';
export { LazyGradient } from './lazy-gradient.js';
export { nearest, normalizeName } from './nearest.js';
export { isNumberArray, type NestedNumbers, type NumberArray } from './nested.js';
export {
  type AnyOp,
  apply,
  apply1,
  type BackwardCall,
  type ForwardCall,
  type Inputs,
  type NoAttributes,
  type Op,
  type Outputs,
  recording,
} from './op.js';
export type { GruSaved } from './ops/gru.js';
export type { LstmSaved } from './ops/lstm.js';
export { type LstmGatesAttributes, lstmGates } from './ops/lstm-gates.js';
export type { SequenceBuffers } from './ops/recurrent.js';
export { gatherRows } from './ops/rows.js';
export { type OpName, type OpTable, opTable } from './ops/table.js';
export { checkOptions, nameHint, type OptionTypes, unknownOption } from './options.js';
export { layOut } from './parameter.js';
export { checkPositiveInteger, ignoreLoss, inferenceContext, masksFor, predictLoaded } from './predict.js';
export { ProductGradient } from './product-gradient.js';
export { exactLog } from './random.js';
export { readyToInfer } from './ready-to-infer.js';
export { FlatBuffer } from './resident.js';
export { RowGradient } from './row-gradient.js';
export { joinRows, sliceRows, toHost } from './rows.js';
export { currentScope, runtime } from './runtime.js';
export * from './safetensors.js';
export { backendSync } from './select.js';
export * from './shape.js';
export { decodeUtf8, encodeUtf8, type Json, type JsonObject, parseStrictJson } from './strict-json.js';
export { takeRows } from './taken-rows.js';
export { hostTensor, hostValues, temporaryTensor, valuesOf } from './tensor.js';
export { randomWord, threefry2x32 } from './threefry.js';
export { yieldIfDue, yieldToEventLoop } from './turn.js';
