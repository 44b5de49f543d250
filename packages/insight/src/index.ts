/** @unroll/insight: instruments that show the gates, states and gradients of recurrent networks. */
export { AblatedModel, type AblateOptions, ablate } from './ablate.js';
export type { DataArray } from './arrays.js';
export { type Attribution, type AttributionOptions, attribution } from './attribution.js';
export {
  type Connectivity,
  type ConnectivityOptions,
  connectivity,
  type InputInfluence,
} from './connectivity.js';
export type { OutputOptions } from './derivatives.js';
export type { KeepGate } from './gates.js';
export {
  type GradientFlow,
  type GradientFlowOptions,
  gradientFlow,
  type LayerFlow,
  type StateFlow,
} from './gradients.js';
export { type Histogram, histogramOf } from './histogram.js';
export type { MaskOption, ModelInput } from './inputs.js';
export type { Inspectable } from './instrument.js';
export { type MemoryLength, type MemoryLengthOptions, memoryLength } from './memory.js';
export { type Projection, type ProjectionOptions, projection } from './projection.js';
export {
  type GateRecord,
  type LagRecord,
  type LayerRecord,
  type Recorder,
  type RecorderOptions,
  type RecordSink,
  recorder,
  scalarsOf,
  type TrainingRecord,
} from './recorder.js';
export {
  type LayerSaturation,
  type SaturationOptions,
  type Shares,
  saturation,
  saturationOf,
} from './saturation.js';
export { spectralRadius } from './spectral.js';
export type { LagSummary } from './statistics.js';
export { escapeText } from './svg/draw.js';
export { type GateFigureOptions, gateFigure } from './svg/gates.js';
export { type LagCurve, type LagFigureOptions, lagCurves, lagFigure } from './svg/lags.js';
export { type UnrolledFigureOptions, unrolledFigure } from './svg/unrolled.js';
export { type LayerTrace, type Trace, type TraceOptions, trace } from './trace.js';
export { type WeightStatistics, weightStatistics } from './weights.js';
