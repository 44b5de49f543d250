/** The formats of other tools, one line each. Their code is loaded when a file of the format is opened or written. */
import { UnrollError, valueError } from '@unroll/core';
import type { FormatName, ModelFormat } from './format.js';
import type { ByteSource } from './source.js';

const FORMATS: Partial<Record<FormatName, () => Promise<ModelFormat>>> = {
  unroll: async () => (await import('./unroll/unroll.js')).unrollFormat,
  pytorch: async () => (await import('./pytorch/pytorch.js')).pytorchFormat,
  safetensors: async () => (await import('./safetensors/safetensors.js')).safetensorsFormat,
  app: async () => (await import('./app/app.js')).appFormat,
  onnx: async () => (await import('./onnx/onnx.js')).onnxFormat,
  keras: async () => (await import('./keras/keras.js')).kerasFormat,
  h5: async () => (await import('./keras/keras.js')).h5Format,
};

/** The formats of files with these extensions, so that only their code is loaded. A test compares them with the formats. */
const BY_EXTENSION: Readonly<Record<string, readonly FormatName[]>> = {
  onnx: ['onnx'],
  keras: ['keras'],
  safetensors: ['safetensors'],
};

/** Returns the names of all formats. */
export const formatNames = (): FormatName[] => Object.keys(FORMATS) as FormatName[];

/** Returns a format by name. @throws UnrollError `value` for an unknown name; the message lists the names */
export async function formatNamed(name: string): Promise<ModelFormat> {
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name as FormatName] : undefined;
  if (format) return format();
  throw valueError(`The format must be one of ${Object.keys(FORMATS).join(', ')}, got "${name}".`, { name });
}

/** Returns the format of an output file by its extension, or null. */
export async function formatOfExtension(path: string): Promise<ModelFormat | null> {
  const formats = await allFormats();
  return (
    formats.find(({ extensions }) => extensions.some((end) => path.toLowerCase().endsWith(`.${end}`))) ?? null
  );
}

/**
 * Returns the format of a file by its first bytes, and by its extension if several formats begin with these bytes.
 * @throws UnrollError `format` if no format fits
 */
export async function formatOfFile(source: ByteSource): Promise<ModelFormat> {
  const head = await source.read(0, Math.min(source.size, 4096));
  const extension = source.name.toLowerCase().split('.').at(-1) ?? '';
  for (const name of Object.hasOwn(BY_EXTENSION, extension) ? BY_EXTENSION[extension] : []) {
    const format = await formatNamed(name);
    if (format.recognises(head)) return format;
  }
  const fitting = (await allFormats()).filter((format) => format.recognises(head));
  const named = fitting.find(({ extensions }) =>
    extensions.some((end) => source.name.toLowerCase().endsWith(`.${end}`)),
  );
  const format = named ?? fitting[0];
  if (format) return format;
  throw new UnrollError(
    'format',
    `${source.name} is not a model file that Unroll can read (${formatNames()
      .filter((each) => each !== 'app')
      .join(', ')}).`,
    { name: source.name },
  );
}

const allFormats = (): Promise<ModelFormat[]> => Promise.all(Object.values(FORMATS).map((load) => load()));
