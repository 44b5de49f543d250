/** Creates tokenizers from their configs, and chooses one for a language. */
import { valueError } from '@unroll/core';
import { checkOptions, formatValue, nameHint } from '@unroll/core/internal';
import { bytePairs } from './byte-pairs.js';
import { checkedTexts, NORMALIZE_OPTIONS, normalizeConfig } from './normalize.js';
import type { Tokenizer, TokenizerConfig, TokenizerKind } from './types.js';
import { characters, icuVersion, whitespace, words } from './words.js';

const KINDS = ['characters', 'words', 'whitespace', 'bytePairs'] satisfies TokenizerKind[];

/**
 * Creates a tokenizer, from options or from the `config` of a tokenizer:
 * - `characters`: one token per code point;
 * - `words`: words and punctuation marks, as `Intl.Segmenter` finds them. A token `\uFFED` stands where a space is
 *   expected but missing, unexpected white space is a separate token, and expected spaces have no tokens;
 * - `whitespace`: runs of non-white-space characters. A run of white space is also a token, unless it is a single space between
 *   two such runs;
 * - `bytePairs`: subwords, learned by `learnBytePairs`.
 *
 * If the ICU version that finds word boundaries is not the one in the config, `notes` says so.
 * @throws UnrollError `value` for an unknown kind or option, or an invalid value
 */
export function tokenizer(config: TokenizerConfig): Tokenizer {
  const owner = `tokenizer of ${config.kind}`;
  switch (config.kind) {
    case 'characters':
    case 'whitespace': {
      checkOptions(owner, config, { kind: true, ...NORMALIZE_OPTIONS });
      const common = normalizeConfig(owner, config);
      return config.kind === 'characters'
        ? characters({ kind: config.kind, ...common })
        : whitespace({ kind: config.kind, ...common });
    }
    case 'words': {
      const { locale = 'en', icu = icuVersion() } = config;
      checkOptions(
        owner,
        { ...config, icu: icu ?? undefined },
        { kind: true, ...NORMALIZE_OPTIONS, locale: 'string', icu: 'string' },
      );
      return words({ kind: config.kind, ...normalizeConfig(owner, config), locale, icu });
    }
    case 'bytePairs': {
      const { characters = '', merges = [] } = config;
      checkOptions(owner, config, {
        ...{ kind: true, ...NORMALIZE_OPTIONS },
        ...{ characters: 'string', merges: 'array' },
      });
      return bytePairs({ kind: config.kind, ...normalizeConfig(owner, config), characters, merges });
    }
    default: {
      const { kind } = config as { kind: unknown };
      throw valueError(`There is no tokenizer of kind ${formatValue(kind)}. ${nameHint(kind, KINDS)}`, {
        kind,
      });
    }
  }
}

/** Number of letters after which the default tokenizer is chosen. */
const SAMPLE_LETTERS = 1_000_000;

/**
 * Returns the default tokenizer for texts: characters if most letters are Chinese or Japanese, words otherwise.
 * @throws UnrollError `value` if there are no letters
 */
export function defaultTokenizer(texts: Iterable<string>): Tokenizer {
  let [letters, ideographic] = [0, 0];
  for (const whole of checkedTexts('defaultTokenizer', texts)) {
    const text = whole.slice(0, SAMPLE_LETTERS);
    letters += text.match(/\p{L}/gu)?.length ?? 0;
    ideographic +=
      text.match(/(?=\p{L})[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u30FC]/gu)?.length ?? 0;
    if (letters >= SAMPLE_LETTERS) break;
  }
  if (letters === 0) throw valueError('defaultTokenizer needs texts with letters, got none.');
  return tokenizer({ kind: ideographic * 2 > letters ? 'characters' : 'words' });
}
