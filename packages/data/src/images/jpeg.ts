/** Reads JPEG files with jpeg-js. */
import { decode } from 'jpeg-js';
import { checkSize, type Image, imageError, MAX_PIXELS } from './image.js';

export const isJpeg = (bytes: Uint8Array): boolean =>
  bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

/** Returns whether a length follows the marker. Only TEM, RST0 to RST7, SOI and EOI have none. */
const hasLength = (marker: number): boolean => marker !== 0x01 && (marker < 0xd0 || marker > 0xd9);
/** Returns whether a marker starts a frame: SOF0 to SOF15. DHT, JPG and DAC, which lie between them, do not. */
const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/**
 * Reads a JPEG file, baseline or progressive. The orientation of a photo (EXIF) is not applied.
 * @param source name of the file, for errors
 * @throws UnrollError `format` for a damaged file and an image that is too large
 */
export function readJpeg(bytes: Uint8Array, source: string): Image {
  const { width, height } = sizeOf(bytes, source);
  checkSize(source, width, height);
  let image: { width: number; height: number; data: Uint8Array };
  try {
    image = decode(bytes, {
      ...{ useTArray: true, formatAsRGBA: false, tolerantDecoding: false },
      ...{ maxResolutionInMP: MAX_PIXELS / 1e6, maxMemoryUsageInMB: 2048 },
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw imageError(source, `the JPEG file is damaged (${reason})`);
  }
  if (image.width !== width || image.height !== height || image.data.length !== 3 * width * height)
    throw imageError(source, 'the JPEG file is damaged: its headers contradict each other');
  return { width, height, channels: 3, data: new Uint8Array(image.data) };
}

/** Returns the size that the first frame header declares. */
function sizeOf(bytes: Uint8Array, source: string): { width: number; height: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let offset = 2; offset + 9 <= bytes.length; ) {
    const marker = bytes[offset + 1];
    if (bytes[offset] !== 0xff) break;
    if (marker === 0xff) offset++;
    else if (!hasLength(marker)) offset += 2;
    else if (isFrame(marker))
      return { height: view.getUint16(offset + 5), width: view.getUint16(offset + 7) };
    else if (marker === 0xda) break;
    else offset += 2 + view.getUint16(offset + 2);
  }
  throw imageError(source, 'the JPEG file is damaged: it has no frame header');
}
