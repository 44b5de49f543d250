/** Checks the options of tasks on video. */
import { valueError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';
import { type FrameOptions, MAX_SIDE } from './encoder.js';

export const FRAME_OPTION_TYPES = {
  frameSize: true,
  colour: 'boolean',
  opticalDifference: 'boolean',
  framesPerClip: 'count',
} as const;

/** Checks the option `frameSize`. @throws UnrollError `value` unless it is two integers from 4 to 1024 */
export function checkFrameOptions({ frameSize }: FrameOptions): void {
  if (frameSize === undefined) return;
  const isSide = (side: unknown): boolean =>
    Number.isInteger(side) && (side as number) >= 4 && (side as number) <= MAX_SIDE;
  if (Array.isArray(frameSize) && frameSize.length === 2 && frameSize.every(isSide)) return;
  throw valueError(
    `frameSize must be [height, width], two integers from 4 to ${MAX_SIDE}, got ${formatValue(frameSize)}.`,
  );
}
