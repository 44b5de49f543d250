/**
 * Reads the training data of the tasks transcribe and speak: sounds with texts. The options are `--data`, `--audio` or
 * `--pattern`, and `--valid`.
 */
import { type ParsedArgs, requiredText, textOption } from './args.js';
import { type ReadOptions, readingOptions } from './reading-options.js';
import { checkSoundData, FOLDER_COLUMN, isFolder, readSoundTable } from './sound-files.js';
import type { FileTable } from './table-file.js';

export interface SoundData {
  path: string;
  /** Name of the column with the sounds. */
  audio: string;
  pattern: string | undefined;
  reading: ReadOptions;
  data: FileTable;
  valid: FileTable | undefined;
}

/** @throws UsageError for missing or contradictory options and for files that cannot be read, UnrollError for invalid tables */
export async function openSoundData(args: ParsedArgs): Promise<SoundData> {
  const path = requiredText(args, 'data', 'file', 'the rows to train on');
  const pattern = textOption(args, 'pattern');
  checkSoundData({ path, pattern, audio: textOption(args, 'audio') });
  const audio = isFolder(path)
    ? FOLDER_COLUMN
    : requiredText(args, 'audio', 'column', 'the column with the paths of WAV files');
  const reading = readingOptions(args);
  const validPath = textOption(args, 'valid');
  const read = (file: string) => readSoundTable(file, { audio, pattern, reading });
  const data = await read(path);
  const valid = validPath === undefined ? undefined : await read(validPath);
  return { path, audio, pattern, reading, data, valid };
}

/** Returns what a saved model stores about reading its training file: the options and the pattern. */
export const storedReading = ({ reading, pattern }: Pick<SoundData, 'reading' | 'pattern'>) => ({
  ...(Object.keys(reading).length > 0 && { reading }),
  ...(pattern !== undefined && { pattern }),
});
