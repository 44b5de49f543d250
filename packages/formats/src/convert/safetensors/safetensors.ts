/** Safetensors files of a PyTorch state dict: tensors by name, without layers. */
import { UnrollError } from '@unroll/core';
import type { FileDescription, ImportedModel, ModelFormat } from '../format.js';
import type { ByteSource } from '../source.js';
import { countOf, headerOf, typeName } from './header.js';

export const safetensorsFormat: ModelFormat = {
  name: 'safetensors',
  title: 'a safetensors file',
  extensions: ['safetensors'],
  // A header length below 100 MB, then the header, which is a JSON object.
  recognises: (head) =>
    head.length > 8 && head[8] === 0x7b && head[5] === 0 && head[6] === 0 && head[7] === 0,

  async describe(source: ByteSource): Promise<FileDescription> {
    const { entries, metadata } = await headerOf(source);
    return {
      format: 'safetensors',
      title: `safetensors, ${countOf(entries.length, 'tensor')}`,
      parts: [],
      tensors: entries.map(({ name, shape, dtype }) => ({ name, shape, dtype: typeName(dtype) })),
      facts: [...metadata].map(([name, value]) => ({ name, value })),
    };
  },

  async read(source: ByteSource): Promise<ImportedModel> {
    throw new UnrollError('value', `${source.name}: models cannot be read from safetensors files yet.`);
  },
};
