/** Exports greedy decoding, sampling, beam search and scheduled sampling. */
export { type BeamResult, type BeamSearchOptions, beamSearch } from './beam-search.js';
export { type GeneratedStep, type GenerateOptions, generate, generateTokens } from './generate.js';
export type { Decoded, DecodingOptions, OutputKind, RestrictCall } from './options.js';
export { type ScheduledSamplingOptions, scheduledSampling } from './scheduled-sampling.js';
export type { TokenStream } from './scorer.js';
