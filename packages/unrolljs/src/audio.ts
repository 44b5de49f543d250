/**
 * unrolljs/audio: reads sound and computes features for speech recognition, from whole sounds or from streams.
 *
 *     import { audioFeatures, mono, readWav } from 'unrolljs/audio';
 *
 *     const sound = readWav(bytes);
 *     const features = audioFeatures({ sampleRate: 16_000, mels: 40 });
 *     const { values, width, length } = features.frames(mono(sound), sound.sampleRate); // [length, width]
 */
// biome-ignore-all assist/source/organizeImports: grouped by subject

// WAV files and sample rates
export {
  mono,
  type ResampleOptions,
  Resampler,
  readWav,
  resample,
  type TrimOptions,
  trimSilence,
  type WavEncoding,
  type WavOptions,
  type WavSound,
  WavStream,
  type Waveform,
  type WriteWavOptions,
  writeWav,
} from '@unroll/data';

// Features
export {
  type AudioFeatureConfig,
  type AudioFeatureOptions,
  AudioFeatures,
  type AudioFrames,
  analysisWindow,
  appendDeltas,
  audioFeatures,
  FeatureStream,
  type GriffinLimOptions,
  griffinLim,
  hzToMel,
  type MelScale,
  type MelToSoundOptions,
  melToHz,
  melToSound,
  melToSpectrum,
  RealFft,
  type WindowName,
} from '@unroll/data';

// Speaker verification
export { cosineSimilarity, type EqualErrorRate, equalErrorRate } from '@unroll/data';

// Augmentation
export {
  addNoise,
  applyGain,
  changeSpeed,
  type SpecAugmentOptions,
  specAugment,
  warpFrames,
} from '@unroll/data';
