/** The PyTorch format: files of torch.save with a state dict or a checkpoint. */
import type { FileDescription, ImportedModel, ImportOptions, ModelFormat } from '../format.js';
import { countWithNoun } from '../safetensors/header.js';
import type { ByteSource } from '../source.js';
import { openTorchFile } from './file.js';
import { modulesOf, type TorchModule } from './modules.js';
import { modelOfStateDict, templateOfStateDict } from './read.js';
import { findStateDict, type StateTensor } from './state-dict.js';

export const pytorchFormat: ModelFormat = {
  name: 'pytorch',
  title: 'a PyTorch state dict',
  recognises: (head) => isTorchZip(head) || isLegacy(head),

  async describe(source: ByteSource): Promise<FileDescription> {
    const file = await openTorchFile(source);
    const { tensors, dropped, optimizer } = findStateDict(file, source.name);
    const kind = file.container === 'zip' ? 'PyTorch' : 'PyTorch (format before 1.6)';
    return {
      format: 'pytorch',
      title: `${kind}, ${optimizer ? 'checkpoint' : 'state dict'} of ${countWithNoun(tensors.length, 'tensor')}`,
      ...describeTensors(tensors),
      facts: [
        ...(optimizer ? [{ name: 'optimizer', value: 'yes' }] : []),
        ...dropped.map(({ name, reason }) => ({ name: `not read: ${name}`, value: reason })),
      ],
    };
  },

  async read(source: ByteSource, options?: ImportOptions): Promise<ImportedModel> {
    const file = await openTorchFile(source);
    return modelOfStateDict(findStateDict(file, source.name), source.name, options, file);
  },

  async write(model, { name = 'weights' } = {}) {
    const { pythonFiles, torchModelOf } = await import('./write.js');
    const { writeStateDict } = await import('./pickle-writer.js');
    const exported = await torchModelOf(model, `${name}.pt`);
    return new Map([['', writeStateDict(exported.tensors)], ...pythonFiles(exported)]);
  },

  async template(source: ByteSource) {
    return templateOfStateDict(findStateDict(await openTorchFile(source), source.name), source.name);
  },
};

/** Returns true if the first file of a zip is data.pkl, which PyTorch writes first, or another file of such an archive. */
function isTorchZip(head: Uint8Array): boolean {
  if (head[0] !== 0x50 || head[1] !== 0x4b) return false;
  const name = String.fromCharCode(...head.subarray(30, 30 + head[26] + 256 * head[27]));
  return /^([^/]+\/)?(data\.pkl|version|byteorder|\.format_version|constants\.pkl|code\/.*|data\/\d+|models\/.*)$/.test(
    name,
  );
}

/** Returns true for a pickle of protocol 2 to 5, with which files in the format before PyTorch 1.6 begin. */
const isLegacy = (head: Uint8Array): boolean => head[0] === 0x80 && head[1] >= 2 && head[1] <= 5;

/** Returns the modules and tensors of a state dict, for `describe`. */
export function describeTensors(tensors: readonly StateTensor[]): Pick<FileDescription, 'parts' | 'tensors'> {
  return {
    parts: modulesOf(tensors).map(describeModule),
    tensors: tensors.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
  };
}

function describeModule(module: TorchModule): FileDescription['parts'][number] {
  const shape = module.kind === 'unknown' ? null : [module.input ?? -1, module.output];
  const base = { name: module.path, shape };
  if (module.kind === 'unknown') return { ...base, type: '?', supported: false, note: module.problem };
  if (module.kind !== 'recurrent') return { ...base, type: TYPES[module.kind], supported: true };
  const { units, depth, bidirectional, projection, bias, cell } = module;
  const notes = [
    ...[`${units} units`, countWithNoun(depth, 'layer')],
    ...(bidirectional ? ['bidirectional'] : []),
    ...(projection > 0 ? [`proj_size ${projection}`] : []),
    ...(bias ? [] : ['no bias']),
  ];
  return { ...base, type: cell, supported: true, note: notes.join(', ') };
}

const TYPES = {
  linear: 'Linear',
  embedding: 'Embedding',
  matrix: 'Embedding or Linear',
  layerNorm: 'LayerNorm',
  batchNorm: 'BatchNorm1d',
  conv1d: 'Conv1d',
} as const;
