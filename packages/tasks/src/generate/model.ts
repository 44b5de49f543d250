/** The trained language model. `trainLanguageModel` returns it, and the commands save, load and run it. */
import { tensor, valueError } from '@unroll/core';
import { type JsonObject, yieldIfDue } from '@unroll/core/internal';
import { toArtifact } from '@unroll/formats';
import { generateTokens, type Network } from '@unroll/nn';
import { checkRequest, checkRow } from '../shared/request.js';
import type {
  GenerateRequest,
  NetworkExample,
  TaskCell,
  TaskFact,
  TaskModel,
  TaskOption,
  TaskOptionValue,
  TaskRequest,
  TaskResult,
  TaskScores,
} from '../shared/task.js';
import { type EncodedText, TextCodec, TOKEN_NAMES, UNKNOWN_ID } from './codec.js';
import {
  type GeneratedText,
  type GeneratePipeOptions,
  type GenerateStreamOptions,
  generatePipe,
  generateStream,
} from './pipe.js';
import { type LanguagePipeline, readLanguageModel } from './pipeline.js';
import { type LanguageScores, languageScores, languageTable, metricsOf } from './scores.js';

/** Defaults of the options of `predict` and `generate`. */
const DEFAULTS = { length: 200, temperature: 0.8, 'top-p': 1, seed: 0 };
/** The options of {@link LanguageModel.generate} and of `predict`. */
const OPTIONS: readonly TaskOption[] = [
  {
    ...{ name: 'length', type: 'integer', least: 1, default: DEFAULTS.length },
    help: 'number of characters, words or subwords to generate',
  },
  {
    ...{ name: 'temperature', type: 'number', default: DEFAULTS.temperature },
    help: 'at 1, samples from the model; lower values prefer likely tokens; 0 takes the most likely token',
  },
  {
    name: 'top-k',
    type: 'integer',
    least: 1,
    help: 'sample only from this number of most likely tokens (default: all)',
  },
  {
    ...{ name: 'top-p', type: 'number', default: DEFAULTS['top-p'] },
    help: 'sample from the most likely tokens whose probabilities add up to at least this',
  },
  { name: 'seed', type: 'integer', default: DEFAULTS.seed, help: 'random seed' },
];
/** Tokens of a prompt per forward pass. */
const CHUNK = 256;

export class LanguageModel implements TaskModel {
  readonly pipeline: LanguagePipeline;
  /** Maps ids [N, T] to logits [N, T, vocabulary]. */
  readonly network: Network;
  readonly options = OPTIONS;
  readonly reads = 'file';
  readonly #codec: TextCodec;

  constructor(pipeline: LanguagePipeline, network: Network) {
    this.pipeline = pipeline;
    this.network = network;
    this.#codec = TextCodec.fromConfig(pipeline);
  }

  /**
   * Loads a model from its files.
   * @param json the content of pipeline.json, if it has been read before
   * @throws UnrollError `format` if files are missing or damaged, or do not belong to a language model
   */
  static fromFiles(files: ReadonlyMap<string, Uint8Array>, json?: JsonObject): LanguageModel {
    const { pipeline, network } = readLanguageModel(files, json);
    return new LanguageModel(pipeline, network);
  }

  toFiles(training?: unknown): Promise<Map<string, Uint8Array>> {
    return toArtifact(this.network, { pipeline: this.pipeline, training });
  }

  get format(): string {
    return this.pipeline.format;
  }

  get about(): string {
    return (
      `Continues the text of --text, or the file of --data. unroll generate prints the same text while it is generated. ` +
      `The model generates ${TOKEN_NAMES[this.pipeline.level]}.`
    );
  }

  /** The options with which the training file was parsed, if the user set any; see `TaskModel`. */
  get reading(): LanguagePipeline['reading'] {
    return this.pipeline.reading;
  }

  /**
   * Generates the continuation of a text and yields it in pieces. The same request gives the same text.
   * @throws UnrollError `value` for invalid options
   */
  async *generate({
    prompt = '',
    options = {},
    signal,
  }: GenerateRequest = {}): AsyncGenerator<string, void, void> {
    checkRequest({ options }, this);
    const settings = samplingOf(options);
    const codec = this.#codec;
    const promptIds = codec.encode(prompt).ids;
    const decoder = codec.decoder(promptIds);
    const ids = [codec.start, ...promptIds];
    const stream = this.network.stream();
    // Chunks limit memory: a forward pass computes the scores of the whole vocabulary at every step.
    const last = ids.length - 1;
    for (let from = 0; from < last; from += CHUNK) {
      const chunk = ids.slice(from, Math.min(from + CHUNK, last));
      stream.push(tensor(chunk, [1, chunk.length]));
      await yieldIfDue();
    }
    const steps = generateTokens(stream, { prompt: ids.slice(-1), banned: [UNKNOWN_ID], ...settings });
    for await (const { tokens } of steps) {
      signal?.throwIfAborted();
      const [token] = tokens;
      const text = token === null ? '' : decoder.next(token);
      if (text !== '') yield text;
    }
    const ending = decoder.end();
    if (ending !== '') yield ending;
  }

  /** Returns the notes on a prompt, such as the number of unknown tokens. */
  notesOn(text: string): string[] {
    return [...this.#codec.tokenizer.notes, ...this.#unknownNotes(this.#codec.encode(text), 'the prompt')];
  }

  async predict(request: TaskRequest): Promise<TaskResult> {
    checkRequest(request, this, { takesTexts: true });
    const { texts = [], file, options = {} } = request;
    const prompts = [...texts, ...(file === undefined ? [] : [file.text])];
    if (prompts.length === 0)
      throw valueError('There is no text to continue. Pass a text or a file (--text or --data).');
    const rows: TaskCell[][] = [];
    for (const prompt of prompts) {
      let continuation = '';
      for await (const piece of this.generate({ prompt, options })) continuation += piece;
      rows.push([prompt, continuation]);
    }
    return { columns: ['text', 'continuation'], rows, notes: this.notesOn(prompts.join('\n')) };
  }

  /** Returns a line of the text as the input of the network: the start token and up to 255 tokens. */
  async example({ file, texts = [] }: TaskRequest, row = 0): Promise<NetworkExample> {
    const lines = [...texts, ...(file?.text.split(/\r?\n/) ?? [])].filter((line) => line.trim() !== '');
    checkRow(row, lines.length, 'lines');
    const codec = this.#codec;
    const ids = [codec.start, ...codec.encode(lines[row]).ids.subarray(0, CHUNK - 1)];
    const steps = codec.vocabulary.decode(ids, { keepSpecials: true });
    return { network: this.network, inputs: [tensor(ids, [1, ids.length])], title: lines[row], steps };
  }

  /** Returns the scores of an encoded text. */
  scores(text: EncodedText): Promise<LanguageScores> {
    return languageScores(this.network, this.#codec, text);
  }

  /** Returns perplexity, nats and bits per character of the text file. The state is carried through the whole text. */
  async evaluate(request: TaskRequest): Promise<TaskScores> {
    checkRequest(request, { format: this.format, options: [] });
    const { file } = request;
    if (file === undefined) throw valueError('evaluate needs a text file.');
    const text = this.#codec.encode(file.text);
    if (text.ids.length === 0) throw valueError(`${file.source} is empty. evaluate needs a text.`);
    const scores = await this.scores(text);
    const notes = [...this.#codec.tokenizer.notes, ...this.#unknownNotes(text, file.source)];
    return { ...languageTable(scores, this.pipeline.cell), metrics: metricsOf(scores), notes };
  }

  async pipe(input: unknown, options: GeneratePipeOptions = {}): Promise<GeneratedText[]> {
    return generatePipe(input, options, (request) => this.generate(request));
  }

  pipeStream(prompt: unknown, options: GenerateStreamOptions = {}): AsyncIterable<string> {
    return generateStream(prompt, options, (request) => this.generate(request));
  }

  describe(): TaskFact[] {
    const { level, vocabulary, cell, layers, units } = this.pipeline;
    return [
      { name: 'level', value: level },
      { name: 'vocabulary', value: vocabulary.tokens.length },
      { name: 'cell', value: cell },
      { name: 'layers', value: layers },
      { name: 'units', value: units },
    ];
  }

  #unknownNotes({ ids, unknown }: EncodedText, source: string): string[] {
    if (unknown === 0) return [];
    const share = ((100 * unknown) / ids.length).toPrecision(2);
    return [
      `${unknown} of ${ids.length} ${TOKEN_NAMES[this.pipeline.level]} of ${source} (${share} %) are not in the vocabulary. ` +
        'They are read and scored as <unk>.',
    ];
  }
}

/** Returns the options of `generateTokens`. */
function samplingOf(options: Readonly<Record<string, TaskOptionValue>>) {
  const value = { ...DEFAULTS, ...options } as Record<string, number>;
  const { length, temperature, seed, 'top-k': topK, 'top-p': topP } = value;
  if (length < 1) throw valueError(`length must be at least 1, got ${length}.`);
  if (temperature < 0) throw valueError(`temperature must not be negative, got ${temperature}.`);
  if (!(topP > 0 && topP <= 1)) throw valueError(`top-p must be above 0 and at most 1, got ${topP}.`);
  if (topK !== undefined && topK < 1) throw valueError(`top-k must be at least 1, got ${topK}.`);
  const isGreedy = temperature === 0;
  const tokenLimits = { ...(topK !== undefined && { topK }), ...(topP < 1 && { topP }) };
  return { maxLength: length, temperature, seed, ...(isGreedy ? {} : tokenLimits) };
}
