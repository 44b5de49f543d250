/** Imports and exports PyTorch models. */
import { checkOptions } from '@unroll/core/internal';
import type { Network } from '@unroll/nn';
import { exportTo, type Imported, importOneOf, type ModelSource } from './convert-model.js';

export interface ImportPyTorchOptions {
  /**
   * Layers and their options that a state dict does not contain, such as activation functions: see docs/convert-pytorch.md.
   * Default: inferred from shapes and names; an error names what cannot be inferred.
   */
  map?: unknown;
}

/**
 * Reads a PyTorch state dict: a file written by torch.save (.pt, .pth; also a checkpoint with an optimizer) or a
 * .safetensors file.
 * @throws UnrollError `format` for a damaged file, `value` if the file contains anything but tensors, or if the shapes
 * and names do not determine the model
 */
export async function importPyTorch(
  source: ModelSource,
  options: ImportPyTorchOptions = {},
): Promise<Imported> {
  checkOptions('importPyTorch', options, { map: true });
  return importOneOf(source, ['pytorch', 'safetensors'], options);
}

export interface ExportPyTorchOptions {
  /** `pytorch` (a file for torch.load) or `safetensors`. Default `pytorch`. */
  format?: 'pytorch' | 'safetensors';
}

/** The files of a model for PyTorch. */
export interface PyTorchFiles {
  /** The state dict. */
  weights: Uint8Array;
  /** The text of a Python file with the class `Model`, which loads the state dict. */
  python: string;
}

/**
 * Writes a model for PyTorch.
 * @throws UnrollError `value` for a layer that PyTorch does not have, `state` for a model that is not built
 */
export async function exportPyTorch(
  model: Network,
  options: ExportPyTorchOptions = {},
): Promise<PyTorchFiles> {
  checkOptions('exportPyTorch', options, { format: ['pytorch', 'safetensors'] });
  const files = await exportTo(model, options.format ?? 'pytorch');
  return {
    weights: files.get('') ?? new Uint8Array(),
    python: new TextDecoder().decode(files.get('.py')),
  };
}
