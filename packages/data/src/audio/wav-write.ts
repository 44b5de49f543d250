/** Writes WAV files. */
import { UnrollError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { CODECS, type WavEncoding } from './wav-codecs.js';
import { checkRate, type Waveform } from './waveform.js';

export interface WriteWavOptions {
  /** Encoding of the samples. Samples outside -1 to 1 are clipped, except in `float32` and `float64`. Default `pcm16`. */
  encoding?: WavEncoding;
}

/** Bytes before the samples for PCM, and for the other encodings, which need a fact chunk and a longer fmt chunk. */
const PCM_HEADER = 44;
const OTHER_HEADER = 58;
const MAX_CHANNELS = 0xffff;

/**
 * Returns the bytes of a WAV file with the sound.
 * @throws UnrollError `value` for an unknown encoding or an invalid sample rate; `data` if there are no samples or more than
 * 65,535 channels, if the channels differ in length, or if the file would have 4 GiB or more
 */
export function writeWav(sound: Waveform, options: WriteWavOptions = {}): Uint8Array {
  checkOptions('writeWav', options, { encoding: Object.keys(CODECS) });
  const { channels, sampleRate } = sound;
  checkRate('writeWav', sampleRate);
  const codec = CODECS[options.encoding ?? 'pcm16'];
  const length = channels[0]?.length ?? 0;
  if (channels.length > MAX_CHANNELS)
    throw new UnrollError(
      'data',
      `writeWav: a WAV file can have at most ${MAX_CHANNELS} channels, got ${channels.length}.`,
    );
  if (length === 0 || channels.some((samples) => samples.length !== length)) {
    const lengths = channels.slice(0, 4).map((samples) => samples.length);
    const message = `writeWav: all channels must have the same number of samples, at least one, got ${lengths.join(', ') || 'none'}.`;
    throw new UnrollError('data', message);
  }
  const frameBytes = codec.bytes * channels.length;
  const header = codec.tag === 1 ? PCM_HEADER : OTHER_HEADER;
  const dataBytes = frameBytes * length;
  const size = header + dataBytes + (dataBytes % 2);
  if (size >= 2 ** 32)
    throw new UnrollError('data', `writeWav: a WAV file must be below 4 GiB, got ${size} bytes.`);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  writeHeader(view, {
    tag: codec.tag,
    channels: channels.length,
    sampleRate,
    sampleBytes: codec.bytes,
    length,
  });
  for (const [channel, samples] of channels.entries()) {
    const start = header + channel * codec.bytes;
    for (let i = 0; i < length; i++) codec.write(view, start + i * frameBytes, samples[i]);
  }
  return bytes;
}

interface Header {
  tag: number;
  channels: number;
  sampleRate: number;
  sampleBytes: number;
  length: number;
}

function writeHeader(view: DataView, { tag, channels, sampleRate, sampleBytes, length }: Header): void {
  let offset = 0;
  const text = (name: string): void => {
    for (const letter of name) view.setUint8(offset++, letter.charCodeAt(0));
  };
  const int16 = (value: number): void => {
    view.setUint16(offset, value, true);
    offset += 2;
  };
  const int32 = (value: number): void => {
    view.setUint32(offset, value, true);
    offset += 4;
  };
  const frameBytes = channels * sampleBytes;
  const rate = Math.round(sampleRate);
  text('RIFF');
  int32(view.byteLength - 8);
  text('WAVEfmt ');
  int32(tag === 1 ? 16 : 18);
  int16(tag);
  int16(channels);
  int32(rate);
  int32(rate * frameBytes);
  int16(frameBytes);
  int16(8 * sampleBytes);
  if (tag !== 1) {
    int16(0);
    text('fact');
    int32(4);
    int32(length);
  }
  text('data');
  int32(frameBytes * length);
}
