/** Sound: WAV files, resampling, features for recognition, sound from spectrograms, and data augmentation. */
export { analysisWindow, type WindowName } from './analysis-windows.js';
export {
  addNoise,
  applyGain,
  changeSpeed,
  type SpecAugmentOptions,
  specAugment,
  warpFrames,
} from './augment.js';
export type { AudioFeatureConfig, AudioFeatureOptions } from './config.js';
export { appendDeltas, type DeltaOptions, DeltaStream } from './deltas.js';
export { AudioFeatures, type AudioFrames, audioFeatures, FeatureStream } from './features.js';
export { RealFft } from './fft.js';
export { type GriffinLimOptions, griffinLim } from './griffin-lim.js';
export { hzToMel, type MelScale, melToHz } from './mel.js';
export { type MelToSoundOptions, melToSound, melToSpectrum } from './mel-inverse.js';
export { type ResampleOptions, Resampler, resample } from './resample.js';
export { type TrimOptions, trimSilence } from './trim.js';
export { readWav, type WavOptions, type WavSound } from './wav.js';
export type { WavEncoding } from './wav-codecs.js';
export { WavStream } from './wav-stream.js';
export { type WriteWavOptions, writeWav } from './wav-write.js';
export { mono, type Waveform } from './waveform.js';
