/**
 * Reads WAV files (RIFF, and RF64 of EBU Tech 3306): PCM of 8 to 32 bits, floats of 32 and 64 bits, mu-law and A-law, with any
 * number of channels, also as WAVE_FORMAT_EXTENSIBLE. No size in the file is trusted: every chunk must lie within the bytes.
 */
import { UnrollError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { CODECS, type SampleCodec, type WavEncoding } from './wav-codecs.js';
import type { Waveform } from './waveform.js';

export interface WavOptions {
  /** Name of the file, for messages. Default "WAV file". */
  source?: string;
}

/** A sound as read from a WAV file. */
export interface WavSound extends Waveform {
  encoding: WavEncoding;
}

/**
 * Reads a WAV file.
 * @throws UnrollError `format` if the bytes are not a WAV file, are truncated or damaged, or have an encoding that is not
 * supported; `data` if there are no samples, or samples that are NaN or infinite
 */
export function readWav(bytes: Uint8Array, options: WavOptions = {}): WavSound {
  checkOptions('readWav', options, { source: 'string' });
  const { source = 'WAV file' } = options;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { format, data } = chunksOf(view, source);
  const { encoding, codec, channels: count, frameBytes, sampleRate } = format;
  if (data.length === 0) throw new UnrollError('data', `${source}: the file has no samples.`, { source });
  if (data.length % frameBytes !== 0) {
    throw formatError(
      source,
      `the data chunk must have a multiple of ${frameBytes} bytes, got ${data.length}. The file is truncated or damaged`,
    );
  }
  const length = data.length / frameBytes;
  const stride = frameBytes / count;
  // A sample in a larger container is left-justified: its bytes are the last ones.
  const padding = stride - codec.bytes;
  const channels = Array.from({ length: count }, (_, channel) => {
    const samples = new Float32Array(length);
    const start = data.start + channel * stride + padding;
    for (let i = 0; i < length; i++) samples[i] = codec.read(view, start + i * frameBytes);
    return samples;
  });
  if (codec.tag === 3) checkFinite(channels, source);
  return { channels, sampleRate, encoding };
}

function checkFinite(channels: readonly Float32Array[], source: string): void {
  for (const samples of channels) {
    const index = samples.findIndex((sample) => !Number.isFinite(sample));
    if (index < 0) continue;
    const message = `${source}: sample ${index + 1} must be a finite number, got ${samples[index]}.`;
    throw new UnrollError('data', message, { source });
  }
}

/** Returns an error about the content of a WAV file. */
export const formatError = (source: string, problem: string): UnrollError =>
  new UnrollError('format', `${source}: ${problem}.`, { source });

/** A range of bytes. */
export interface Range {
  start: number;
  length: number;
}

export interface WavFormat {
  encoding: WavEncoding;
  codec: SampleCodec;
  channels: number;
  /** Bytes of one sample of all channels. */
  frameBytes: number;
  sampleRate: number;
}

export const RIFF_HEADER = 12;
export const CHUNK_HEADER = 8;
/**
 * Sizes that programs write if they cannot seek back to fill in the actual size: the chunk lasts to the end of the file. SoX and
 * espeak-ng write the second one.
 */
const UNKNOWN_SIZE = 0xffffffff;
const SOX_SIZE = 0x7ffff000;

/** Returns whether the size in a chunk header stands for an unknown size. */
export const isUnknownSize = (stated: number): boolean => stated === UNKNOWN_SIZE || stated === SOX_SIZE;

export const nameAt = (view: DataView, offset: number): string =>
  String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(offset + i)));

/** Returns the format and the range of the samples. */
function chunksOf(view: DataView, source: string): { format: WavFormat; data: Range } {
  const size = view.byteLength;
  const isLarge = checkHeader(view, source);
  let format: WavFormat | undefined;
  let large: number | undefined;
  for (let offset = RIFF_HEADER; offset + CHUNK_HEADER <= size; ) {
    const name = nameAt(view, offset);
    const start = offset + CHUNK_HEADER;
    const stated = view.getUint32(offset + 4, true);
    if (name === 'data') {
      if (format === undefined) throw formatError(source, 'the data chunk must follow a fmt chunk');
      return { format, data: { start, length: dataLength(size - start, stated, large, source) } };
    }
    if (stated > size - start) {
      const problem = `${JSON.stringify(name)} must have ${stated} bytes, got ${size - start}`;
      throw formatError(source, `the file is truncated or damaged: its chunk ${problem}`);
    }
    if (name === 'fmt ') {
      if (format !== undefined) throw formatError(source, 'the file has two fmt chunks');
      format = formatOf(view, { start, length: stated }, source);
    }
    if (name === 'ds64' && isLarge && stated >= 16) large = largeSize(view, start);
    offset = nextChunk(view, start + stated);
  }
  const missing = format === undefined ? 'a fmt chunk and a data chunk' : 'a data chunk';
  throw formatError(source, `the file is truncated or damaged: it must have ${missing}`);
}

/** Checks the first bytes. @returns whether the file is RF64 or BW64, whose data size is in the chunk ds64 */
export function checkHeader(view: DataView, source: string): boolean {
  if (view.byteLength === 0) throw formatError(source, 'the file is empty');
  const isLongEnough = view.byteLength >= RIFF_HEADER;
  const kind = isLongEnough ? nameAt(view, 0) : '';
  if (kind === 'RIFX') throw formatError(source, 'big-endian WAV files (RIFX) are not supported');
  const isLarge = kind === 'RF64' || kind === 'BW64';
  if ((kind !== 'RIFF' && !isLarge) || nameAt(view, 8) !== 'WAVE') {
    const container = isLongEnough ? containerOf(view) : undefined;
    const hint = container === undefined ? '' : `, got ${container}. Convert it to WAV`;
    throw formatError(source, `a WAV file must start with "RIFF" and "WAVE"${hint}`);
  }
  return isLarge;
}

/** Returns the name of another audio format, recognised by its first bytes; undefined for an unknown one. */
function containerOf(view: DataView): string | undefined {
  const names: Readonly<Record<string, string>> = {
    fLaC: 'a FLAC file',
    OggS: 'an Ogg file',
    FORM: 'an AIFF file',
    ftyp: 'an MP4 file',
  };
  const name = nameAt(view, 0);
  if (name.startsWith('ID3') || (view.getUint16(0) & 0xffe0) === 0xffe0) return 'an MP3 file';
  return names[name] ?? names[nameAt(view, 4)];
}

const largeSize = (view: DataView, start: number): number =>
  view.getUint32(start + 8, true) + view.getUint32(start + 12, true) * 2 ** 32;

/**
 * Returns the number of bytes of samples.
 * @param available bytes to the end of the file @param stated size in the header of the data chunk
 * @param large size of the data chunk that the ds64 chunk of a large file states
 */
function dataLength(available: number, stated: number, large: number | undefined, source: string): number {
  if (isUnknownSize(stated) && large === undefined) return available;
  const length = stated === UNKNOWN_SIZE && large !== undefined ? large : stated;
  if (length <= available) return length;
  throw formatError(
    source,
    `the file is truncated or damaged: its data chunk must have ${length} bytes, got ${available}`,
  );
}

/**
 * Returns the offset of the next chunk. A chunk of an odd size is followed by a padding byte, which some programs omit: then the
 * name of the next chunk starts at once.
 */
export function nextChunk(view: DataView, end: number): number {
  const padded = end + (end % 2);
  if (padded === end || end + CHUNK_HEADER > view.byteLength) return padded;
  const isName = (offset: number): boolean =>
    offset + CHUNK_HEADER <= view.byteLength && /^[A-Za-z][\x20-\x7e]{3}$/.test(nameAt(view, offset));
  return isName(end) && !isName(padded) ? end : padded;
}

const EXTENSIBLE = 0xfffe;
/** Bytes 2 to 15 of the GUID in a WAVE_FORMAT_EXTENSIBLE chunk; the first two are the format tag. */
const GUID_TAIL = '000000001000800000aa00389b71';

/** Parses the fmt chunk. */
export function formatOf(view: DataView, { start, length }: Range, source: string): WavFormat {
  if (length < 16) throw formatError(source, `the fmt chunk must have at least 16 bytes, got ${length}`);
  let tag = view.getUint16(start, true);
  const channels = view.getUint16(start + 2, true);
  const sampleRate = view.getUint32(start + 4, true);
  const frameBytes = view.getUint16(start + 12, true);
  const bits = view.getUint16(start + 14, true);
  if (tag === EXTENSIBLE) {
    if (length < 40)
      throw formatError(source, `the extensible fmt chunk must have at least 40 bytes, got ${length}`);
    const tail = Array.from({ length: 14 }, (_, i) => view.getUint8(start + 26 + i));
    const hex = tail.map((byte) => byte.toString(16).padStart(2, '0')).join('');
    if (hex !== GUID_TAIL)
      throw formatError(source, 'the encoding of the extensible format is not supported');
    tag = view.getUint16(start + 24, true);
  }
  if (channels === 0) throw formatError(source, 'the number of channels must be at least 1, got 0');
  if (sampleRate === 0) throw formatError(source, 'the sample rate must be at least 1 Hz, got 0');
  return { ...codecOf({ tag, bits, channels, frameBytes }, source), channels, frameBytes, sampleRate };
}

interface FormatFields {
  tag: number;
  bits: number;
  channels: number;
  frameBytes: number;
}

/** Returns the encoding of the samples. PCM samples take whole bytes, and may be stored in containers of 4 bytes. */
function codecOf({ tag, bits, channels, frameBytes }: FormatFields, source: string) {
  const stride = frameBytes / channels;
  const found = (Object.keys(CODECS) as WavEncoding[]).find((encoding) => {
    const codec = CODECS[encoding];
    if (codec.tag !== tag) return false;
    return tag === 1 ? codec.bytes === Math.ceil(bits / 8) : codec.bytes * 8 === bits;
  });
  if (found === undefined) {
    throw formatError(
      source,
      `the encoding must be PCM of up to 32 bits, float of 32 or 64 bits, mu-law or A-law, got format ${tag} with ${bits} bits`,
    );
  }
  const codec = CODECS[found];
  const isWider = tag === 1 && codec.bytes > 1 && stride === 4;
  if (stride !== codec.bytes && !isWider) {
    const layout = `${channels} channel${channels === 1 ? '' : 's'} of ${bits} bits`;
    throw formatError(
      source,
      `a frame of ${layout} must have ${codec.bytes * channels} bytes, got ${frameBytes}`,
    );
  }
  return { encoding: found, codec };
}
