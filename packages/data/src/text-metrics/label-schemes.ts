/**
 * Tags of sequence labelling: a tag is `O`, or a prefix and a label, such as `B-PER`. A scheme says which prefixes mark the
 * tokens of a span:
 *
 * | scheme  | also known as       | first | inner | last | single token |
 * |---------|---------------------|-------|-------|------|--------------|
 * | `BIO`   | IOB2                | B     | I     | I    | B            |
 * | `BIOES` | IOBES               | B     | I     | E    | S            |
 * | `BMES`  | BMEO, BMESO         | B     | M     | E    | S            |
 *
 * A prefix alone (`B`, `M`), as in word segmentation, has the label `_`.
 */
import { valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';

export type LabelScheme = 'BIO' | 'BIOES' | 'BMES';

/** A label of the tokens `start` to `end` - 1. */
export interface Span {
  label: string;
  start: number;
  /** Exclusive. */
  end: number;
}

export interface SpanOptions {
  /**
   * How tags that break the rules of the scheme are read. False (default): as in conlleval and the default mode of seqeval, a span
   * begins at any prefix that continues no span of the same label. True: as in seqeval with `mode="strict"`, these tags belong to
   * no span.
   */
  strict?: boolean;
}

/** The role of a token in its span. */
type Role = 'first' | 'inner' | 'last' | 'single';

interface Scheme {
  /** The role of each prefix. In BIO, an I may be the last token, and a B the only one. */
  roles: Readonly<Record<string, Role>>;
  /** Whether the last token of a span has a prefix of its own, such as E. */
  marksEnd: boolean;
}

const SCHEMES: Readonly<Record<LabelScheme, Scheme>> = {
  BIO: { roles: { B: 'first', I: 'inner' }, marksEnd: false },
  BIOES: { roles: { B: 'first', I: 'inner', E: 'last', S: 'single' }, marksEnd: true },
  BMES: { roles: { B: 'first', M: 'inner', E: 'last', S: 'single' }, marksEnd: true },
};

/** The label of a prefix alone. */
const NO_LABEL = '_';

/** A parsed tag; null for `O`. */
type Tag = { role: Role; label: string } | null;

function schemeOf(owner: string, scheme: LabelScheme): Scheme {
  if (Object.hasOwn(SCHEMES, scheme)) return SCHEMES[scheme];
  throw valueError(
    `${owner}: scheme must be "BIO" (IOB2), "BIOES" (IOBES) or "BMES", got ${formatValue(scheme)}.`,
    { scheme },
  );
}

/** Parses the tags. @param path name of the array in messages, such as `actual[2]` */
function parseTags(owner: string, path: string, tags: readonly string[], name: LabelScheme): Tag[] {
  const { roles } = schemeOf(owner, name);
  if (!Array.isArray(tags)) {
    throw valueError(`${owner}: ${path} must be an array of tags, got ${formatValue(tags)}.`);
  }
  return tags.map((tag: unknown, i) => {
    if (tag === 'O') return null;
    const [, prefix, label] = (typeof tag === 'string' && /^([^-])(?:-(.+))?$/su.exec(tag)) || [];
    if (prefix !== undefined && Object.hasOwn(roles, prefix))
      return { role: roles[prefix], label: label ?? NO_LABEL };
    const prefixes = Object.keys(roles);
    throw valueError(
      `${owner}: ${path}[${i}] must be "O", or one of the prefixes ${prefixes.join(', ')}, followed by "-" and a label ` +
        `(such as "B-PER") or alone, got ${formatValue(tag)} (scheme "${name}").${hintFor(tag, name)}`,
      { tag, index: i, scheme: name },
    );
  });
}

/** Returns a hint if other schemes have the prefix, otherwise an empty text. */
function hintFor(tag: unknown, name: LabelScheme): string {
  const prefix = typeof tag === 'string' ? /^([^-])-./su.exec(tag)?.[1] : undefined;
  const others = Object.entries(SCHEMES)
    .filter(([other, { roles }]) => other !== name && prefix !== undefined && Object.hasOwn(roles, prefix))
    .map(([other]) => `"${other}"`);
  return others.length > 0 ? ` The scheme may be ${others.join(' or ')}.` : '';
}

/**
 * Returns the spans of a tag sequence, in order.
 * @throws UnrollError `value` for an unknown scheme or a tag that is not of the scheme; the message gives its index
 */
export function spansOf(tags: readonly string[], scheme: LabelScheme, options: SpanOptions = {}): Span[] {
  return parseSpans('spansOf', 'tags', tags, scheme, options);
}

/** Like {@link spansOf}. `owner` (a function) and `path` (the array) name the tags in messages. */
export function parseSpans(
  owner: string,
  path: string,
  tags: readonly string[],
  scheme: LabelScheme,
  options: SpanOptions,
): Span[] {
  checkOptions(owner, options, { strict: 'boolean' });
  const parsed = parseTags(owner, path, tags, scheme);
  return options.strict ? strictSpans(parsed, SCHEMES[scheme]) : lenientSpans(parsed);
}

/** Returns whether the tag marks the inside or the end of a span. */
const isInside = (tag: NonNullable<Tag>): boolean => tag.role === 'inner' || tag.role === 'last';

/** Returns whether more tokens of the span may follow the tag. */
const isOpen = (tag: NonNullable<Tag>): boolean => tag.role === 'first' || tag.role === 'inner';

/** Returns whether `tag` continues the span of the previous tag. */
function continues(previous: Tag, tag: Tag): boolean {
  return (
    previous !== null && tag !== null && isOpen(previous) && isInside(tag) && previous.label === tag.label
  );
}

/** Returns spans that begin at every tag that does not continue the span of the previous tag. */
function lenientSpans(tags: readonly Tag[]): Span[] {
  const spans: Span[] = [];
  tags.forEach((tag, i) => {
    if (!tag) return;
    if (i > 0 && continues(tags[i - 1], tag)) spans[spans.length - 1].end = i + 1;
    else spans.push({ label: tag.label, start: i, end: i + 1 });
  });
  return spans;
}

/** Returns spans that begin at a first or single token. If the scheme marks ends, spans without an end are left out. */
function strictSpans(tags: readonly Tag[], { marksEnd }: Scheme): Span[] {
  const spans: Span[] = [];
  tags.forEach((first, start) => {
    if (!first || isInside(first)) return;
    let last = start;
    while (last + 1 < tags.length && continues(tags[last], tags[last + 1])) last++;
    const end = tags[last];
    if (end && marksEnd && isOpen(end)) return;
    spans.push({ label: first.label, start, end: last + 1 });
  });
  return spans;
}

/**
 * Returns the tags of `length` tokens. Spans may be in any order.
 * @throws UnrollError `value` for an unknown scheme, or a span that is empty, out of range or without a label, or
 *   overlaps another one
 */
export function tagsOf(spans: readonly Span[], length: number, scheme: LabelScheme): string[] {
  const { roles, marksEnd } = schemeOf('tagsOf', scheme);
  if (!Array.isArray(spans)) throw valueError(`tagsOf: spans must be an array, got ${formatValue(spans)}.`);
  if (!Number.isInteger(length) || length < 0)
    throw valueError(`tagsOf: length must be a non-negative integer, got ${formatValue(length)}.`, {
      length,
    });
  const prefixOf = (role: Role) => Object.keys(roles).find((prefix) => roles[prefix] === role);
  const tags = new Array<string>(length).fill('O');
  spans.forEach(({ label, start, end }, n) => {
    checkSpan({ label, start, end }, n, length);
    for (let i = start; i < end; i++) {
      if (tags[i] !== 'O')
        throw valueError(`tagsOf: spans[${n}] overlaps another span at token ${i}. A token has one tag.`, {
          index: n,
        });
      const prefix = prefixOf(roleAt(i, start, end, marksEnd));
      tags[i] = label === NO_LABEL ? `${prefix}` : `${prefix}-${label}`;
    }
  });
  return tags;
}

/** Returns the role of token i of a span. */
function roleAt(i: number, start: number, end: number, marksEnd: boolean): Role {
  const isLast = marksEnd && i === end - 1;
  if (i === start) return isLast ? 'single' : 'first';
  return isLast ? 'last' : 'inner';
}

function checkSpan({ label, start, end }: Span, n: number, length: number): void {
  if (typeof label !== 'string' || label === '')
    throw valueError(
      `tagsOf: spans[${n}].label must be a string of at least one character, got ${formatValue(label)}.`,
    );
  if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end <= start || end > length) {
    throw valueError(
      `tagsOf: spans[${n}] must have 0 <= start < end <= ${length} (the number of tokens), got start ` +
        `${formatValue(start)} and end ${formatValue(end)}. end is exclusive.`,
      { index: n, start, end, length },
    );
  }
}

export interface AllowedTransitions {
  /** start[i]: whether tag i may be the first of a sequence. */
  start: boolean[];
  /** end[i]: whether tag i may be the last of a sequence. */
  end: boolean[];
  /** transitions[i][j]: whether tag j may follow tag i. */
  transitions: boolean[][];
}

/**
 * Returns which tags may follow each tag if all spans must be complete, for a CRF that must not predict malformed sequences.
 * @param tags all tags in the order of their ids, such as `['O', 'B-PER', 'I-PER']`
 * @throws UnrollError `value` for an unknown scheme or a tag that is repeated or not of the scheme
 */
export function allowedTransitions(tags: readonly string[], scheme: LabelScheme): AllowedTransitions {
  const parsed = parseTags('allowedTransitions', 'tags', tags, scheme);
  const repeated = tags.findIndex((tag, i) => tags.indexOf(tag) < i);
  if (repeated >= 0) {
    throw valueError(
      `allowedTransitions: tags must be distinct, got ${formatValue(tags[repeated])} at indices ` +
        `${tags.indexOf(tags[repeated])} and ${repeated}.`,
    );
  }
  const { marksEnd } = SCHEMES[scheme];
  /** `null` also stands for the start and the end of the sequence. */
  const allowed = (previous: Tag, next: Tag): boolean => {
    if (next && isInside(next)) return continues(previous, next);
    return !(marksEnd && previous && isOpen(previous));
  };
  return {
    start: parsed.map((tag) => allowed(null, tag)),
    end: parsed.map((tag) => allowed(tag, null)),
    transitions: parsed.map((previous) => parsed.map((next) => allowed(previous, next))),
  };
}
