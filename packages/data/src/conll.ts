/**
 * Reads files with one token and its tags per line: CoNLL files (columns separated by tabs or spaces) and CoNLL-U files
 * of Universal Dependencies. A blank line ends a sentence.
 */
import { UnrollError, valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';

/** The columns of CoNLL-U (https://universaldependencies.org/format.html), in order. */
const CONLLU_COLUMNS = [
  ...['id', 'form', 'lemma', 'upos', 'xpos', 'feats', 'head', 'deprel', 'deps', 'misc'],
] as const;

/** A column of CoNLL-U that can hold tags. */
export type ConlluColumn = 'lemma' | 'upos' | 'xpos' | 'feats' | 'head' | 'deprel' | 'deps' | 'misc';

/** The tokens of a sentence and their tags. */
export interface TaggedSentence {
  tokens: readonly string[];
  /** One tag per token. */
  tags: readonly string[];
  /** Line of each token in the file, from 1, for messages. Absent for sentences that are not from a file. */
  lines?: readonly number[];
}

/** Sentences with tags, for example all sentences of a file. */
export interface TaggedSentences {
  /** Name of the file, for messages. */
  source: string;
  sentences: readonly TaggedSentence[];
  /** The column with the tags: its number, from 1, or its name. Absent for sentences that are not from a file. */
  column?: number | ConlluColumn;
}

export interface ConllOptions {
  /** Name of the file, for messages. Default `text`. */
  source?: string;
  /** The column with the tags: its number, from 1, or its name in CoNLL-U. Default: the last one; in CoNLL-U, `upos`. */
  column?: number | ConlluColumn;
  /** Read the tags. False: read only the tokens, and `tags` is empty. Default true. */
  tags?: boolean;
}

/** A line with more columns than this is not a line of a CoNLL file. */
const MAX_COLUMNS = 200;

/** How the lines of a file are read. */
interface Layout {
  isConllu: boolean;
  separator: RegExp;
  /** Number of columns. */
  width: number;
  /** The line, from 1, that determined the layout. */
  line: number;
  /** Indices of the columns; `tag` is null if only tokens are read. */
  token: number;
  tag: number | null;
}

/**
 * Reads the sentences of a CoNLL or CoNLL-U file. Tokens are in the first column (in CoNLL-U: `form`). Columns are separated
 * by tabs if the line of the first token contains a tab, otherwise by spaces. `-DOCSTART-` lines and, in CoNLL-U, comments,
 * multiword tokens (`3-4`) and empty nodes (`3.1`) are skipped. In other files, a line that begins with `# ` before a sentence
 * is a comment unless it has as many columns as the line of the first token (before that line: unless it has two columns).
 * @throws UnrollError `data` if a line has more or fewer columns than the line of the first token, if a token or a tag is
 *   empty, if there are no tokens, or if the file does not have the column of the tags; `value` for an invalid option `column`
 */
export function parseConll(text: string, options: ConllOptions = {}): TaggedSentences {
  checkOptions('parseConll', options, { source: 'string', column: true, tags: 'boolean' });
  const { source = 'text', column, tags: hasTags = true } = options;
  checkColumn(column);
  const reader = new Reader(source, column, hasTags);
  let line = 0;
  for (const raw of text.replace(/^\uFEFF/, '').split('\n')) reader.read(raw.replace(/\r$/, ''), ++line);
  const sentences = reader.end();
  if (sentences.length === 0) {
    const what = text.trim() === '' ? 'is empty' : 'has no tokens';
    throw new UnrollError(
      'data',
      `${source} ${what}. A CoNLL file has one token with its tag per line, and a blank line after each sentence.`,
      { source },
    );
  }
  const { layout } = reader;
  const tagColumn = column ?? (layout?.isConllu ? 'upos' : undefined) ?? (layout?.tag ?? 0) + 1;
  return { source, sentences, ...(hasTags && { column: tagColumn }) };
}

/** Reads lines one after another. */
class Reader {
  layout: Layout | null = null;
  readonly #source: string;
  readonly #column: number | ConlluColumn | undefined;
  readonly #hasTags: boolean;
  readonly #sentences: TaggedSentence[] = [];
  #current: { tokens: string[]; tags: string[]; lines: number[] } = { tokens: [], tags: [], lines: [] };

  constructor(source: string, column: number | ConlluColumn | undefined, hasTags: boolean) {
    this.#source = source;
    this.#column = column;
    this.#hasTags = hasTags;
  }

  read(text: string, line: number): void {
    if (text.trim() === '' || text.startsWith('-DOCSTART-')) this.#endSentence();
    else if (!this.#isComment(text)) this.#readToken(text, line);
  }

  #readToken(text: string, line: number): void {
    this.layout ??= this.#layoutOf(text, line);
    const { separator, width, isConllu, token, tag } = this.layout;
    const columns = text.replace(/[ \t]+$/, '').split(separator);
    if (isConllu && /^\d+[-.]\d+$/.test(columns[0])) return;
    if (columns.length !== width) throw this.#widthError(columns.length, line);
    const [word, label] = [columns[token], tag === null ? null : columns[tag]];
    if (word === '') throw this.#error(line, 'the token is empty.');
    if (label === '') throw this.#error(line, `the tag is empty (column ${(tag ?? 0) + 1}).`);
    this.#current.tokens.push(word);
    if (label !== null) this.#current.tags.push(label);
    this.#current.lines.push(line);
  }

  end(): TaggedSentence[] {
    this.#endSentence();
    return this.#sentences;
  }

  #endSentence(): void {
    if (this.#current.tokens.length > 0) this.#sentences.push(this.#current);
    this.#current = { tokens: [], tags: [], lines: [] };
  }

  /** In files other than CoNLL-U, `#` may be a token. */
  #isComment(text: string): boolean {
    if (!text.startsWith('#') || this.#current.tokens.length > 0) return false;
    if (this.layout?.isConllu || /^#\s*(id|sent_id|newdoc|newpar|text|global\.columns)\b/.test(text))
      return true;
    if (!text.startsWith('# ')) return false;
    return this.layout === null
      ? !/^# +\S+$/.test(text)
      : text.split(this.layout.separator).length !== this.layout.width;
  }

  /** Returns the layout of the file, found from the line of its first token. */
  #layoutOf(text: string, line: number): Layout {
    const separator = text.includes('\t') ? /\t/ : / +/;
    const columns = text.replace(/[ \t]+$/, '').split(separator);
    const width = columns.length;
    const isConllu =
      width === CONLLU_COLUMNS.length && /^\d+([-.]\d+)?$/.test(columns[0]) && text.includes('\t');
    if (width > MAX_COLUMNS) {
      throw this.#error(
        line,
        `the line has ${width} columns. A CoNLL file has one token with its tag per line.`,
      );
    }
    if (!this.#hasTags) return { isConllu, separator, width, line, token: isConllu ? 1 : 0, tag: null };
    if (width === 1) {
      throw this.#error(
        line,
        'the line has one column. It must have a token and a tag, separated by a tab or a space.',
      );
    }
    return {
      isConllu,
      separator,
      width,
      line,
      token: isConllu ? 1 : 0,
      tag: this.#tagColumn(isConllu, width, line),
    };
  }

  /** Returns the index of the column with the tags. */
  #tagColumn(isConllu: boolean, width: number, line: number): number {
    const column = this.#column ?? (isConllu ? 'upos' : width);
    if (typeof column === 'string') {
      if (isConllu) return CONLLU_COLUMNS.indexOf(column);
      const remedy = 'Give the number of the column.';
      throw this.#error(
        line,
        `column "${column}" needs a CoNLL-U file, with 10 columns separated by tabs. ${remedy}`,
      );
    }
    if (column <= width) return column - 1;
    throw this.#error(line, `there is no column ${column}: the line has ${width} columns.`);
  }

  #widthError(found: number, line: number): UnrollError {
    const { width, line: first, separator } = this.layout as Layout;
    const kind = separator.source === '\\t' ? 'tabs' : 'spaces';
    return this.#error(
      line,
      `${found === 1 ? '1 column' : `${found} columns`} (separated by ${kind}), but line ${first} has ${width}.`,
    );
  }

  #error(line: number, problem: string): UnrollError {
    return new UnrollError('data', `${this.#source}, line ${line}: ${problem}`, {
      source: this.#source,
      line,
    });
  }
}

/** @throws UnrollError `value` for a number below 1 and an unknown name */
function checkColumn(column: number | ConlluColumn | undefined): void {
  if (column === undefined) return;
  const names = CONLLU_COLUMNS.filter((name) => name !== 'id' && name !== 'form');
  const isNumber = typeof column === 'number' && Number.isInteger(column) && column >= 1;
  if (isNumber || names.some((name) => name === column)) return;
  throw valueError(
    `parseConll: column must be the number of a column, from 1, or one of ${names.join(', ')}, got ${formatValue(column)}.`,
    { column },
  );
}
