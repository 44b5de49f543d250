/** Reads saved models, and writes the network of a lane (one of the cells that train side by side) as a saved model. */
import { ARTIFACT_FILES, fromArtifact, fromZip, toArtifact, toZip } from '@unroll/formats';
import type { Network } from '@unroll/nn';
import { type ErrorData, errorData } from '../problems/input-error.js';
import type { Problem } from '../problems/problem.js';
import type { Lane } from './lane.js';
import { shapesText, type TensorInfo, tensorsOf } from './tensors.js';

export interface ModelInfo {
  /** Path of the folder, zip or file. */
  path: string;
  /** Name of the task in pipeline.json; null: none. */
  task: string | null;
  layers: { name: string; className: string; shape: string; parameters: number; from: readonly string[] }[];
  tensors: TensorInfo[];
  bytes: number;
  /** One line about a file of another tool, such as `Keras 3.15.1, Sequential, 4 layers`; null: an artifact of Unroll. */
  origin: string | null;
}

export interface FilesInfo {
  models: ModelInfo[];
  /** Why a model could not be read. */
  errors: { path: string; error: ErrorData }[];
}

/** The files of the Unroll models that were opened last, by path, for translations. */
export const openedModels = new Map<string, ReadonlyMap<string, Uint8Array>>();

/** Describes every model among the files: zips and folders of Unroll, and files of Keras, PyTorch, ONNX and safetensors. */
export async function describeFiles(files: ReadonlyMap<string, Uint8Array>): Promise<FilesInfo> {
  const found: FilesInfo = { models: [], errors: [] };
  openedModels.clear();
  for (const [path, read] of modelsIn(files)) {
    try {
      found.models.push(await read());
    } catch (error) {
      found.errors.push({ path, error: errorData(error) });
    }
  }
  return found;
}

type Files = ReadonlyMap<string, Uint8Array>;

const OTHER_FORMATS = /\.(keras|h5|hdf5|onnx|pt|pth|safetensors)$/i;

/** Returns a reader for each model among the files. */
function modelsIn(files: Files): [string, () => Promise<ModelInfo>][] {
  return [...files].flatMap(([path, bytes]): [string, () => Promise<ModelInfo>][] => {
    if (path.endsWith('.zip'))
      return [[path, async () => describe(path, await fromZip(bytes, ARTIFACT_FILES))]];
    const folder = path.replace(/[^/]*$/, '');
    if (path === `${folder}config.json`) {
      const parts = ARTIFACT_FILES.flatMap((name) => {
        const part = files.get(folder + name);
        return part ? [[name, part] as const] : [];
      });
      const name = folder.replace(/\/$/, '') || path;
      return [[name, () => describe(name, new Map(parts))]];
    }
    // Beside a config.json, model.safetensors has the weights of the model that is described above.
    const isInArtifact =
      files.has(`${folder}config.json`) && ARTIFACT_FILES.includes(path.slice(folder.length));
    return OTHER_FORMATS.test(path) && !isInArtifact ? [[path, () => describeOtherFormat(path, bytes)]] : [];
  });
}

/** Describes an artifact of Unroll. */
async function describe(path: string, files: Files): Promise<ModelInfo> {
  const { model, pipeline } = fromArtifact(files);
  openedModels.set(path, files);
  const format =
    pipeline && typeof pipeline === 'object' && 'format' in pipeline ? String(pipeline.format) : '';
  const bytes = [...files.values()].reduce((sum, part) => sum + part.length, 0);
  return modelInfo(model, {
    path,
    bytes,
    origin: null,
    task: /^unroll-(\w+)-\d+$/.exec(format)?.[1] ?? null,
  });
}

/** Describes a file of Keras, PyTorch, ONNX or safetensors. The readers are loaded when such a file is opened. */
async function describeOtherFormat(path: string, bytes: Uint8Array): Promise<ModelInfo> {
  const { bytesSource, formatOfFile } = await import('@unroll/formats/convert');
  const source = bytesSource(bytes, path);
  const format = await formatOfFile(source);
  const { title } = await format.describe(source);
  const { model } = await format.read(source);
  return modelInfo(model, { path, bytes: bytes.length, origin: title, task: null });
}

async function modelInfo(
  model: Network,
  properties: Pick<ModelInfo, 'path' | 'bytes' | 'origin' | 'task'>,
): Promise<ModelInfo> {
  return {
    ...properties,
    layers: model.summaryRows().map(({ layer, shapes, from }) => ({
      ...{ name: layer.name, className: layer.className, parameters: layer.countParams(), from: [...from] },
      shape: shapesText(shapes ?? []),
    })),
    tensors: await tensorsOf(model),
  };
}

/** Returns the network of a lane as a saved model in a zip. */
export async function artifactOf({ network, cell, updates }: Lane, problem: Problem): Promise<Uint8Array> {
  const training = { command: 'studio', cell, updates, steps: problem.steps, kind: problem.kind };
  return toZip(await toArtifact(network, { training }));
}
