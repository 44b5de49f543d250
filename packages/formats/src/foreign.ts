/** Recognises model files of other tools by their extension, for an error that says how to convert them. */
import { UnrollError } from '@unroll/core';

const FILE_KINDS: Readonly<Record<string, string>> = {
  keras: 'a Keras model',
  h5: 'a Keras model or weights file (HDF5)',
  hdf5: 'a Keras model or weights file (HDF5)',
  onnx: 'an ONNX model',
  pt: 'a PyTorch file',
  pth: 'a PyTorch file',
  safetensors: 'a file of weights without layers',
};
const EXTENSION = /\.(keras|h5|hdf5|onnx|pth?|safetensors)(?:[?#].*)?$/i;

/** Rejects files of other tools. @throws UnrollError `format` if the path has the extension of their model files */
export function rejectForeignFile(path: string): void {
  const extension = EXTENSION.exec(path)?.[1].toLowerCase();
  if (extension === undefined) return;
  const hint =
    extension === 'safetensors'
      ? ' If it belongs to a saved model, pass the folder that contains config.json.'
      : '';
  throw new UnrollError(
    'format',
    `${path} is ${FILE_KINDS[extension]}, which must be converted first: unroll convert ${path} model.${hint} ` +
      'In programs, load() of unrolljs and importModel() of unrolljs/convert read it directly.',
    { path, format: extension },
  );
}
