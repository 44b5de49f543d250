/** The trained describer. `trainDescriber` returns it, and the commands save, load and run it. */
import { valueError } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';
import type { Table } from '@unroll/data';
import { toArtifact } from '@unroll/formats';
import type { Functional } from '@unroll/nn';
import { evaluate } from '@unroll/train';
import { type Clip, clipsOf, isClip, type NamedClip, readClip } from '../shared/frames/clips.js';
import { frameProperties } from '../shared/frames/description.js';
import { type EncodedClip, FrameEncoder, frameConfig } from '../shared/frames/encoder.js';
import { batchesOf, longestOf } from '../shared/length-batches.js';
import { checkRequest, checkRow } from '../shared/request.js';
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
import { type DecodedTarget, decodeInputs, type SearchOptions } from '../translate/decode.js';
import { SideEncoder, targetIds } from '../translate/encoder.js';
import { peakOf, SEARCH_OPTIONS, searchOptions } from '../translate/model.js';
import { signatureNote } from '../translate/scores.js';
import { batchOf, clipInputs, type DescribedClips } from './pairs.js';
import { type DescribedClip, type DescribePipeOptions, describePipe } from './pipe.js';
import { type DescribePipeline, readDescriber } from './pipeline.js';
import { sentencesOf } from './plan.js';
import { describeScores, metricsOf, scoreTable } from './scores.js';

const OPTIONS: readonly TaskOption[] = [
  ...SEARCH_OPTIONS.map((option) => ({ ...option, help: option.help.replace('translations', 'sentences') })),
  { name: 'scores', type: 'flag', help: 'also write the score of each sentence' },
  {
    name: 'alignments',
    type: 'flag',
    help: 'also write, for each word, the number of the frame with the largest attention weight; with --json, all weights',
  },
];

/** Clips per batch; fewer if the clips are large. */
const BATCH = 32;
const LOSS_OPTIONS = { fromLogits: true, reduction: 'meanWithSampleWeight' } as const;

/** The description of a clip. */
export interface Description {
  text: string;
  /** The log-probability, divided by the length penalty. */
  score: number;
  tokens: string[];
  /** Numbers of the frames that the network read, from 1. */
  frames: number[];
  /** Attention weights: for each token, one weight per frame. */
  alignment: Float32Array[];
}

export class DescribeModel implements TaskModel {
  readonly pipeline: DescribePipeline;
  /** Maps clips [N, F, height, width, channels] and previous ids [N, T] to logits [N, T, V] and alignments [N, T, F]. */
  readonly network: Functional;
  readonly options = OPTIONS;
  readonly #frames: FrameEncoder;
  readonly #target: SideEncoder;

  constructor(pipeline: DescribePipeline, network: Functional) {
    this.pipeline = pipeline;
    this.network = network;
    this.#frames = new FrameEncoder(frameConfig(pipeline));
    this.#target = SideEncoder.fromConfig(pipeline.target);
  }

  /**
   * Loads a model from its files.
   * @param json the content of pipeline.json, if it has been read before
   * @throws UnrollError `format` if files are missing or damaged, or do not belong to a describer
   */
  static fromFiles(files: ReadonlyMap<string, Uint8Array>, json?: JsonObject): DescribeModel {
    const { pipeline, network } = readDescriber(files, json);
    return new DescribeModel(pipeline, network);
  }

  toFiles(training?: unknown): Promise<Map<string, Uint8Array>> {
    return toArtifact(this.network, { pipeline: this.pipeline, training });
  }

  get format(): string {
    return this.pipeline.format;
  }

  get about(): string {
    return (
      'Describes the clip of --frames (a folder of images, a GIF or an array), or the clips named in the column ' +
      `"${this.frames}" of --data, with beam search.`
    );
  }

  get frames(): string {
    return this.pipeline.columns.frames;
  }

  get sql(): string | undefined {
    return this.pipeline.sql;
  }

  /** The options with which the training file was parsed, if the user set any; see `TaskModel`. */
  get reading(): DescribePipeline['reading'] {
    return this.pipeline.reading;
  }

  #batchSize(clips: readonly EncodedClip[]): number {
    return this.#frames.batchSize(BATCH, longestOf(clips));
  }

  /** @internal Describes encoded clips, in their order. */
  async describeClips(clips: readonly EncodedClip[], options: SearchOptions = {}): Promise<Description[]> {
    const limits = { maxLength: this.#target.length, allowUnknown: false };
    const inputs = clipInputs(this.#frames, clips, this.#batchSize(clips));
    const decoded = await decodeInputs(this.network, inputs, limits, options);
    return decoded.map((target, i) => this.#descriptionOf(target, clips[i]));
  }

  #descriptionOf({ ids, score, alignment }: DecodedTarget, clip: EncodedClip): Description {
    const tokens = this.#target.tokensOf(ids);
    const frames = this.#frames.indicesOf(clip).map((index) => clip.indices[index] + 1);
    return { text: this.#target.join(tokens), score, tokens, frames, alignment };
  }

  /** @internal Returns the perplexity of the tokens, each given the clip and the previous tokens: exp of the mean of -log p. */
  async perplexity(pairs: DescribedClips): Promise<number> {
    const size = this.#batchSize(pairs.clips);
    const batches = batchesOf(pairs.clips, size).map((rows) => batchOf(this.#frames, pairs, rows));
    const loss = { name: 'sparseCategoricalCrossentropy', ...LOSS_OPTIONS } as const;
    return Math.exp((await evaluate(this.network, batches, { loss: [loss, null] })).loss);
  }

  async predict(request: TaskRequest): Promise<TaskResult> {
    checkRequest(request, this);
    const { rows, clips = [], options = {} } = request;
    const namedClips = this.#read(rows, clips);
    const descriptions = await this.describeClips(this.#encode(namedClips), searchOptions(options));
    const columns = ['clip', 'description'];
    if (options.scores === true) columns.push('score');
    if (options.alignments === true) columns.push('alignment');
    return {
      columns,
      rows: descriptions.map((description, i): TaskCell[] => [
        ...[namedClips[i].name, description.text],
        ...(options.scores === true ? [Number(description.score.toPrecision(6))] : []),
        ...(options.alignments === true ? [alignmentText(description)] : []),
      ]),
      notes: [],
      ...(options.alignments === true && { json: descriptions.map(alignmentJson) }),
    };
  }

  /** Returns the inputs of the network for a clip and the description that the model generates for it. */
  async example({ rows, clips = [] }: TaskRequest, row = 0): Promise<NetworkExample> {
    const namedClips = this.#read(rows, clips);
    checkRow(row, namedClips.length, 'clips');
    const [clip] = this.#encode([namedClips[row]]);
    const [{ text, tokens }] = await this.describeClips([clip]);
    const pairs = { clips: [clip], target: [targetIds(this.#target, tokens)] };
    const { x } = batchOf(this.#frames, pairs, Uint32Array.of(0));
    return { network: this.network, inputs: x, title: `${namedClips[row].name} → ${text}` };
  }

  /** Returns the share of sentences that are exactly right, BLEU, chrF, ROUGE-L and the perplexity. */
  async evaluate(request: TaskRequest): Promise<TaskScores> {
    checkRequest(request, { format: this.format, options: [], frames: this.frames });
    const { rows } = request;
    if (rows === undefined) throw valueError('evaluate needs rows with clips and sentences.');
    const references = sentencesOf(rows, this.pipeline.columns.text);
    const clips = this.#encode(clipsOf(rows, this.frames));
    const texts = (await this.describeClips(clips)).map(({ text }) => text);
    const target = references.map((text) => targetIds(this.#target, this.#target.tokenizer.tokens(text)));
    const perplexity = await this.perplexity({ clips, target });
    const scores = describeScores(texts, references, { perplexity, bleu: this.pipeline.bleu });
    return {
      ...scoreTable(scores, texts.length, this.pipeline.cell),
      metrics: metricsOf(scores),
      notes: [signatureNote(scores)],
    };
  }

  async pipe(input: unknown, options: DescribePipeOptions = {}): Promise<DescribedClip[]> {
    return describePipe(input, options, {
      isSingle: isClip,
      describe: (clips, search) =>
        this.describeClips(this.#encode(this.#read(undefined, clips as readonly Clip[])), search),
    });
  }

  describe(): TaskFact[] {
    const { columns, level, target, cell, layers, units } = this.pipeline;
    return [
      { name: 'clip', value: columns.frames },
      { name: 'text', value: columns.text },
      { name: 'tokens', value: level },
      { name: 'vocabulary', value: target.vocabulary.tokens.length },
      { name: 'longest text', value: target.length },
      { name: 'cell', value: cell },
      { name: 'layers', value: layers },
      { name: 'units', value: units },
      ...frameProperties(this.pipeline),
    ];
  }

  /** Reads the rows and clips of a request. @throws UnrollError `value` if there are neither */
  #read(rows: Table | undefined, clips: readonly Clip[]): NamedClip[] {
    const all = [
      ...clips.map((clip, n) => readClip(clip, clips.length === 1 ? 'clip' : `clip ${n + 1}`)),
      ...(rows === undefined ? [] : clipsOf(rows, this.frames)),
    ];
    if (all.length === 0 && rows === undefined)
      throw valueError('Video description needs clips: pass rows or clips (--data or --frames).');
    return all;
  }

  #encode(clips: readonly NamedClip[]): EncodedClip[] {
    return clips.map((clip) => this.#frames.encode(clip));
  }
}

/** Returns each token with the number of the frame that has the largest weight: `moves=7 left=9`. */
const alignmentText = ({ tokens, frames, alignment }: Description): string =>
  tokens.map((token, t) => `${token}=${frames[peakOf(alignment[t])]}`).join(' ');

const alignmentJson = ({ tokens, frames, alignment }: Description): Record<string, Json> => ({
  tokens,
  frames,
  weights: alignment.map((weights) => Array.from(weights, (weight) => Number(weight.toPrecision(4)))),
});
