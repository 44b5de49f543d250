/** The files that a visitor opens. Their total size is limited, because all of them are stored in memory. */
export class OpenedFiles {
  readonly files = new Map<string, Uint8Array>();
  /** The paths of the files that were not read, because the total size would have exceeded the limit. */
  readonly omitted: string[] = [];
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Reads a file, or adds its path to `omitted`. */
  async add(path: string, file: Pick<File, 'size' | 'arrayBuffer'>): Promise<void> {
    if (this.#bytes + file.size > this.#maxBytes) {
      this.omitted.push(path);
      return;
    }
    this.#bytes += file.size;
    this.files.set(path, new Uint8Array(await file.arrayBuffer()));
  }
}
