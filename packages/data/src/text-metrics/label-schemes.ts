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
import { shapeError, valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';

export type LabelScheme = 'BIO' | 'BIOES' | 'BMES';

/** Tokens start to end - 1 have the label. */
export interface Span {
  label: string;
  start: number;
  /** Exclusive. */
  end: number;
}

export interface SpanOptions {
  /**
   * How spans that break the rules of the scheme are read. False (default): as conlleval and the default mode of seqeval do;
   * a span begins at any prefix that continues no span of the same label. True: as seqeval with `mode="strict"`; such tags
   * belong to no span.
   */
  strict?: boolean;
}

/** The role of a token in its span. */
type Role = 'first' | 'inner' | 'last' | 'single';

interface Scheme {
  /** The role of each prefix. In BIO, an I may be the last token, and a B the only one. */
  roles: Readonly<Record<string, Role>>;
  /** Whether the last token of a span has a prefix of its own. */
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

/** Parses the tags. `place` is the path of the array in messages, such as `actual[2]`. */
function parseTags(owner: string, place: string, tags: readonly string[], name: LabelScheme): Tag[] {
  const { roles } = schemeOf(owner, name);
  if (!Array.isArray(tags)) {
    throw valueError(`${owner}: ${place} must be an array of tags, got ${formatValue(tags)}.`);
  }
  return tags.map((tag: unknown, i) => {
    if (tag === 'O') return null;
    const [, prefix, label] = (typeof tag === 'string' && /^([^-])(?:-(.+))?$/su.exec(tag)) || [];
    if (prefix !== undefined && Object.hasOwn(roles, prefix))
      return { role: roles[prefix], label: label ?? NO_LABEL };
    const prefixes = Object.keys(roles);
    throw valueError(
      `${owner}: ${place}[${i}] must be "O", or ${prefixes.slice(0, -1).join(', ')} or ${prefixes.at(-1)}, "-" and a ` +
        `label (such as "B-PER"), got ${formatValue(tag)} (scheme "${name}").${hintFor(tag, name)}`,
      { tag, index: i, scheme: name },
    );
  });
}

/** Returns a hint if another scheme has the prefix. */
function hintFor(tag: unknown, name: LabelScheme): string {
  const prefix = typeof tag === 'string' ? /^([^-])-./su.exec(tag)?.[1] : undefined;
  const others = Object.entries(SCHEMES)
    .filter(([other, { roles }]) => other !== name && prefix !== undefined && Object.hasOwn(roles, prefix))
    .map(([other]) => `"${other}"`);
  return others.length > 0 ? ` The scheme may be ${others.join(' or ')}.` : '';
}

/**
 * Returns the spans of a tag sequence, in order.
 * @throws UnrollError `value` for an unknown scheme or a tag that is not of the scheme, naming its index
 */
export function spansOf(tags: readonly string[], scheme: LabelScheme, options: SpanOptions = {}): Span[] {
  return parseSpans('spansOf', 'tags', tags, scheme, options);
}

/** {@link spansOf} for other functions: `owner` and `place` appear in messages. */
export function parseSpans(
  owner: string,
  place: string,
  tags: readonly string[],
  scheme: LabelScheme,
  options: SpanOptions,
): Span[] {
  checkOptions(owner, options, { strict: 'boolean' });
  const parsed = parseTags(owner, place, tags, scheme);
  return options.strict ? strictSpans(parsed, SCHEMES[scheme]) : lenientSpans(parsed);
}

/** A span begins wherever a tag does not continue the previous one, and ends where the next one begins or at an `O`. */
function lenientSpans(tags: readonly Tag[]): Span[] {
  const spans: Span[] = [];
  let previous: Tag = null;
  tags.forEach((tag, i) => {
    if (tag) {
      if (previous && endsNowhere(previous) && continues(tag) && previous.label === tag.label)
        spans[spans.length - 1].end = i + 1;
      else spans.push({ label: tag.label, start: i, end: i + 1 });
    }
    previous = tag;
  });
  return spans;
}

const continues = (tag: NonNullable<Tag>): boolean => tag.role === 'inner' || tag.role === 'last';
/** Whether a tag may be followed by another one of its span. */
const endsNowhere = (tag: NonNullable<Tag>): boolean => tag.role === 'first' || tag.role === 'inner';

/** Only spans from a first to a last token (or, in schemes that mark no end, to the last inner one). */
function strictSpans(tags: readonly Tag[], { marksEnd }: Scheme): Span[] {
  const spans: Span[] = [];
  let open: Span | null = null;
  const close = (complete: boolean) => {
    if (open && complete) spans.push(open);
    open = null;
  };
  tags.forEach((tag, i) => {
    if (open && tag && continues(tag) && tag.label === open.label) {
      open = { ...open, end: i + 1 };
      if (tag.role === 'last') close(true);
      return;
    }
    close(!marksEnd);
    if (tag && !continues(tag)) {
      open = { label: tag.label, start: i, end: i + 1 };
      if (tag.role === 'single') close(true);
    }
  });
  close(!marksEnd);
  return spans;
}

/**
 * Returns the tags of `length` tokens. Spans may be in any order.
 * @throws UnrollError `value` for an unknown scheme, or a span that is empty, out of range, without a label or overlaps
 *   another one
 */
export function tagsOf(spans: readonly Span[], length: number, scheme: LabelScheme): string[] {
  const { roles, marksEnd } = schemeOf('tagsOf', scheme);
  if (!Number.isInteger(length) || length < 0)
    throw valueError(`tagsOf: length must be an integer of 0 or more, got ${formatValue(length)}.`, {
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
      const role =
        i === start
          ? marksEnd && end === start + 1
            ? 'single'
            : 'first'
          : marksEnd && i === end - 1
            ? 'last'
            : 'inner';
      tags[i] = label === NO_LABEL ? `${prefixOf(role)}` : `${prefixOf(role)}-${label}`;
    }
  });
  return tags;
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
 * Returns which tag may follow which, so that all spans are complete. For a CRF that must not predict malformed sequences.
 * @param tags all tags in the order of their ids, such as `['O', 'B-PER', 'I-PER']`
 * @throws UnrollError `value` for an unknown scheme or a tag that is not of the scheme, `shape` for a repeated tag
 */
export function allowedTransitions(tags: readonly string[], scheme: LabelScheme): AllowedTransitions {
  const parsed = parseTags('allowedTransitions', 'tags', tags, scheme);
  const repeated = tags.findIndex((tag, i) => tags.indexOf(tag) < i);
  if (repeated >= 0) {
    throw shapeError(
      `allowedTransitions: tags must be distinct, got ${formatValue(tags[repeated])} at indices ` +
        `${tags.indexOf(tags[repeated])} and ${repeated}.`,
    );
  }
  const { marksEnd } = SCHEMES[scheme];
  const mayFollow = (previous: Tag, next: Tag): boolean => {
    if (next && continues(next))
      return previous !== null && endsNowhere(previous) && previous.label === next.label;
    return !(marksEnd && previous && endsNowhere(previous));
  };
  return {
    start: parsed.map((tag) => mayFollow(null, tag)),
    end: parsed.map((tag) => mayFollow(tag, null)),
    transitions: parsed.map((previous) => parsed.map((next) => mayFollow(previous, next))),
  };
}
