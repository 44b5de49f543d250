/** The options that all tasks on video share. */
import { integerOption, type OptionSpecs, type ParsedArgs, textOption, UsageError } from './args.js';

export const CLIP_OPTIONS = {
  frames: { type: 'string' },
  'frame-size': { type: 'string' },
  colour: { type: 'boolean' },
  grey: { type: 'boolean' },
  'optical-difference': { type: 'boolean' },
  'frames-per-clip': { type: 'string' },
} as const satisfies OptionSpecs;

export const CLIP_HELP = `
Video
  --frame-size <HxW>    height and width to which frames are resized, such as 48x64 (default: the
                        median size of the clips, with at most 64 pixels on the longer side)
  --colour, --grey      keep the colours, or convert them to grey (default: keep them, unless the
                        middle frames of up to 50 training clips are all grey)
  --optical-difference  also read the difference between each frame and the previous frame
  --frames-per-clip <n> read at most n frames of each clip: a longer clip is divided into n equal
                        parts, and the middle frame of each part is read, or in training a random
                        one (default: all frames, or 16 if a training clip has more)
  --no-augment          train without augmentation (random changes of position, size, angle,
                        contrast and brightness)
`;

/** The given options for reading the frames of clips. */
export interface ClipArguments {
  frameSize?: readonly [height: number, width: number];
  colour?: boolean;
  opticalDifference?: boolean;
  framesPerClip?: number;
}

/** @throws UsageError for invalid values */
export function clipArguments(args: ParsedArgs): ClipArguments {
  const size = textOption(args, 'frame-size');
  const [, height, width] = /^(\d{1,4})x(\d{1,4})$/.exec(size ?? '') ?? [];
  if (size !== undefined && height === undefined)
    throw new UsageError(`--frame-size must be height and width, such as 48x64, got "${size}".`);
  const { colour, grey } = args.values;
  if (colour === true && grey === true) throw new UsageError('--colour and --grey cannot be combined.');
  const framesPerClip = integerOption(args, 'frames-per-clip');
  return {
    ...(size !== undefined && { frameSize: [Number(height), Number(width)] as const }),
    ...((colour === true || grey === true) && { colour: colour === true }),
    ...(args.values['optical-difference'] === true && { opticalDifference: true }),
    ...(framesPerClip !== undefined && { framesPerClip }),
  };
}
