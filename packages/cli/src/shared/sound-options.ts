/** The options shared by the tasks that read sounds: classify and transcribe. */
import { choiceOption, integerOption, type OptionSpecs, type ParsedArgs } from './args.js';

export const SOUND_OPTIONS = {
  audio: { type: 'string' },
  pattern: { type: 'string' },
  normalize: { type: 'string' },
  mels: { type: 'string' },
  rate: { type: 'string' },
  'no-augment': { type: 'boolean' },
} as const satisfies OptionSpecs;

export const SOUND_HELP = `
Sound
  --normalize <what>    what is subtracted from the frames of each file: level (one number, the mean
                        of all values), features (the mean of each feature) or none (default: level)
  --mels <n>            number of mel filters (default: 40)
  --rate <hz>           sample rate to which sounds are converted (default: the most common rate in
                        the training data, at most 16,000)
  --no-augment          train without augmentation (random changes of speed and frequencies, random
                        masks and, with --normalize none, random changes of the loudness)
`;

/** The given options for reading and augmenting sounds. */
export interface SoundArguments {
  normalize?: 'level' | 'features' | 'none';
  mels?: number;
  sampleRate?: number;
  augment?: boolean;
}

/** @throws UsageError for invalid values */
export function soundArguments(args: ParsedArgs): SoundArguments {
  const normalize = choiceOption(args, 'normalize', ['level', 'features', 'none']);
  const [mels, sampleRate] = ['mels', 'rate'].map((name) => integerOption(args, name));
  return {
    ...(normalize && { normalize }),
    ...(mels && { mels }),
    ...(sampleRate && { sampleRate }),
    ...(args.values['no-augment'] === true && { augment: false }),
  };
}
