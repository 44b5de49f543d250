/** Writes the speech that `unroll predict --audio` generates: to a WAV file, to a folder (several sounds), or to stdout. */
import { basename, dirname, extname } from 'node:path';
import { writeWav } from '@unroll/data';
import type { Samples } from '@unroll/tasks';
import { UsageError } from './args.js';
import { checkWritable, writeAtomically } from './files.js';
import { isFolder } from './sound-files.js';

/** Extensions of other sound formats, which are rejected. Any other extension, except .wav, belongs to the name of a folder. */
const OTHER_FORMATS = /^\.(aac|aif|aiff|au|flac|m4a|mp3|mp4|ogg|opus|raw|wave|webm|wma)$/i;

export class SoundOutput {
  readonly #path: string;
  readonly #kind: 'stdout' | 'file' | 'folder';

  /** @throws UsageError without a path, for a file of another format, and if no file can be written at the path */
  constructor(path: string | undefined) {
    if (path === undefined)
      throw new UsageError(
        'Speech synthesis needs --audio <path>: a .wav file, a folder for several texts, or - for stdout.',
      );
    this.#path = path;
    this.#kind = kindOf(path);
    if (this.#kind === 'file') checkWritable(dirname(path), [basename(path)], '--audio');
    if (this.#kind === 'folder') checkWritable(path, ['1.wav'], '--audio');
  }

  /** True if the sound is written to stdout. Nothing else is then written to stdout. */
  get isStdout(): boolean {
    return this.#kind === 'stdout';
  }

  /** @throws UsageError for several sounds without a folder */
  checkCount(count: number): void {
    if (count <= 1 || this.#kind === 'folder') return;
    const got = this.isStdout ? 'stdout (-)' : `the file ${this.#path}`;
    throw new UsageError(`--audio must be a folder for ${count} texts, got ${got}.`);
  }

  /**
   * Writes sounds: one to the file or stdout, several to the folder, as 1.wav, 2.wav and so on. All numbers have the same
   * number of digits, such as 01.wav for ten sounds, so that the names sort.
   * @returns the path of the sounds, for a message; null for stdout
   */
  write(sounds: readonly Samples[]): string | null {
    this.checkCount(sounds.length);
    const files = sounds.map(({ samples, sampleRate }) => writeWav({ channels: [samples], sampleRate }));
    if (this.isStdout) {
      for (const file of files) process.stdout.write(file);
      return null;
    }
    if (this.#kind === 'file') {
      writeAtomically(dirname(this.#path), new Map([[basename(this.#path), files[0]]]));
      return this.#path;
    }
    const digits = String(files.length).length;
    const named = files.map((file, i) => [`${String(i + 1).padStart(digits, '0')}.wav`, file] as const);
    writeAtomically(this.#path, new Map(named));
    const last = named.length === 1 ? '' : ` to ${named[named.length - 1][0]}`;
    return `${this.#path}: ${named[0][0]}${last}`;
  }
}

/** Returns the kind of output at a path. @throws UsageError for a new path with the extension of another sound format */
function kindOf(path: string): 'stdout' | 'file' | 'folder' {
  if (path === '-') return 'stdout';
  if (isFolder(path)) return 'folder';
  const extension = extname(path);
  if (/^\.wav$/i.test(extension)) return 'file';
  if (!OTHER_FORMATS.test(extension)) return 'folder';
  throw new UsageError(`--audio must be a WAV file (.wav), a folder, or -, got ${path}.`);
}
