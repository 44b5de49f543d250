/** Decodes the bytes of text files: UTF-8, UTF-16 with or without a byte order mark, and detected older encodings. */
import { UnrollError, valueError } from '@unroll/core';
import { decodeAsLikely, sampleOf, tryDecode } from './encodings.js';

export interface DecodedText {
  text: string;
  /** Name of the encoding, such as `UTF-8`, `UTF-16`, `Windows-1252`, `GBK`. */
  encoding: string;
}

/**
 * Decodes the bytes of a text file.
 * @param encoding a label of the Encoding Standard such as `gbk` or `windows-1252`; default: detected
 * @throws UnrollError `format` if the bytes are not text, if no encoding is detected, or if the bytes are not valid in the
 * given encoding; `value` if `encoding` is not a known label
 */
export function decodeText(bytes: Uint8Array, source = 'The file', encoding?: string): DecodedText {
  checkContainer(bytes, source);
  if (encoding !== undefined) return decodeAs(bytes, source, encoding);
  const utf16 = detectUtf16(bytes);
  if (utf16 !== null) return { text: new TextDecoder(utf16).decode(bytes), encoding: 'UTF-16' };
  if (bytes.subarray(0, 4096).includes(0)) {
    throw new UnrollError('format', `${source} is not a text file: it contains zero bytes.`, { source });
  }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), encoding: 'UTF-8' };
  } catch {
    checkDamage(bytes, source);
    const decodedText = decodeAsLikely(bytes);
    if (decodedText !== undefined) return decodedText;
    throw new UnrollError(
      'format',
      `${source} is not UTF-8, and its encoding is not recognised. Save it as UTF-8, or set encoding (--encoding), such ` +
        'as windows-1250.',
      { source },
    );
  }
}

/** @throws UnrollError `format` for damaged UTF-8, where at least 80 % of the non-ASCII characters are valid */
function checkDamage(bytes: Uint8Array, source: string): void {
  const sample = new TextDecoder('utf-8').decode(sampleOf(bytes));
  const damaged = sample.match(/\uFFFD/g)?.length ?? 0;
  const valid = (sample.match(/[^\0-\x7F]/g)?.length ?? 0) - damaged;
  if (valid < 4 * damaged) return;
  const text = new TextDecoder('utf-8').decode(bytes);
  const line = text.slice(0, text.indexOf('\uFFFD')).split('\n').length;
  throw new UnrollError(
    'format',
    `${source}, line ${line}: the text is UTF-8 except for a few damaged bytes. Save it as UTF-8 again.`,
    { source, line },
  );
}

/** Decodes bytes in a given encoding. @throws UnrollError as for {@link decodeText} */
function decodeAs(bytes: Uint8Array, source: string, encoding: string): DecodedText {
  let text: string | undefined;
  try {
    text = tryDecode(bytes, encoding.trim());
  } catch {
    throw valueError(
      `encoding must be a name such as utf-8, windows-1252, gbk, big5, shift_jis or euc-kr, got "${encoding}".`,
      { encoding },
    );
  }
  if (text !== undefined) return { text, encoding };
  const message = `${source} is not valid ${encoding}. Correct the option encoding (--encoding), or leave it out.`;
  throw new UnrollError('format', message, { source, encoding });
}

/** @throws UnrollError `format` for workbooks and zip archives, which are recognised by their first bytes */
function checkContainer(bytes: Uint8Array, source: string): void {
  const startsWith = (...start: number[]) => start.every((byte, i) => bytes[i] === byte);
  const zip = startsWith(0x50, 0x4b, 0x03, 0x04);
  const oldExcel = startsWith(0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1);
  if (!zip && !oldExcel) return;
  // A zip stores file names as plain text, and its directory at the end lists all of them.
  const headAndTail = [bytes.subarray(0, 8192), bytes.subarray(-65_536)];
  const names = headAndTail.map((part) => new TextDecoder('latin1').decode(part)).join('');
  const workbook = oldExcel || /xl\/|\[Content_Types\]\.xml|opendocument\.spreadsheet/.test(names);
  const message = workbook
    ? `${source} is a workbook (Excel or LibreOffice), not a text file. Open it in that program and save the sheet as CSV (UTF-8).`
    : `${source} is a zip archive, not a text file. Unpack it first.`;
  throw new UnrollError('format', message, { source });
}

/** Detects UTF-16 by its byte order mark, or by zeros in most of the even or of the odd positions (ASCII characters). */
function detectUtf16(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | null {
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
