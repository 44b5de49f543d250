/** All model file formats, one line each. The code of a format is loaded when a file of this format is opened or written. */
import { UnrollError, valueError } from '@unroll/core';
import type { FormatName, ModelFormat } from './format.js';
import type { ByteSource } from './source.js';

interface FormatEntry {
  /** Extensions of the files, without the dot. The first is the extension of written files. */
  extensions: readonly string[];
  load(): Promise<ModelFormat>;
}

const formatEntry = (extensions: string, load: () => Promise<ModelFormat>): FormatEntry => ({
  extensions: extensions.split(' '),
  load,
});

const FORMATS: Partial<Record<FormatName, FormatEntry>> = {
  unroll: formatEntry('zip', async () => (await import('./unroll/unroll.js')).unrollFormat),
  pytorch: formatEntry('pt pth bin ckpt', async () => (await import('./pytorch/pytorch.js')).pytorchFormat),
  safetensors: formatEntry(
    'safetensors',
    async () => (await import('./safetensors/safetensors.js')).safetensorsFormat,
  ),
  keras: formatEntry('keras', async () => (await import('./keras/keras.js')).kerasFormat),
  tfjs: formatEntry('json', async () => (await import('./tfjs/tfjs.js')).tfjsFormat),
  h5: formatEntry('h5 hdf5', async () => (await import('./keras/keras.js')).h5Format),
  onnx: formatEntry('onnx', async () => (await import('./onnx/onnx.js')).onnxFormat),
  app: formatEntry('js', async () => (await import('./app/app.js')).appFormat),
};

/** Returns the names of all formats. */
export const formatNames = (): FormatName[] => Object.keys(FORMATS) as FormatName[];

/** Returns the extensions of the files of a format, without the dot. */
export const extensionsOf = (name: FormatName): readonly string[] => FORMATS[name]?.extensions ?? [];

/** Returns a format by name. @throws UnrollError `value` for an unknown name; the message lists the names */
export async function formatNamed(name: string): Promise<ModelFormat> {
  const found = Object.hasOwn(FORMATS, name) ? FORMATS[name as FormatName] : undefined;
  if (found) return found.load();
  throw valueError(`The format must be one of ${formatNames().join(', ')}, got "${name}".`, { name });
}

const hasExtension = (path: string, { extensions }: FormatEntry): boolean =>
  extensions.some((end) => path.toLowerCase().endsWith(`.${end}`));

/** Returns the format of an output file by its extension, or null. */
export async function formatOfExtension(path: string): Promise<ModelFormat | null> {
  const found = Object.values(FORMATS).find((entry) => hasExtension(path, entry));
  return found ? found.load() : null;
}

/**
 * Returns the format of a file by its first bytes, and by its extension if several formats begin with these bytes.
 * @throws UnrollError `format` if no format fits
 */
export async function formatOfFile(source: ByteSource): Promise<ModelFormat> {
  const head = await source.read(0, Math.min(source.size, 4096));
  // Formats with the extension of the file first: loading the code of all formats takes longer than describing a file.
  const all = Object.values(FORMATS);
  const withExtension = all.filter((entry) => hasExtension(source.name, entry));
  for (const entry of [...withExtension, ...all.filter((other) => !withExtension.includes(other))]) {
    const loaded = await entry.load();
    if (loaded.recognises(head)) return loaded;
  }
  const names = formatNames().filter((name) => name !== 'app');
  throw new UnrollError(
    'format',
    `${source.name} is not a model file that Unroll can read (${names.join(', ')}).`,
    { name: source.name },
  );
}
