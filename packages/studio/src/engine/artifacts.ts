/** Reads saved models, and writes the network of a lane as one. */
import { ARTIFACT_FILES, fromArtifact, fromZip, toArtifact, toZip } from '@unroll/formats';
import type { Problem } from '../problems/problem.js';
import type { Lane } from './lane.js';
import { type TensorInfo, tensorsOf } from './tensors.js';

export interface ModelInfo {
  /** Path of the folder or zip. */
  path: string;
  /** Name of the task in pipeline.json; null: none. */
  task: string | null;
  layers: { name: string; className: string; shape: string; parameters: number; from: readonly string[] }[];
  tensors: TensorInfo[];
  bytes: number;
}

export interface FilesInfo {
  models: ModelInfo[];
  /** Why a model could not be read. */
  errors: { path: string; message: string }[];
}

/** Describes every model among the files: zips, and folders with a config.json. */
export async function describeFiles(files: ReadonlyMap<string, Uint8Array>): Promise<FilesInfo> {
  const found: FilesInfo = { models: [], errors: [] };
  for (const [path, read] of modelsIn(files)) {
    try {
      found.models.push(await describe(path, await read()));
    } catch (error) {
      found.errors.push({ path, message: (error as Error).message });
    }
  }
  return found;
}

function modelsIn(
  files: ReadonlyMap<string, Uint8Array>,
): [string, () => Promise<ReadonlyMap<string, Uint8Array>>][] {
  return [...files].flatMap(([path, bytes]): [string, () => Promise<ReadonlyMap<string, Uint8Array>>][] => {
    if (path.endsWith('.zip')) return [[path, () => fromZip(bytes, ARTIFACT_FILES)]];
    if (!/(^|\/)config\.json$/.test(path)) return [];
    const folder = path.slice(0, -'config.json'.length);
    const parts = ARTIFACT_FILES.flatMap((name) => {
      const part = files.get(folder + name);
      return part ? [[name, part] as const] : [];
    });
    return [[folder.replace(/\/$/, '') || path, async () => new Map(parts)]];
  });
}

async function describe(path: string, files: ReadonlyMap<string, Uint8Array>): Promise<ModelInfo> {
  const { model, pipeline } = fromArtifact(files);
  const format =
    pipeline && typeof pipeline === 'object' && 'format' in pipeline ? String(pipeline.format) : null;
  return {
    path,
    task: /^unroll-(\w+)-\d+$/.exec(format ?? '')?.[1] ?? null,
    layers: model.summaryRows().map(({ layer, shapes, from }) => ({
      ...{ name: layer.name, className: layer.className, parameters: layer.countParams(), from: [...from] },
      shape: (shapes ?? [])
        .map((shape) => `[${shape.map((size) => (size < 0 ? 'B' : size)).join(', ')}]`)
        .join(' '),
    })),
    tensors: await tensorsOf(model),
    bytes: [...files.values()].reduce((sum, part) => sum + part.length, 0),
  };
}

/** The network of a lane as a zip. */
export async function artifactOf({ network, cell, updates }: Lane, problem: Problem): Promise<Uint8Array> {
  const training = { command: 'studio', cell, updates, steps: problem.steps, kind: problem.kind };
  return toZip(await toArtifact(network, { training }));
}
