/** Reads the calls of a layer, `inbound_nodes`, in the syntax of Keras 3 and of Keras 2. */
import type { Json, JsonObject } from '@unroll/core/internal';
import { configError, isObject, listIn } from './json.js';

/** Identifies a tensor: name of the layer, index of the layer's call, and index of the output. */
export type TensorId = readonly [layer: string, call: number, output: number];

export interface KerasCall {
  inputs: TensorId[];
  /** Initial states. */
  states: TensorId[];
  /** Explicit mask of each input (null: that input has no mask). Undefined if the call has no mask argument. */
  masks: (TensorId | null)[] | undefined;
  training: boolean | null;
  /** Positional arguments without tensors, and values of keyword arguments such as numbers and strings. */
  constants: Json[];
  /** Names of the keyword arguments whose value is `true`, except `training`. */
  options: string[];
}

/**
 * Returns the calls of a layer.
 * @param value `inbound_nodes` of the layer
 * @param where names the layer in messages, and ends with its class: `Layer "encoder" (LSTM)`
 */
export function callsOf(value: Json | undefined, where: string): KerasCall[] {
  if (value === undefined || value === null) return [];
  return listIn(value, `inbound_nodes of ${where}`).map((node) =>
    isObject(node) ? callOf3(node, where) : callOf2(listIn(node, `A call of ${where}`), where),
  );
}

const newCall = (): KerasCall => ({
  inputs: [],
  states: [],
  masks: undefined,
  training: null,
  constants: [],
  options: [],
});

/**
 * Reads a call of Keras 3, `{ args: [...], kwargs: {...} }`. Tensors have the form
 * `{ class_name: '__keras_tensor__', config: { keras_history } }`.
 */
function callOf3(node: JsonObject, where: string): KerasCall {
  const call = newCall();
  const [first, ...others] = listIn(node.args ?? [], `args of ${where}`);
  const ids = tensorsIn(first, where);
  call.inputs.push(...ids);
  // An operation takes each tensor as an argument. A layer takes a tensor or a list of tensors, and then initial states.
  others.forEach((argument) => {
    const tensors = tensorsIn(argument, where);
    if (tensors.length > 0)
      (Array.isArray(first) || isRecurrent(where) ? call.states : call.inputs).push(...tensors);
    else call.constants.push(argument);
  });
  const kwargs = isObject(node.kwargs) ? node.kwargs : {};
  for (const [key, value] of Object.entries(kwargs))
    readArgument(call, key, value, where, tensorsIn, tensorIn3);
  return call;
}

const isRecurrent = (where: string): boolean => /\((SimpleRNN|GRU|LSTM|RNN|Bidirectional)\)$/.test(where);

/** Reads a call of Keras 2: a list of tensors `[layer, call, output, kwargs]`. */
function callOf2(node: Json[], where: string): KerasCall {
  const call = newCall();
  for (const entry of isReference(node) ? [node] : node) {
    const list = listIn(entry, `A call of ${where}`);
    if (list[0] === '_CONSTANT_VALUE') call.constants.push(list[2]);
    else call.inputs.push(referenceIn(list, where));
    const kwargs = list[3];
    if (!isObject(kwargs)) continue;
    for (const [key, value] of Object.entries(kwargs))
      readArgument(call, key, value, where, referencesIn, referenceOrNull);
  }
  if (isRecurrent(where)) call.states.push(...call.inputs.splice(1));
  return call;
}

function readArgument(
  call: KerasCall,
  key: string,
  value: Json,
  where: string,
  tensors: (value: Json | undefined, where: string) => TensorId[],
  mask: (value: Json, where: string) => TensorId | null,
): void {
  if (value === null || value === false) {
    if (key === 'training') call.training = value as boolean | null;
    return;
  }
  if (key === 'training') call.training = value === true;
  else if (key === 'initial_state') call.states.push(...tensors(value, where));
  else if (key === 'mask') {
    const single = mask(value, where);
    call.masks = single
      ? [single]
      : listIn(value, `mask of ${where}`).map((entry) => (entry === null ? null : mask(entry, where)));
  } else if (tensors(value, where).length > 0)
    throw configError(`A tensor argument of ${where}`, 'initial_state or mask', key);
  else if (value === true) call.options.push(key);
  else call.constants.push(value);
}

/** Returns all tensors in a value of Keras 3, in order. */
function tensorsIn(value: Json | undefined, where: string): TensorId[] {
  if (Array.isArray(value)) return value.flatMap((entry) => tensorsIn(entry, where));
  if (!isObject(value)) return [];
  const single = tensorIn3(value, where);
  if (single) return [single];
  if (value.class_name === undefined) return Object.values(value).flatMap((entry) => tensorsIn(entry, where));
  // Tuples are serialised as { class_name: '__tuple__', items: [...] }.
  return tensorsIn(value.items, where);
}

function tensorIn3(value: Json, where: string): TensorId | null {
  if (!isObject(value) || value.class_name !== '__keras_tensor__' || !isObject(value.config)) return null;
  return referenceIn(listIn(value.config.keras_history, `A tensor of ${where}`), where);
}

const referenceOrNull = (value: Json, where: string): TensorId | null =>
  Array.isArray(value) && isReference(value) ? referenceIn(value, where) : null;

function referencesIn(value: Json | undefined, where: string): TensorId[] {
  if (!Array.isArray(value)) return [];
  return isReference(value)
    ? [referenceIn(value, where)]
    : value.flatMap((entry) => referencesIn(entry, where));
}

/** True for `[layer, call, output]`. */
export function isReference(value: readonly Json[]): boolean {
  return typeof value[0] === 'string' && typeof value[1] === 'number';
}

function referenceIn(list: readonly Json[], where: string): TensorId {
  const [layer, call, output] = list;
  const isIndex = (index: Json | undefined): index is number =>
    Number.isSafeInteger(index) && (index as number) >= 0;
  if (typeof layer === 'string' && isIndex(call) && isIndex(output)) return [layer, call, output];
  throw configError(`A tensor of ${where}`, '[layer, call, output]', [...list]);
}

/** Returns the tensors of `input_layers` or `output_layers`: one tensor, a list, or an object with tensors as values. */
export function tensorIdsIn(value: Json | undefined, what: string): TensorId[] {
  const ids = isObject(value)
    ? Object.values(value).flatMap((entry) => referencesIn(entry, what))
    : referencesIn(value, what);
  if (ids.length > 0) return ids;
  throw configError(what, 'a list of tensors', value);
}
