/** The function that `pipeline('tag', model)` returns. */
import { valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { textsOf } from '../shared/pipe.js';
import type { TextToken } from './encoder.js';
import type { PredictedTags, TagEntity } from './model.js';

/** An entity of a text, or a token with its tag. */
export interface TagSpan {
  /** The type of the entity, or the tag of the token. */
  label: string;
  /** Probability of the tag given the whole text, from 0 to 1; for an entity, the smallest probability of its tags. */
  score: number;
  /** The text of the entity or of the token. */
  word: string;
  /** Index of the token. Only with `aggregation: 'none'`. */
  index?: number;
  /** Index of the first character in the text (UTF-16 code units). */
  start: number;
  /** Index after the last character. */
  end: number;
}

export interface TagPipeOptions {
  /**
   * `spans`: whole entities; `none`: each token with its tag. Default `spans`, or `none` for a model whose tags do not mark
   * entities, such as parts of speech.
   */
  aggregation?: 'spans' | 'none';
  /** With `aggregation: 'none'`: omit tokens with these tags. Default: none. */
  ignoreLabels?: readonly string[];
}

/**
 * Finds entities, or tags tokens. The results have the form of the pipeline "token-classification" of transformers.js, with
 * the field `label` in place of `entity` and `entity_group`.
 */
export interface TagPipe {
  /** Returns the entities of a text, or its tokens. */
  (text: string, options?: TagPipeOptions): Promise<TagSpan[]>;
  /** Returns the entities of each text, or its tokens. */
  (texts: readonly string[], options?: TagPipeOptions): Promise<TagSpan[][]>;
}

export interface TagPipeSource {
  /** True if the tags of the model mark entities. */
  hasEntities: boolean;
  split(text: string): TextToken[];
  tag(sentences: readonly (readonly string[])[]): Promise<PredictedTags[]>;
  /** Returns the entities of a text from the tags of its tokens. */
  entities(text: string, tokens: readonly TextToken[], predicted: PredictedTags): TagEntity[];
}

/**
 * Tags one text or a list of texts.
 * @throws UnrollError `value` for invalid options, and for inputs other than texts
 */
export async function tagPipe(
  input: unknown,
  options: TagPipeOptions,
  source: TagPipeSource,
): Promise<TagSpan[] | TagSpan[][]> {
  checkOptions('pipeline', options, { aggregation: ['spans', 'none'], ignoreLabels: 'array' });
  const { aggregation = source.hasEntities ? 'spans' : 'none', ignoreLabels = [] } = options;
  if (aggregation === 'spans' && !source.hasEntities) {
    throw valueError(
      'pipeline: aggregation must be "none", got "spans": the tags of this model do not mark entities.',
    );
  }
  const texts = textsOf(input);
  const tokens = texts.map((text) => source.split(text));
  const predicted = await source.tag(tokens.map((textTokens) => textTokens.map(({ token }) => token)));
  const results = texts.map((text, i): TagSpan[] => {
    if (aggregation === 'none') return tokenSpans(tokens[i], predicted[i], ignoreLabels);
    return source
      .entities(text, tokens[i], predicted[i])
      .map(({ type, score = 0, text: word, start, end }) => ({ label: type, score, word, start, end }));
  });
  return Array.isArray(input) ? results : results[0];
}

const tokenSpans = (
  tokens: readonly TextToken[],
  { tags, probabilities = [] }: PredictedTags,
  ignoreLabels: readonly string[],
): TagSpan[] =>
  tokens
    .map(({ token: word, start, end }, index) => {
      return { label: tags[index], score: probabilities[index], word, index, start, end };
    })
    .filter(({ label }) => !ignoreLabels.includes(label));
