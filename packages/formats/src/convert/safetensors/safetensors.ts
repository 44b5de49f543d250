/** The safetensors format: files of a PyTorch state dict, with tensors by name and without layers. */
import { UnrollError } from '@unroll/core';
import { type StoredTensor, storeFloats, writeSafetensors } from '@unroll/core/internal';
import { floatsOf } from '../../dtypes.js';
import type { FileDescription, ImportedModel, ImportOptions, ModelFormat } from '../format.js';
import { describeTensors } from '../pytorch/pytorch.js';
import { modelOfStateDict, templateOfStateDict } from '../pytorch/read.js';
import { prefixOf, type StateDict } from '../pytorch/state-dict.js';
import type { ByteSource } from '../source.js';
import { countWithNoun, headerOf, typeName } from './header.js';

export const safetensorsFormat: ModelFormat = {
  name: 'safetensors',
  title: 'a safetensors file',
  // The file begins with the length of the header, which is below 2^40. The header follows, and is a JSON object.
  recognises: (head) =>
    head.length > 8 && head[8] === 0x7b && head[5] === 0 && head[6] === 0 && head[7] === 0,

  async describe(source: ByteSource): Promise<FileDescription> {
    const { tensors } = await stateDictOf(source);
    const { metadata } = await headerOf(source);
    return {
      format: 'safetensors',
      title: `safetensors, ${countWithNoun(tensors.length, 'tensor')}`,
      ...describeTensors(tensors),
      facts: [...metadata].map(([name, value]) => ({ name, value })),
    };
  },

  async read(source: ByteSource, options?: ImportOptions): Promise<ImportedModel> {
    const { metadata } = await headerOf(source);
    if (metadata.get('format')?.startsWith('unroll-artifact'))
      throw new UnrollError(
        'value',
        `${source.name} contains the weights of a model saved by Unroll. Pass the folder that also contains config.json.`,
      );
    return modelOfStateDict(await stateDictOf(source), source.name, options);
  },

  async write(model, { name = 'weights' } = {}) {
    const { pythonFiles, torchModelOf } = await import('../pytorch/write.js');
    const exported = await torchModelOf(model, `${name}.safetensors`);
    const tensors = exported.tensors.map(
      ({ name, shape, values }) => [name, storeFloats(Float32Array.from(values), shape)] as const,
    );
    return new Map([
      ['', writeSafetensors(new Map(tensors), new Map([['format', 'pt']]))],
      ...pythonFiles(exported),
    ]);
  },

  template: async (source) => templateOfStateDict(await stateDictOf(source), source.name),
};

async function stateDictOf(source: ByteSource): Promise<StateDict> {
  const { entries, start } = await headerOf(source);
  const strip = prefixOf(entries.map(({ name }) => name)).length;
  const tensors = entries.map(({ name, dtype, shape, begin, end }) => ({
    ...{ name: name.slice(strip), shape, dtype: typeName(dtype), identity: name },
    values: async () => {
      const stored: StoredTensor = { dtype, shape, bytes: await source.read(start + begin, start + end) };
      return floatsOf(stored, name).slice(); // a copy, because the result may share the memory of the file
    },
  }));
  // The tensors of a file are often sorted by name as text (l10 before l2). Sorts numbers in names by value instead.
  const byName = new Intl.Collator('en', { numeric: true });
  tensors.sort((a, b) => byName.compare(a.name, b.name));
  return { tensors, ordered: false, dropped: [], optimizer: null };
}
