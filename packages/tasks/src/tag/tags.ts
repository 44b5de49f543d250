/** Finds the scheme of tags and the set of tags that the network predicts, and repairs malformed tags. */
import { UnrollError } from '@unroll/core';
import { type LabelScheme, spansOf, type TaggedSentence, type TaggedSentences, tagsOf } from '@unroll/data';

/** How tags mark entities. `none`: tags do not mark entities, as in part-of-speech tagging. */
export type TagScheme = 'bio' | 'bioes' | 'bmes' | 'none';

export const TAG_SCHEMES: readonly TagScheme[] = ['bio', 'bioes', 'bmes', 'none'];
/** The prefixes of each scheme. */
const PREFIXES: Readonly<Record<Exclude<TagScheme, 'none'>, string>> = {
  bio: 'BI',
  bioes: 'BIOES',
  bmes: 'BMES',
};

/** Returns the name by which `spansOf` and `tagsOf` know a scheme; null for `none`. */
export const labelScheme = (scheme: TagScheme): LabelScheme | null =>
  scheme === 'none' ? null : (scheme.toUpperCase() as LabelScheme);

/** Returns the prefix and the type of a tag such as `B-PER`, or of a prefix alone; null for other tags. */
function partsOf(tag: string): { prefix: string; type: string | null } | null {
  const match = /^([BIMES])(?:-(.+))?$/su.exec(tag);
  return match && { prefix: match[1], type: match[2] ?? null };
}

/** Returns the scheme of the tags of a file, inferred from their prefixes. */
export function schemeOf({ sentences }: TaggedSentences): TagScheme {
  const tags = new Set(sentences.flatMap((sentence) => sentence.tags));
  tags.delete('O');
  const parts = [...tags].map(partsOf);
  const prefixes = new Set(parts.map((part) => part?.prefix));
  const hasAll = (letters: string): boolean =>
    parts.length > 0 && parts.every((part) => part !== null && letters.includes(part.prefix));
  if (hasAll('BI')) return prefixes.has('B') || parts.some((part) => part?.type) ? 'bio' : 'none';
  if (prefixes.has('M')) return hasAll('BMES') ? 'bmes' : 'none';
  return hasAll('BIES') ? 'bioes' : 'none';
}

/** Returns an error that names the position of a tag. */
export function tagError(
  { source }: Pick<TaggedSentences, 'source'>,
  { tokens, lines }: TaggedSentence,
  index: number,
  problem: string,
): UnrollError {
  const position =
    lines === undefined ? `token ${index + 1} ("${tokens[index].slice(0, 40)}")` : `line ${lines[index]}`;
  return new UnrollError('data', `${source}, ${position}: ${problem}`, {
    source,
    line: lines?.[index] ?? null,
  });
}

/**
 * Returns the tags that the network predicts. With the scheme `none`: the tags of the file, sorted. Otherwise: `O` if it occurs,
 * then every type of the file with every prefix of the scheme.
 * @throws UnrollError `data` for a tag that does not belong to the scheme, and for fewer than two tags
 */
export function tagSet(data: TaggedSentences, scheme: TagScheme): string[] {
  const found = [...new Set(data.sentences.flatMap(({ tags }) => tags))].sort();
  if (found.length < 2) {
    throw new UnrollError(
      'data',
      `${data.source} must have at least two different tags, got only "${found[0]}". Check the column (--column).`,
      { source: data.source },
    );
  }
  if (scheme === 'none') return found;
  const prefixes = PREFIXES[scheme].replace('O', '');
  const isValid = (tag: string): boolean => tag === 'O' || prefixes.includes(partsOf(tag)?.prefix ?? '?');
  for (const sentence of data.sentences) {
    const index = sentence.tags.findIndex((tag) => !isValid(tag));
    if (index < 0) continue;
    const expected = `O or a tag that begins with ${[...prefixes].map((prefix) => `${prefix}-`).join(', ')}`;
    throw tagError(
      data,
      sentence,
      index,
      `with the scheme ${scheme}, a tag must be ${expected}, got "${sentence.tags[index]}".`,
    );
  }
  const types = [...new Set(found.filter((tag) => tag !== 'O').map((tag) => partsOf(tag)?.type ?? null))];
  const all = types.flatMap((type) =>
    [...prefixes].map((prefix) => (type === null ? prefix : `${prefix}-${type}`)),
  );
  return found.includes('O') ? ['O', ...all] : all;
}

/** Checks the tags of validation or test data. @throws UnrollError `data` for a tag that does not occur in the training data */
export function checkTags(data: TaggedSentences, tags: readonly string[]): void {
  const known = new Set(tags);
  for (const sentence of data.sentences) {
    const index = sentence.tags.findIndex((tag) => !known.has(tag));
    if (index < 0) continue;
    const tagList = tags.slice(0, 12).join(', ') + (tags.length > 12 ? ', ...' : '');
    const problem = `tag "${sentence.tags[index]}" does not occur in the training data. Its tags: ${tagList}.`;
    throw tagError(data, sentence, index, problem);
  }
}

/**
 * Returns well-formed tags with the same entities. Malformed tags are read as conlleval reads them: for example, an `I-PER` after
 * `O` becomes `B-PER`.
 */
export function repairTags(tags: readonly string[], scheme: TagScheme): readonly string[] {
  const name = labelScheme(scheme);
  return name === null ? tags : tagsOf(spansOf(tags, name), tags.length, name);
}

/** Returns the number of positions at which two tag sequences of the same length differ. */
export const countChanges = (a: readonly string[], b: readonly string[]): number =>
  a.reduce((count, tag, i) => count + Number(tag !== b[i]), 0);
