/** Model files of other tools, by the ends of their names: `load` says what they are and how to convert them. */
import { UnrollError } from '@unroll/core';

const FOREIGN: Readonly<Record<string, string>> = {
  keras: 'a Keras model',
  h5: 'a Keras model or weights file (HDF5)',
  hdf5: 'a Keras model or weights file (HDF5)',
  onnx: 'an ONNX model',
  pt: 'a PyTorch file',
  pth: 'a PyTorch file',
  safetensors: 'a file of weights without layers',
};
const ENDING = /\.(keras|h5|hdf5|onnx|pth?|safetensors)(?:[?#].*)?$/i;

/** @throws UnrollError `format` if the name of the file is that of another format */
export function refuseForeign(path: string): void {
  const ending = ENDING.exec(path)?.[1].toLowerCase();
  if (ending === undefined) return;
  const folder =
    ending === 'safetensors'
      ? ' If it belongs to a saved model, give the folder that also holds config.json.'
      : '';
  throw new UnrollError(
    'format',
    `${path} is ${FOREIGN[ending]}, and load() reads only models saved by Unroll.${folder} ` +
      'A model of another tool must be converted by hand: create the same layers here, set their weights with ' +
      'setWeights(), in the order and shapes of Keras, and save the model.',
    { path, format: ending },
  );
}
