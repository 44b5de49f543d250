/** @unroll/insight: instruments that show the gates, states and gradients of recurrent networks. */
export type { DataArray } from './arrays.js';
export {
  type GradientFlow,
  type GradientFlowOptions,
  gradientFlow,
  type LayerFlow,
  type StateFlow,
} from './flow.js';
export type { KeepGate } from './gates.js';
export type { MaskOption, ModelInput } from './inputs.js';
export type { Inspectable } from './instrument.js';
export {
  type LayerSaturation,
  type SaturationOptions,
  type Shares,
  saturation,
  saturationOf,
} from './saturation.js';
export { spectralRadius } from './spectral.js';
export type { LagSummary } from './statistics.js';
export { type LayerTrace, type Trace, type TraceOptions, trace } from './trace.js';
