/** Builds a model from a state dict. */
import { ready, UnrollError } from '@unroll/core';
import type { Json } from '@unroll/core/internal';
import type { ImportedModel, ImportOptions } from '../format.js';
import { buildImported, emptyReport, type ImportedArray } from '../imported.js';
import type { TorchFile } from './file.js';
import { plannedModel } from './layers.js';
import { modulesOf } from './modules.js';
import { optimizerPart } from './optimizer.js';
import { planFromMap, proposePlan, templateOf } from './plan.js';
import type { StateDict, StateTensor } from './state-dict.js';
import type { Recipe } from './weights.js';

/**
 * Returns the model of a state dict.
 * @param file name of the file, for error messages
 * @param torchFile the file that contains the optimizer's state
 * @throws UnrollError `value` if shapes and names do not decide the model, or if it has modules that Unroll does not have
 */
export async function modelOfStateDict(
  { tensors, dropped, ordered, optimizer }: StateDict,
  file: string,
  { map }: ImportOptions = {},
  torchFile: TorchFile | null = null,
): Promise<ImportedModel> {
  await ready();
  const modules = modulesOf(tensors);
  const plan = map === undefined ? proposePlan(modules, file, ordered) : planFromMap(map, modules);
  const planned = plannedModel(plan);
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const arrays = new Map<string, ImportedArray>();
  for (const recipe of planned.recipes) arrays.set(recipe.parameter, await arrayOf(recipe, byName));
  const report = emptyReport();
  for (const { from, parameter, isSum } of planned.recipes)
    report.mapped.push({ from: from.join(isSum ? ' + ' : ', '), to: parameter });
  report.defaulted.push(
    ...plan.defaulted,
    ...planned.defaulted,
    ...sharedTensorNotes(planned.recipes, byName),
  );
  report.dropped.push(...dropped, ...planned.dropped);
  for (const { path } of plan.omitted) report.dropped.push({ name: path, reason: 'the map omits it' });
  const model = buildImported(planned.config, arrays, file, [planned.inputShape]);
  if (!optimizer || !torchFile) return { model, report, optimizer: null, compile: null };
  const part = await optimizerPart(optimizer, torchFile, tensors, planned.recipes);
  report.defaulted.push(...part.defaulted);
  report.dropped.push(...part.dropped);
  return { model, report, optimizer: part.record, compile: null };
}

/** Returns a map for the modules of a state dict, as JSON. */
export const templateOfStateDict = ({ tensors, ordered }: StateDict, file: string): Json =>
  templateOf(modulesOf(tensors), file, ordered);

async function arrayOf(
  { from, convert, shape }: Recipe,
  tensors: ReadonlyMap<string, StateTensor>,
): Promise<ImportedArray> {
  const values = await Promise.all(from.map((name) => tensorNamed(tensors, name).values()));
  return { shape, values: convert(values), from: from.join(' + ') };
}

function tensorNamed(tensors: ReadonlyMap<string, StateTensor>, name: string): StateTensor {
  const tensor = tensors.get(name);
  if (tensor) return tensor;
  throw new UnrollError('format', `The state dict has no tensor ${name}.`, { name });
}

/** Reports tensors that share their memory with an earlier tensor: the model has separate copies. */
function sharedTensorNotes(recipes: readonly Recipe[], tensors: ReadonlyMap<string, StateTensor>) {
  const first = new Map<string, string>();
  return recipes
    .flatMap(({ from }) => from)
    .flatMap((name) => {
      const { identity } = tensorNamed(tensors, name);
      const other = first.get(identity);
      if (other === undefined) first.set(identity, name);
      const reason = `it is tied to ${other} in the file; in training, the two will differ`;
      return other === undefined ? [] : [{ name, value: 'a copy', reason }];
    });
}
