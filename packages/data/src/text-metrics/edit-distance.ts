/** Alignment of two sequences with the fewest edits (Levenshtein distance). */
import { valueError } from '@unroll/core';

/** Consecutive tokens of the same kind. Positions are token indices; `End` is exclusive. */
export interface AlignmentChunk {
  /**
   * `equal` and `substitute` cover the same number of tokens on both sides; `delete` only tokens of the reference, `insert` only
   * tokens of the hypothesis.
   */
  type: 'equal' | 'substitute' | 'delete' | 'insert';
  referenceStart: number;
  referenceEnd: number;
  hypothesisStart: number;
  hypothesisEnd: number;
}

type Type = AlignmentChunk['type'];

/** The last edit of a pair of prefixes, in the table that `directionsOf` returns. */
const DIAGONAL = 0;
const DELETE = 1;
const INSERT = 2;

/** Largest number of entries of this table, one byte each. */
const MAX_CELLS = 2 ** 31;

/**
 * Returns an alignment of two sequences with the fewest edits. Several such alignments can differ in their numbers of hits,
 * substitutions, deletions and insertions; the result is the alignment of rapidfuzz 3.14, which jiwer uses. (For pairs of
 * thousands of tokens each, rapidfuzz divides the problem and may return another alignment with the same number of edits.)
 * @param pairName name of the pair in messages
 * @throws UnrollError `value` if the sequences are too long: the product of their lengths is limited to 2^31
 */
export function align(
  reference: readonly string[],
  hypothesis: readonly string[],
  pairName: string,
): AlignmentChunk[] {
  const shorter = Math.min(reference.length, hypothesis.length);
  let start = 0;
  while (start < shorter && reference[start] === hypothesis[start]) start++;
  let end = 0;
  while (end < shorter - start && reference.at(-1 - end) === hypothesis.at(-1 - end)) end++;
  const differing = [reference, hypothesis].map((tokens) => tokens.slice(start, tokens.length - end));
  if ((differing[0].length + 1) * (differing[1].length + 1) > MAX_CELLS) {
    throw valueError(
      `${pairName} is too long: the product of its numbers of tokens must be below 2^31, got ${reference.length} tokens in ` +
        `the reference and ${hypothesis.length} in the hypothesis. Split the texts into sentences.`,
    );
  }
  const middle = editsOf(differing[0], differing[1]);
  const equal = (length: number) => new Array<Type>(length).fill('equal');
  return chunksOf([...equal(start), ...middle, ...equal(end)]);
}

/** Returns the edit of each step of the alignment. Time and memory are proportional to the product of the lengths. */
function editsOf(reference: readonly string[], hypothesis: readonly string[]): Type[] {
  const directions = directionsOf(reference, hypothesis);
  const edits: Type[] = [];
  let i = reference.length;
  let j = hypothesis.length;
  while (i > 0 || j > 0) {
    const direction = i === 0 ? INSERT : j === 0 ? DELETE : directions[i * (hypothesis.length + 1) + j];
    if (direction === DELETE) {
      edits.push('delete');
      i--;
    } else if (direction === INSERT) {
      edits.push('insert');
      j--;
    } else edits.push(reference[--i] === hypothesis[--j] ? 'equal' : 'substitute');
  }
  return edits.reverse();
}

/**
 * Returns the last edit of each pair of prefixes, [reference + 1, hypothesis + 1]: a deletion if that is optimal; else an
 * insertion if the pair of prefixes from which it starts needs fewer edits than the pair from which the diagonal step starts;
 * else the diagonal step.
 */
function directionsOf(reference: readonly string[], hypothesis: readonly string[]): Uint8Array {
  const width = hypothesis.length + 1;
  const directions = new Uint8Array((reference.length + 1) * width);
  let above = Uint32Array.from({ length: width }, (_, j) => j);
  let row = new Uint32Array(width);
  for (let i = 1; i <= reference.length; i++) {
    row[0] = i;
    for (let j = 1; j < width; j++) {
      const cost = reference[i - 1] === hypothesis[j - 1] ? 0 : 1;
      row[j] = Math.min(above[j - 1] + cost, above[j] + 1, row[j - 1] + 1);
      directions[i * width + j] =
        row[j] === above[j] + 1 ? DELETE : row[j - 1] < above[j - 1] ? INSERT : DIAGONAL;
    }
    [above, row] = [row, above];
  }
  return directions;
}

function chunksOf(edits: readonly Type[]): AlignmentChunk[] {
  const chunks: AlignmentChunk[] = [];
  let i = 0;
  let j = 0;
  for (const type of edits) {
    let chunk = chunks.at(-1);
    if (chunk?.type !== type) {
      chunk = { type, referenceStart: i, referenceEnd: i, hypothesisStart: j, hypothesisEnd: j };
      chunks.push(chunk);
    }
    if (type !== 'insert') i++;
    if (type !== 'delete') j++;
    chunk.referenceEnd = i;
    chunk.hypothesisEnd = j;
  }
  return chunks;
}
