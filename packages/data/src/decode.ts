/** Bytes to text: byte order marks, UTF-16 with or without one, UTF-8, and Windows-1252 for what is none of these. */
import { UnrollError } from '@unroll/core';

export interface DecodedText {
  text: string;
  /** As a person would call it: `UTF-8`, `UTF-16`, `Windows-1252`. */
  encoding: string;
}

/**
 * The text in a file's bytes.
 * @throws UnrollError `format` when the bytes are no text
 */
export function decodeText(bytes: Uint8Array, source = 'The file'): DecodedText {
  const utf16 = utf16Of(bytes);
  if (utf16 !== null) return { text: new TextDecoder(utf16).decode(bytes), encoding: 'UTF-16' };
  if (bytes.subarray(0, 4096).includes(0)) {
    throw new UnrollError('format', `${source} is not a text file: it holds zero bytes.`, { source });
  }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), encoding: 'UTF-8' };
  } catch {
    // Not UTF-8: what spreadsheets on Windows write otherwise. Every byte is a character there.
    return { text: new TextDecoder('windows-1252').decode(bytes), encoding: 'Windows-1252' };
  }
}

/** Which UTF-16 it is: told by its mark, or by the zero bytes that plain letters leave in every second place. */
function utf16Of(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  const head = bytes.subarray(0, 1024);
  if (head.length < 8 || head.length % 2 !== 0) return null;
  const zeros = [0, 0];
  for (const [i, byte] of head.entries()) if (byte === 0) zeros[i % 2]++;
  const half = head.length / 2;
  if (zeros[0] === 0 && zeros[1] > half * 0.7) return 'utf-16le';
  return zeros[1] === 0 && zeros[0] > half * 0.7 ? 'utf-16be' : null;
}
