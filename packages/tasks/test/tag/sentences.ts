/** Small generated data: sentences with people and places; the word before an entity determines its type. */
import { RandomStream } from '@unroll/core';
import type { TaggedSentence, TaggedSentences } from '@unroll/data';

const FIRST = ['Ana', 'Luis', 'Jean', 'Maria', 'Rosa'];
const LAST = ['Alba', 'Costa', 'Marin', 'Lima'];
const PLACES = ['Porto', 'Rio', 'Paris', 'Lima'];
const OTHERS = ['the', 'house', 'was', 'and', 'red', 'saw', 'then'];

/** Returns a sentence with the BIO tags PER and LOC. */
function sentenceOf(random: RandomStream): TaggedSentence {
  const [tokens, tags]: [string[], string[]] = [[], []];
  const add = (token: string, tag = 'O') => {
    tokens.push(token);
    tags.push(tag);
  };
  const pick = (words: readonly string[]): string => words[Math.floor(random.uniform(1)[0] * words.length)];
  const parts = 3 + Math.floor(4 * random.uniform(1)[0]);
  for (let i = 0; i < parts; i++) {
    const [kind] = random.uniform(1);
    if (kind < 0.3) {
      add('met');
      add(pick(FIRST), 'B-PER');
      if (kind < 0.15) add(pick(LAST), 'I-PER');
    } else if (kind < 0.6) {
      add('in');
      add(pick(PLACES), 'B-LOC');
    } else add(pick(OTHERS));
  }
  return { tokens, tags };
}

/** Returns `count` sentences. */
export function sentences(count: number, seed = 1): TaggedSentences {
  const random = new RandomStream(seed, 'sentences');
  return { source: 'made.conll', sentences: Array.from({ length: count }, () => sentenceOf(random)) };
}

/** Returns sentences as the text of a CoNLL file. */
export const conllOf = ({ sentences: all }: TaggedSentences): string =>
  all.map(({ tokens, tags }) => tokens.map((token, i) => `${token}\t${tags[i]}\n`).join('')).join('\n');

/** Returns sentences with changed tags. */
export const retagged = (
  { source, sentences: all }: TaggedSentences,
  change: (tag: string, token: string) => string,
): TaggedSentences => ({
  source,
  sentences: all.map(({ tokens, tags }) => ({ tokens, tags: tags.map((tag, i) => change(tag, tokens[i])) })),
});
