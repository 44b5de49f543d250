/**
 * unrolljs/images: reads frames of video clips from PNG, JPEG and GIF files.
 *
 *     import { readGif, readImage } from 'unrolljs/images';
 *
 *     const clip = [readImage(first), readImage(second)]; // a clip for the tasks on video
 *     const animation = [...readGif(bytes).frames()];
 *
 * In a page, `ImageData` of a canvas is a frame, and these decoders are not needed.
 */
export { type ImageShape, resizeArea } from '@unroll/data';
export {
  type Image,
  type ImageFrames,
  looksLikeGif,
  looksLikeImage,
  readGif,
  readImage,
} from '@unroll/data/images';
