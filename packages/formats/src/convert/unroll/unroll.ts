/** The format of models saved by Unroll (artifacts): a folder, which is opened through its config.json, or a zip. */
import { ready } from '@unroll/core';
import { decodeUtf8 } from '@unroll/core/internal';
import {
  ARTIFACT_FILES,
  type ArtifactFiles,
  fromArtifact,
  isArtifactZip,
  toArtifact,
} from '../../artifact.js';
import { fromZip } from '../../zip.js';
import type { FileDescription, ImportedModel, ModelFormat } from '../format.js';
import { emptyReport } from '../imported.js';
import { headerOf, typeName } from '../safetensors/header.js';
import { type ByteSource, bytesSource, readAll } from '../source.js';

const CONFIG = 'config.json';
const WEIGHTS = 'model.safetensors';

export const unrollFormat: ModelFormat = {
  name: 'unroll',
  title: 'a model saved by Unroll',
  recognises: (head) => isArtifactZip(head) || isConfig(head),

  async describe(source: ByteSource): Promise<FileDescription> {
    await ready();
    const files = await filesOf(source);
    const { model } = fromArtifact(files);
    const { entries } = await headerOf(bytesSource(files.get(WEIGHTS) as Uint8Array, WEIGHTS));
    return {
      format: 'unroll',
      title: `${model.label}, ${model.layers.length} layers`,
      parts: model.summaryRows().map(({ layer, shapes }) => ({
        name: layer.name,
        type: layer.className,
        shape: shapes?.[0] ?? null,
        supported: true,
      })),
      tensors: entries.map(({ name, shape, dtype }) => ({ name, shape, dtype: typeName(dtype) })),
      facts: [],
    };
  },

  async read(source: ByteSource): Promise<ImportedModel> {
    await ready();
    const files = await filesOf(source);
    const { model } = fromArtifact(files);
    const report = emptyReport();
    if (files.has('pipeline.json')) {
      const reason = 'preprocessing and postprocessing are not part of the network';
      report.dropped.push({ name: 'pipeline.json', reason });
    }
    return { model, report, optimizer: null, compile: null };
  },

  write: (model, { weights } = {}) => toArtifact(model, weights === undefined ? {} : { weights }),
};

const isZip = (head: Uint8Array): boolean =>
  head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4;

/** Returns true for the beginning of an artifact's config: `{"format":"unroll-artifact-1"`. */
const isConfig = (head: Uint8Array): boolean =>
  /^\s*\{\s*"format"\s*:\s*"unroll-artifact-/.test(String.fromCharCode(...head.subarray(0, 80)));

/** Reads the files of an artifact: from the zip, or from the folder that contains config.json. */
async function filesOf(source: ByteSource): Promise<ArtifactFiles> {
  const bytes = await readAll(source);
  if (isZip(bytes)) return fromZip(bytes, ARTIFACT_FILES);
  decodeUtf8(bytes, source.name);
  const files = new Map([[CONFIG, bytes]]);
  for (const name of ARTIFACT_FILES) {
    if (name === CONFIG) continue;
    const sibling = await source.sibling?.(name).catch(() => null);
    if (sibling) files.set(name, await readAll(sibling));
  }
  return files;
}
