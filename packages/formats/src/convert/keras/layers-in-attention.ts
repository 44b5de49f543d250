/** Translates the attention layers of Keras. */
import type { JsonObject } from '@unroll/core/internal';
import type { Translator } from './layer-types.js';
import { toCamel } from './names.js';
import type { KerasOptions } from './options.js';

/**
 * Returns the options that Keras 3 takes as arguments of the call (graph-in.ts stores their names in `call_options`). In
 * Keras 2, the layer has the option `causal` instead of `use_causal_mask`.
 */
function callOptions(o: KerasOptions): JsonObject {
  const names = o.take('call_options') ?? [];
  const isTrue = (name: string): boolean => Array.isArray(names) && names.includes(name);
  const unknown = (Array.isArray(names) ? names : []).find(
    (name) => name !== 'use_causal_mask' && name !== 'return_attention_scores',
  );
  if (unknown !== undefined)
    throw o.refuse(`it is called with ${String(unknown)}, which Unroll does not have`);
  return {
    useCausalMask: o.flag('causal', false) || isTrue('use_causal_mask'),
    returnAttentionScores: isTrue('return_attention_scores'),
  };
}

export const attention: Translator = (o, name) => {
  const useScale = o.flag('use_scale', false);
  const scoreMode = o.text('score_mode', 'dot');
  o.take('seed');
  const parameters = [
    ...(useScale ? ['scale'] : []),
    ...(scoreMode === 'concat' ? ['concat_score_weight'] : []),
  ];
  return {
    className: 'Attention',
    config: {
      ...o.common(name),
      useScale,
      scoreMode: toCamel(scoreMode),
      dropout: o.number('dropout', 0),
      ...callOptions(o),
    },
    weights: [{ path: '', parameters, trainable: o.config.trainable !== false }],
    masks: 'attention',
  };
};

export const additiveAttention: Translator = (o, name) => {
  const useScale = o.flag('use_scale', true);
  o.take('seed');
  o.take('score_mode');
  return {
    className: 'AdditiveAttention',
    config: { ...o.common(name), useScale, dropout: o.number('dropout', 0), ...callOptions(o) },
    weights: [{ path: '', parameters: useScale ? ['scale'] : [], trainable: o.config.trainable !== false }],
    masks: 'attention',
  };
};
