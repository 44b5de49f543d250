/** The trained tagger. `trainTagger` returns it, and the commands save, load and run it. */
import { tagProbabilities, UnrollError, valueError } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';
import {
  allowedTransitions,
  parseConll,
  spansOf,
  type TaggedSentence,
  type TaggedSentences,
} from '@unroll/data';
import { toArtifact } from '@unroll/formats';
import type { Network, TagConstraints } from '@unroll/nn';
import { checkFilled, checkRequest, checkRow } from '../shared/request.js';
import type {
  NetworkExample,
  TaskFact,
  TaskModel,
  TaskOption,
  TaskRequest,
  TaskResult,
  TaskScores,
} from '../shared/task.js';
import { decide, tagScores } from './decisions.js';
import { inputsOf, piecesOf, TagEncoder, type TextToken, UNKNOWN_ID } from './encoder.js';
import type { TagGoal } from './goal.js';
import { type TagPipeOptions, type TagSpan, tagPipe } from './pipe.js';
import { readTagger, type TagPipeline } from './pipeline.js';
import { metricsOf, scoreTags, summaryTable, typeTable } from './scores.js';
import { checkTags, labelScheme } from './tags.js';

const OPTIONS: readonly TaskOption[] = [
  {
    name: 'probabilities',
    type: 'flag',
    help: 'with --json: also give the probability of each entity or, if the tags mark no entities, of each tag',
  },
];

/** Predicted tags of a sentence. */
export interface PredictedTags {
  tags: string[];
  /** Probability of each tag, given the whole sentence. Absent unless requested. */
  probabilities?: number[];
}

/** An entity of a text. */
export interface TagEntity {
  /** Index of the first character in the text (UTF-16 code units). */
  start: number;
  /** Index after the last character. */
  end: number;
  text: string;
  type: string;
  /** Smallest probability of the tags of the entity. Absent unless requested. */
  score?: number;
}

export class TagModel implements TaskModel {
  readonly pipeline: TagPipeline;
  /**
   * Maps word ids [N, T] (0: padding) and, if the model reads them, character ids [N, T, C] to scores [N, T, tags] of a `crf` layer.
   */
  readonly network: Network;
  readonly options = OPTIONS;
  readonly reads = 'file';
  readonly #encoder: TagEncoder;
  readonly #constraints: TagConstraints | null;

  constructor(pipeline: TagPipeline, network: Network) {
    this.pipeline = pipeline;
    this.network = network;
    this.#encoder = new TagEncoder(pipeline);
    const scheme = labelScheme(pipeline.scheme);
    this.#constraints = scheme && allowedTransitions(pipeline.tags, scheme);
  }

  /**
   * Loads a model from its files.
   * @param json the content of pipeline.json, if it has been read before
   * @throws UnrollError `format` if files are missing or damaged, or do not belong to a tagger
   */
  static fromFiles(files: ReadonlyMap<string, Uint8Array>, json?: JsonObject): TagModel {
    const { pipeline, network } = readTagger(files, json);
    return new TagModel(pipeline, network);
  }

  toFiles(training?: unknown): Promise<Map<string, Uint8Array>> {
    return toArtifact(this.network, { pipeline: this.pipeline, training });
  }

  get format(): string {
    return this.pipeline.format;
  }

  get about(): string {
    const { tags } = this.pipeline;
    return (
      'Tags the tokens of --text, or of a file with one token per line (--data). ' +
      `Tags: ${tags.slice(0, 20).join(', ')}${tags.length > 20 ? ', ...' : ''}.`
    );
  }

  /** The options with which the training file was parsed, if the user set any; see `TaskModel`. */
  get reading(): TagPipeline['reading'] {
    return this.pipeline.reading;
  }

  /**
   * Returns the tags of sentences that are split into tokens.
   * @param probabilities whether to compute the probability of each tag. Default true
   */
  async tag(sentences: readonly (readonly string[])[], probabilities = true): Promise<PredictedTags[]> {
    const pieces = sentences.map(piecesOf);
    const encoded = pieces.flat().map((tokens) => this.#encoder.encode(tokens));
    const scores = await tagScores(this.network, encoded, this.#constraints);
    const { tags } = this.pipeline;
    const results = scores.map((pieceScores): Required<PredictedTags> => {
      const best = decide(this.#goal, pieceScores);
      const all = probabilities ? tagProbabilities(pieceScores) : [];
      return {
        tags: best.map((id) => tags[id]),
        probabilities: probabilities ? best.map((id, t) => all[t * tags.length + id]) : [],
      };
    });
    let next = 0;
    return pieces.map((parts) => {
      const sentenceResults = results.slice(next, (next += parts.length));
      return {
        tags: sentenceResults.flatMap((piece) => piece.tags),
        ...(probabilities && { probabilities: sentenceResults.flatMap((piece) => piece.probabilities) }),
      };
    });
  }

  /** Tags texts or the sentences of a file. Tags in the file are ignored. */
  async predict(request: TaskRequest): Promise<TaskResult> {
    checkRequest(request, this, { takesTexts: true });
    const { file, texts = [], options = {} } = request;
    if (file === undefined && texts.length === 0)
      throw valueError('Tagging needs texts: pass a file or texts (--data or --text).');
    checkFilled(texts);
    const fileSentences = file && parseConll(file.text, { source: file.source, tags: false }).sentences;
    const all = [
      ...texts.map((text) => ({ text, tokens: this.#encoder.split(text) })),
      ...(fileSentences ?? []).map(({ tokens }) => this.#joinTokens(tokens)),
    ];
    const tokens = all.map((sentence) => sentence.tokens.map(({ token }) => token));
    const notes = [...this.#encoder.tokenizer.notes, ...this.#unknownNotes(tokens, file?.source)];
    const withScores = options.probabilities === true;
    const predictions = await this.tag(tokens, withScores);
    const hasEntities = this.pipeline.scheme !== 'none';
    const entities = all.map(({ text, tokens: spans }, i) => this.#entities(text, spans, predictions[i]));
    return {
      columns: ['text', 'tokens', 'tags', ...(hasEntities ? ['entities'] : [])],
      rows: all.map(({ text }, i) => [
        ...[text, tokens[i].join(' '), predictions[i].tags.join(' ')],
        ...(hasEntities ? [entities[i].map((entity) => `${entity.text} (${entity.type})`).join('; ')] : []),
      ]),
      json: all.map((_, i): { [name: string]: Json } => ({
        ...{ tokens: tokens[i], tags: predictions[i].tags },
        ...(withScores && !hasEntities && { scores: (predictions[i].probabilities ?? []).map(round) }),
        ...(hasEntities && { entities: entities[i].map(entityJson) }),
      })),
      notes,
    };
  }

  async example({ file, texts = [] }: TaskRequest, row = 0): Promise<NetworkExample> {
    const fromTexts = texts.map((text) => this.#encoder.split(text).map(({ token }) => token));
    const fileSentences = file && parseConll(file.text, { source: file.source, tags: false }).sentences;
    const all = [...fromTexts, ...(fileSentences ?? []).map(({ tokens }) => [...tokens])];
    checkRow(row, all.length, 'sentences');
    const [tokens] = piecesOf(all[row]);
    const inputs = inputsOf([this.#encoder.encode(tokens)], [0]);
    return { network: this.network, inputs, title: tokens.join(' '), steps: tokens };
  }

  /** Returns precision, recall and F1, overall and for each type or tag, and the share of correct tags. */
  async evaluate(request: TaskRequest): Promise<TaskScores> {
    checkRequest(request, { format: this.format, options: [] });
    const { file } = request;
    const { column, cell } = this.pipeline;
    if (file === undefined) throw valueError('evaluate needs a file with tokens and tags.');
    const data = parseConll(file.text, { source: file.source, ...(column !== null && { column }) });
    return this.score(data, cell);
  }

  /** Returns the scores of the model on sentences with tags. @throws UnrollError `data` for a tag that the model does not have */
  async score(data: TaggedSentences, name: string = this.pipeline.cell): Promise<TaskScores> {
    checkTags(data, this.pipeline.tags);
    const tokens = data.sentences.map((sentence) => sentence.tokens);
    const notes = this.#unknownNotes(tokens, data.source);
    const predictions = await this.tag(tokens, false);
    const scores = scoreTags(
      this.#goal,
      data.sentences.map(({ tags }: TaggedSentence) => tags),
      predictions.map(({ tags }) => tags),
    );
    const title = this.pipeline.scheme === 'none' ? 'Scores by tag' : 'Scores by type';
    return {
      ...summaryTable(scores, this.#goal, name),
      tables: [{ name: 'types', title, ...typeTable(scores, this.#goal) }],
      metrics: metricsOf(scores),
      notes,
    };
  }

  async pipe(input: unknown, options: TagPipeOptions = {}): Promise<TagSpan[] | TagSpan[][]> {
    return tagPipe(input, options, {
      hasEntities: this.pipeline.scheme !== 'none',
      split: (text) => this.#encoder.split(text),
      tag: (sentences) => this.tag(sentences),
      entities: (text, tokens, predicted) => this.#entities(text, tokens, predicted),
    });
  }

  describe(): TaskFact[] {
    const { column, scheme, positive, offset, cell, layers, units, networks, tags, words, characters } =
      this.pipeline;
    return [
      { name: 'column', value: column },
      { name: 'scheme', value: scheme },
      { name: 'tags', value: [...tags] },
      ...(positive === null ? [] : [{ name: 'positive', value: positive }]),
      { name: 'offset', value: offset },
      { name: 'cell', value: cell },
      { name: 'layers', value: layers },
      { name: 'units', value: units },
      { name: 'networks', value: networks },
      { name: 'tokenizer', value: this.#encoder.tokenizer.kind },
      { name: 'vocabulary', value: words.tokens.length },
      { name: 'characters', value: characters?.tokens.length ?? 0 },
    ];
  }

  get #goal(): TagGoal {
    const { tags, scheme, positive } = this.pipeline;
    return { tags, scheme, positive };
  }

  /** Joins the tokens of a file to a text, with spaces between words, without spaces between characters. */
  #joinTokens(tokens: readonly string[]): { text: string; tokens: TextToken[] } {
    const space = this.#encoder.tokenizer.kind === 'characters' ? '' : ' ';
    let position = 0;
    const withPositions = tokens.map((token) => {
      const start = position;
      position = start + token.length + space.length;
      return { token, start, end: start + token.length };
    });
    return { text: tokens.join(space), tokens: withPositions };
  }

  #entities(text: string, tokens: readonly TextToken[], { tags, probabilities }: PredictedTags): TagEntity[] {
    const scheme = labelScheme(this.pipeline.scheme);
    if (scheme === null) return [];
    return spansOf(tags, scheme).map(({ label: type, start: first, end: after }) => {
      const [start, end] = [tokens[first].start, tokens[after - 1].end];
      const score = probabilities && Math.min(...probabilities.slice(first, after));
      return { start, end, text: text.slice(start, end), type, ...(score !== undefined && { score }) };
    });
  }

  /**
   * Returns a note if some sentences contain no known word and, if the network reads characters, no known character.
   * @throws UnrollError `data` if no sentence has a known word or character
   */
  #unknownNotes(sentences: readonly (readonly string[])[], source?: string): string[] {
    const encoded = sentences.map((tokens) => this.#encoder.encode(tokens));
    const isUnknown = (ids: Int32Array): boolean => ids.every((id) => id === UNKNOWN_ID);
    const unknown = encoded.filter(
      ({ ids, characters }) => isUnknown(ids) && (characters?.every(isUnknown) ?? true),
    );
    if (unknown.length === 0) return [];
    if (unknown.length < encoded.length) {
      return [
        `${unknown.length} of ${encoded.length} sentences contain no known word or character, so the model can only guess their tags.`,
      ];
    }
    throw new UnrollError(
      'data',
      `${source ?? 'The text'}: no word occurs in the training data. Check the language of the text.`,
      { source: source ?? null },
    );
  }
}

const entityJson = ({ score, ...entity }: TagEntity): Json => ({
  ...entity,
  ...(score !== undefined && { score: round(score) }),
});

const round = (value: number): number => Number(value.toPrecision(6));
