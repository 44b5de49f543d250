/**
 * Derives the mask of each tensor in a model, by the rules of Keras and by the rules of Unroll. Where Unroll would use a mask
 * that Keras does not use, the importer inserts a layer that drops the mask. Where they would use different masks, the model is
 * refused.
 *
 * A mask is represented by an expression: `x:0:0!=0` for a Masking or an Embedding layer on the tensor x:0:0, `a|b` and `a&b`
 * for unions and intersections, `[a, b]` for concatenated steps, and `reversed(a)`. Null: no mask.
 */
import { valueError } from '@unroll/core';
import type { JsonObject } from '@unroll/core/internal';
import type { MaskRule } from './layer-types.js';
import type { ImportContext } from './options.js';

/** The mask of a tensor by the rules of Keras, and its mask by the rules of Unroll. */
export interface TensorMasks {
  keras: string | null;
  unroll: string | null;
}

export const NO_MASK: TensorMasks = { keras: null, unroll: null };

export const sourceMask = (tensor: string, value: number): string => `${tensor}!=${value}`;

/** Returns the union: a step is valid if it is valid in at least one mask. Null (all steps are valid) if a mask is null. */
export function unionOf(masks: readonly (string | null)[]): string | null {
  if (masks.includes(null)) return null;
  return [...new Set(masks.flatMap((mask) => (mask as string).split('|')))].sort().join('|');
}

/** Returns the mask of sequences that are concatenated along the time axis. */
function concatenationOf(masks: readonly (string | null)[]): string | null {
  return masks.every((mask) => mask === null) ? null : `[${masks.join(', ')}]`;
}

/** One call of a layer. */
export interface MaskedCall {
  /** How messages refer to the layer: `Layer "encoder" (LSTM)`. */
  where: string;
  rule: MaskRule;
  config: JsonObject;
  /** Identifies the first input. */
  tensor: string;
  /** The masks of all inputs. */
  inputs: readonly TensorMasks[];
  /** The explicit masks of the call, one per input. If undefined, the masks of the inputs apply. */
  explicit: readonly (string | null)[] | undefined;
  /** Number of outputs. */
  outputs: number;
  /** True if the inputs after the first are initial states. */
  hasStates: boolean;
}

export interface MaskedResult {
  /** The indices of the inputs whose mask must be dropped. */
  drop: number[];
  /** The masks of the outputs. */
  outputs: TensorMasks[];
}

/** Returns what happens to the masks in a call. @throws UnrollError `value` if Unroll cannot do the same as Keras */
export function applyMasks(call: MaskedCall, context: ImportContext): MaskedResult {
  const { rule, inputs } = call;
  const drop: number[] = [];
  if (rule === 'drop' || rule === 'masking') {
    inputs.forEach(({ unroll }, i) => {
      if (unroll !== null) drop.push(i);
    });
  }
  if (rule === 'refuse' && inputs.some(({ keras }) => keras !== null))
    throw refusal(call, 'Keras applies the mask of its input, and Unroll does not');
  if (rule === 'use' || rule === 'attention' || rule === 'merge' || rule === 'concat')
    drop.push(...unwantedMasks(call, context));
  if (context.version === 2) checkKeras2(call, context);
  const after = inputs.map((masks, i) => (drop.includes(i) ? { ...masks, unroll: null } : masks));
  const first = outputMasks(call, after, context.version);
  return { drop, outputs: Array.from({ length: call.outputs }, (_, i) => (i === 0 ? first : NO_MASK)) };
}

/** Refuses or reports a call in which Keras 2 and Keras 3 use masks differently. */
function checkKeras2(call: MaskedCall, { report }: ImportContext): void {
  const { rule, config, inputs, where } = call;
  if (inputs.every(({ unroll }) => unroll === null)) return;
  if (rule === 'merge' && !where.endsWith('(Add)'))
    throw refusal(call, 'Keras 2 multiplies the values of masked steps, and Unroll counts them as 1');
  if ('momentum' in config && 'epsilon' in config)
    // BatchNormalization
    report.defaulted.push({
      name: `statistics of ${where}`,
      value: 'over the valid steps',
      reason: 'in training, Keras 2 includes the masked steps; predictions do not depend on it',
    });
}

/** Returns the indices of the inputs whose mask Unroll would use and Keras would not. */
function unwantedMasks(call: MaskedCall, { version }: ImportContext): number[] {
  const { inputs, rule, explicit, hasStates } = call;
  const drop: number[] = [];
  inputs.forEach(({ keras, unroll }, i) => {
    if (i > 0 && rule === 'use') return;
    // Keras 3 does not use the mask of the input if the layer also gets initial states.
    const implicit = hasStates && version === 3 && rule === 'use' ? null : keras;
    const wanted = explicit ? (explicit[i] ?? null) : implicit;
    if (wanted === unroll) return;
    if (wanted === null) drop.push(i);
    else throw refusal(call, `Keras uses the mask ${wanted}, and Unroll would use ${unroll ?? 'no mask'}`);
  });
  return drop;
}

function outputMasks(
  { rule, config, tensor }: MaskedCall,
  inputs: readonly TensorMasks[],
  version: 2 | 3,
): TensorMasks {
  const [x] = inputs;
  switch (rule) {
    case 'pass':
    case 'refuse':
    case 'attention':
      return x;
    case 'use':
      return sequenceMasks(config, x);
    case 'merge':
      return joined(inputs, unionOf);
    case 'concat':
      if (config.axis === 1) return joined(inputs, concatenationOf);
      return version === 3 ? joined(inputs, unionOf) : { ...joined(inputs, unionOf), keras: allOf(inputs) };
    case 'embedding': {
      const mask = config.maskZero === true ? sourceMask(tensor, 0) : null;
      const unroll = mask === null || x.unroll === null ? (mask ?? x.unroll) : `${mask}&${x.unroll}`;
      return { keras: mask, unroll };
    }
    case 'masking': {
      const mask = sourceMask(tensor, config.maskValue as number);
      return { keras: mask, unroll: mask };
    }
    default:
      return NO_MASK;
  }
}

/** Returns the mask after a concatenation of features in Keras 2: valid where all inputs are valid. */
function allOf(inputs: readonly TensorMasks[]): string | null {
  const masks = [...new Set(inputs.map(({ keras }) => keras).filter((mask) => mask !== null))];
  return masks.length > 1 ? masks.join('&') : (masks[0] ?? null);
}

/** Joins the masks of Keras and the masks of Unroll. */
const joined = (
  inputs: readonly TensorMasks[],
  join: (masks: (string | null)[]) => string | null,
): TensorMasks => ({
  keras: join(inputs.map(({ keras }) => keras)),
  unroll: join(inputs.map(({ unroll }) => unroll)),
});

/**
 * Returns the masks after a layer with the rule `use`. A recurrent layer passes its mask on if it returns sequences; if it
 * also goes backwards, Unroll reverses the mask, and Keras does not. The output of a global pooling layer has no mask.
 */
function sequenceMasks(config: JsonObject, x: TensorMasks): TensorMasks {
  const layer = (config.layer as JsonObject | undefined)?.config as JsonObject | undefined;
  const options = layer ?? config;
  const isRecurrent = 'returnSequences' in options;
  if (isRecurrent && options.returnSequences !== true) return NO_MASK;
  if ('keepDims' in options) return NO_MASK;
  const isReversed = isRecurrent && !layer && options.goBackwards === true;
  return isReversed && x.unroll !== null ? { ...x, unroll: `reversed(${x.unroll})` } : x;
}

function refusal({ where }: MaskedCall, problem: string): Error {
  return valueError(`${where} cannot be imported: ${problem}.`, { layer: where });
}
