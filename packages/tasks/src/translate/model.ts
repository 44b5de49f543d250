/** The trained translator. `trainTranslator` returns it, and the commands save, load and run it. */
import { UnrollError, valueError } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';
import { toArtifact } from '@unroll/formats';
import type { Functional } from '@unroll/nn';
import { evaluate } from '@unroll/train';
import { checkFilled, checkRequest, checkRow } from '../shared/request.js';
import type {
  NetworkExample,
  TaskCell,
  TaskFact,
  TaskModel,
  TaskOption,
  TaskRequest,
  TaskResult,
  TaskScores,
} from '../shared/task.js';
import {
  DEFAULT_BEAM,
  DEFAULT_LENGTH_PENALTY,
  type DecodedTarget,
  decodeTargets,
  type SearchOptions,
} from './decode.js';
import { batchOf, pairBatches, SideEncoder, type TokenizedText, targetIds, UNKNOWN_ID } from './encoder.js';
import { type Pairs, readLines, readPairs, readSources } from './pairs.js';
import { type TranslatedText, type TranslatePipeOptions, translatePipe } from './pipe.js';
import { readTranslator, type TranslatePipeline } from './pipeline.js';
import { metricsOf, scoreTable, signatureNote, translateScores } from './scores.js';

/** The options of beam search. */
export const SEARCH_OPTIONS: readonly TaskOption[] = [
  {
    name: 'beam',
    type: 'integer',
    least: 1,
    help: 'number of partial translations that the search keeps; 1 is greedy search',
    default: DEFAULT_BEAM,
  },
  {
    name: 'length-penalty',
    type: 'number',
    help: 'exponent of the length penalty; larger values prefer longer translations',
    default: DEFAULT_LENGTH_PENALTY,
  },
];

const OPTIONS: readonly TaskOption[] = [
  ...SEARCH_OPTIONS,
  { name: 'scores', type: 'flag', help: 'also write the score of each translation' },
  {
    name: 'alignments',
    type: 'flag',
    help: 'also write, for each target token, the source token with the largest attention weight; with --json, all weights',
  },
];

/** Pairs per batch when the perplexity is computed. */
const BATCH = 64;
const LOSS_OPTIONS = { fromLogits: true, reduction: 'meanWithSampleWeight' } as const;

/** A translation with its tokens. */
export interface Translation {
  text: string;
  /** The log-probability, divided by the length penalty. */
  score: number;
  sourceTokens: string[];
  tokens: string[];
  /** Attention weights: for each token, one weight per source token. */
  alignment: Float32Array[];
}

export class TranslateModel implements TaskModel {
  readonly pipeline: TranslatePipeline;
  /** Maps source ids [N, S] and previous target ids [N, T] (padding: 0) to logits [N, T, V] and alignments [N, T, S]. */
  readonly network: Functional;
  readonly options = OPTIONS;
  readonly pairs = true;
  readonly #source: SideEncoder;
  readonly #target: SideEncoder;

  constructor(pipeline: TranslatePipeline, network: Functional) {
    this.pipeline = pipeline;
    this.network = network;
    this.#source = SideEncoder.fromConfig(pipeline.source);
    this.#target = SideEncoder.fromConfig(pipeline.target);
  }

  /**
   * Loads a model from its files.
   * @param json the content of pipeline.json, if it has been read before
   * @throws UnrollError `format` if files are missing or damaged, or do not belong to a translator
   */
  static fromFiles(files: ReadonlyMap<string, Uint8Array>, json?: JsonObject): TranslateModel {
    const { pipeline, network } = readTranslator(files, json);
    return new TranslateModel(pipeline, network);
  }

  toFiles(training?: unknown): Promise<Map<string, Uint8Array>> {
    return toArtifact(this.network, { pipeline: this.pipeline, training });
  }

  get format(): string {
    return this.pipeline.format;
  }

  get about(): string {
    const { columns } = this.pipeline;
    const data =
      columns === null
        ? 'each line of the text file --data'
        : `each text in the column "${columns.source}" of --data`;
    return `Translates ${data}, or --text, with beam search.`;
  }

  /** The kind of data that the model reads: a text file if it was trained on parallel text files, otherwise a table. */
  get reads(): 'table' | 'file' {
    return this.pipeline.columns === null ? 'file' : 'table';
  }

  get sql(): string | undefined {
    return this.pipeline.sql;
  }

  /** The options with which the training file was parsed, if the user set any; see `TaskModel`. */
  get reading(): TranslatePipeline['reading'] {
    return this.pipeline.reading;
  }

  /** Returns the translations of texts. */
  async translate(texts: readonly string[], options: SearchOptions = {}): Promise<Translation[]> {
    return this.#translate(this.#tokenize(texts), options);
  }

  /**
   * Returns the perplexity of the target tokens, each given the source and the previous tokens: exp of the mean of -log p. Models
   * are comparable only if they have the same tokens.
   */
  async perplexity({ source, target }: Pick<Pairs, 'source' | 'target'>): Promise<number> {
    const encoder = this.#target;
    const pairs = {
      source: this.#tokenize(source).map(({ ids }) => ids),
      target: target.map((text) => targetIds(encoder, encoder.tokenizer.tokens(text))),
    };
    const batches = pairBatches(pairs, BATCH).map((rows) => batchOf(pairs, rows));
    const loss = { name: 'sparseCategoricalCrossentropy', ...LOSS_OPTIONS } as const;
    return Math.exp((await evaluate(this.network, batches, { loss: [loss, null] })).loss);
  }

  async predict(request: TaskRequest): Promise<TaskResult> {
    checkRequest(request, this, { takesTexts: true });
    const { rows, texts = [], file, options = {} } = request;
    checkFilled(texts);
    const all = [...texts, ...(file ? readLines(file) : []), ...(rows ? this.#sourcesOf(rows) : [])];
    if (all.length === 0)
      throw valueError('Translation needs texts: pass rows, a file or texts (--data or --text).');
    const tokenized = this.#tokenize(all);
    const notes = this.#notesOf(tokenized, rows?.source ?? file?.source ?? null);
    const translations = await this.#translate(tokenized, searchOptions(options));
    const columns = ['text', 'translation'];
    if (options.scores === true) columns.push('score');
    if (options.alignments === true) columns.push('alignment');
    return {
      columns,
      rows: translations.map((translation, i): TaskCell[] => [
        ...[all[i], translation.text],
        ...(options.scores === true ? [Number(translation.score.toPrecision(6))] : []),
        ...(options.alignments === true ? [alignmentText(translation)] : []),
      ]),
      notes,
      ...(options.alignments === true && { json: translations.map(alignmentJson) }),
    };
  }

  /** Returns the inputs of the network for a text and the translation that the model generates for it. `steps`: the source tokens. */
  async example({ rows, texts = [], file }: TaskRequest, row = 0): Promise<NetworkExample> {
    const all = [...texts, ...(file ? readLines(file) : []), ...(rows ? this.#sourcesOf(rows) : [])];
    checkRow(row, all.length, 'texts');
    const [source] = this.#tokenize([all[row]]);
    const [translation] = await this.#translate([source], {});
    const target = targetIds(this.#target, translation.tokens);
    const { x } = batchOf({ source: [source.ids], target: [target] }, Uint32Array.of(0));
    return {
      network: this.network,
      inputs: x,
      title: `${all[row]} → ${translation.text}`,
      steps: source.tokens,
    };
  }

  /** Returns BLEU, chrF, ROUGE and the perplexity. */
  async evaluate(request: TaskRequest): Promise<TaskScores> {
    checkRequest(request, { format: this.format, options: [] });
    const pairs = this.#pairsOf(request);
    const tokenized = this.#tokenize(pairs.source);
    const notes = this.#notesOf(tokenized, pairs.origin);
    const translations = (await this.#translate(tokenized, {})).map(({ text }) => text);
    const perplexity = await this.perplexity(pairs);
    const scores = { ...translateScores(translations, pairs.target, this.pipeline.bleu), perplexity };
    return {
      ...scoreTable(scores, pairs.source.length, this.pipeline.cell),
      metrics: metricsOf(scores),
      notes: [...notes, signatureNote(scores)],
    };
  }

  async pipe(input: unknown, options: TranslatePipeOptions = {}): Promise<TranslatedText[]> {
    return translatePipe(input, options, (texts, search) => this.translate(texts, search));
  }

  describe(): TaskFact[] {
    const { columns, cell, layers, units, level, source, target } = this.pipeline;
    return [
      { name: 'source', value: columns?.source ?? 'text file' },
      { name: 'target', value: columns?.target ?? 'text file' },
      { name: 'cell', value: cell },
      { name: 'layers', value: layers },
      { name: 'units', value: units },
      { name: 'tokens', value: level },
      { name: 'source vocabulary', value: source.vocabulary.tokens.length },
      { name: 'target vocabulary', value: target.vocabulary.tokens.length },
      { name: 'source length', value: source.length },
      { name: 'target length', value: target.length },
    ];
  }

  #sourcesOf(rows: NonNullable<TaskRequest['rows']>): string[] {
    const { columns } = this.pipeline;
    if (columns !== null) return readSources(rows, columns.source);
    throw valueError(
      'This model was trained on text files, got a table. Pass a text file with one text per line.',
    );
  }

  #pairsOf({ rows, file, target }: TaskRequest): Pairs {
    if (file !== undefined && target !== undefined) {
      return readPairs({ sourceFile: file, targetFile: target }, null);
    }
    const { columns } = this.pipeline;
    if (rows !== undefined && columns !== null) return readPairs({ table: rows }, columns);
    throw valueError(
      `evaluate needs sources and targets: ${columns === null ? '' : 'rows with both columns, or '}two parallel text files ` +
        '(--source-file and --target-file).',
    );
  }

  #tokenize(texts: readonly string[]): TokenizedText[] {
    return texts.map((text) => this.#source.read(text));
  }

  async #translate(sources: readonly TokenizedText[], options: SearchOptions): Promise<Translation[]> {
    const ids = sources.map((source) => source.ids);
    const limits = { maxLength: this.#target.length, allowUnknown: this.pipeline.level === 'words' };
    const decoded = await decodeTargets(this.network, ids, limits, options);
    return decoded.map((target, i) => this.#translationOf(target, sources[i].tokens));
  }

  /** Replaces each unknown word, such as a name, by the source word with the largest attention weight (Luong et al. 2015). */
  #translationOf({ ids, score, alignment }: DecodedTarget, sourceTokens: readonly string[]): Translation {
    const tokens = this.#target
      .tokensOf(ids)
      .map((token, t) => (ids[t] === UNKNOWN_ID ? sourceTokens[peakOf(alignment[t])] : token));
    return { text: this.#target.join(tokens), score, sourceTokens: [...sourceTokens], tokens, alignment };
  }

  /**
   * Returns notes on texts that are cut or consist of unknown tokens.
   * @throws UnrollError `data` if no text has a known token
   */
  #notesOf(texts: readonly TokenizedText[], origin: string | null): string[] {
    const tokenName = TOKEN_NAMES[this.pipeline.level];
    const unknown = texts.filter(({ ids }) => this.#source.isUnknown(ids)).length;
    if (unknown === texts.length) {
      throw new UnrollError(
        'data',
        `${origin === null ? 'The text' : origin} cannot be translated: none of its ${tokenName} occurs in the training data. ` +
          'Check the column and the language of the text.',
      );
    }
    const notes = [...this.#source.tokenizer.notes];
    if (unknown > 0) {
      notes.push(
        `${unknown} of ${texts.length} texts contain no known ${tokenName}, so the model can only guess their targets.`,
      );
    }
    const cut = texts.filter(({ isCut }) => isCut).length;
    if (cut > 0)
      notes.push(`${cut} of ${texts.length} texts are cut to ${this.#source.length} ${tokenName}.`);
    return notes;
  }
}

/** The tokens of each level, for messages. */
export const TOKEN_NAMES = { subwords: 'subwords', words: 'words', characters: 'characters' } as const;

/** Returns the options of the beam search. @throws UnrollError `value` for a negative length penalty */
export function searchOptions(options: NonNullable<TaskRequest['options']>): SearchOptions {
  const { beam, 'length-penalty': lengthPenalty } = options as Record<string, number | undefined>;
  if (lengthPenalty !== undefined && lengthPenalty < 0)
    throw valueError(`Option length-penalty must be at least 0, got ${lengthPenalty}.`, { lengthPenalty });
  return { ...(beam !== undefined && { beam }), ...(lengthPenalty !== undefined && { lengthPenalty }) };
}

/** Returns each target token with the source token that has the largest weight: `a=ein man=mann`. */
const alignmentText = ({ tokens, sourceTokens, alignment }: Translation): string =>
  tokens.map((token, t) => `${token}=${sourceTokens[peakOf(alignment[t])]}`).join(' ');

/** Returns the index of the largest weight. */
export const peakOf = (weights: ArrayLike<number>): number => {
  let best = 0;
  for (let i = 1; i < weights.length; i++) if (weights[i] > weights[best]) best = i;
  return best;
};

const alignmentJson = ({ tokens, sourceTokens, alignment }: Translation): Record<string, Json> => ({
  sourceTokens,
  tokens,
  weights: alignment.map((weights) => Array.from(weights, (weight) => Number(weight.toPrecision(4)))),
});
