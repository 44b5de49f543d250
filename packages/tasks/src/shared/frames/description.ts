/** Describes how frames are read, for `unroll inspect` and for plans. */
import type { Json } from '@unroll/core/internal';
import type { TaskFact } from '../task.js';
import type { FrameConfig } from './encoder.js';

/** Returns the properties that `describe` of a model lists. */
export const frameProperties = ({
  frameSize,
  channels,
  opticalDifference,
  framesPerClip,
}: FrameConfig): TaskFact[] => [
  { name: 'frame size', value: `${frameSize[0]} × ${frameSize[1]}` },
  { name: 'channels', value: channels },
  { name: 'optical difference', value: opticalDifference },
  { name: 'frames per clip', value: framesPerClip ?? 'all' },
];

/** Returns the line of a plan that describes how frames are read. @param augment whether clips are augmented in training */
export function frameText(
  { frameSize, channels, opticalDifference, framesPerClip }: FrameConfig,
  augment: boolean,
): string {
  const [height, width] = frameSize;
  const colours = channels === 1 ? 'grey' : 'in colour';
  const count = framesPerClip === null ? 'all frames' : `at most ${framesPerClip} frames per clip`;
  const difference = opticalDifference ? ', and the difference from the previous frame' : '';
  const augmentation = augment ? '; augmented in training' : '';
  return `${count}, ${height} × ${width} pixels, ${colours}, standardised${difference}${augmentation}`;
}

/** Returns the part of a plan event that describes how frames are read. */
export const frameJson = ({
  frameSize,
  channels,
  opticalDifference,
  framesPerClip,
}: FrameConfig): Record<string, Json> => ({
  ...{ frameSize: [...frameSize], channels, opticalDifference, framesPerClip },
});
