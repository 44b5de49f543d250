/** The trained classifier. `trainClassifier` returns it, and the commands save, load and run it. */
import { predictAll, valueError } from '@unroll/core';
import type { JsonObject } from '@unroll/core/internal';
import { toArtifact } from '@unroll/formats';
import type { Network } from '@unroll/nn';
import { type Clip, isClip } from '../shared/frames/clips.js';
import { checkTexts } from '../shared/pipe.js';
import { checkRequest, checkRow } from '../shared/request.js';
import type { Sound } from '../shared/sounds.js';
import type {
  NetworkExample,
  SoundPair,
  TaskCell,
  TaskFact,
  TaskModel,
  TaskOption,
  TaskRequest,
  TaskResult,
  TaskScores,
} from '../shared/task.js';
import { TokenEncoder } from './encoder.js';
import {
  type ClassifyEncoder,
  type EncodedExamples,
  type EncodedInput,
  inferenceBatches,
  type TitledInputs,
} from './inputs.js';
import { classesOf, readLabels } from './labels.js';
import { recurrentPart } from './network.js';
import { type ClassifyPipeOptions, classifyPipe, type LabelScore } from './pipe.js';
import { type ClassifyPipeline, encoderOf, readClassifier } from './pipeline.js';
import {
  bestWeight,
  meanOf,
  mixProbabilities,
  type ProbabilityParts,
  sigmoid,
  softmax,
} from './probabilities.js';
import {
  type ClassifyScores,
  classifyScores,
  detailTables,
  metricsOf,
  multiLabelScores,
  summaryTable,
} from './scores.js';
import { SequenceEncoder } from './sequences.js';
import { centered, embeddingsOf, verificationScores } from './verification.js';

/** What a request may pass instead of rows, by the kind of inputs; for an error message. */
const SOURCES = {
  text: 'texts (--data or --text)',
  sequence: 'texts (--data or --text)',
  sound: 'sounds (--data or --audio)',
  clip: 'clips (--data or --frames)',
};

const OPTIONS: readonly TaskOption[] = [
  { name: 'probabilities', type: 'flag', help: 'also write the probability of each label' },
];
/** If an input may have several labels, all labels with at least this probability are predicted. */
const THRESHOLD = 0.5;

export class ClassifyModel implements TaskModel {
  readonly pipeline: ClassifyPipeline;
  /**
   * Maps ids [N, T] (with 0 as padding), sequences or frames of sounds [N, T, F], or clips [N, T, height, width, channels] to
   * logits [N, labels]: one output for each of the networks that are averaged. With an n-gram model, the second input is the
   * n-grams of the texts [N, M], and the last output is the logits of the n-gram model.
   */
  readonly network: Network;
  readonly options = OPTIONS;
  readonly #encoder: ClassifyEncoder;

  constructor(pipeline: ClassifyPipeline, network: Network) {
    this.pipeline = pipeline;
    this.network = network;
    this.#encoder = encoderOf(pipeline);
  }

  /**
   * Loads a model from its files.
   * @param json the content of pipeline.json, if it has been read before
   * @throws UnrollError `format` if files are missing or damaged, or do not belong to a classifier
   */
  static fromFiles(files: ReadonlyMap<string, Uint8Array>, json?: JsonObject): ClassifyModel {
    const { pipeline, network } = readClassifier(files, json);
    return new ClassifyModel(pipeline, network);
  }

  toFiles(training?: unknown): Promise<Map<string, Uint8Array>> {
    return toArtifact(this.network, { pipeline: this.pipeline, training });
  }

  get format(): string {
    return this.pipeline.format;
  }

  get about(): string {
    const { kind, column } = this.#encoder;
    const { labels } = this.pipeline;
    const label = this.#isMultiLabel ? 'labels' : 'label';
    if (kind === 'sound') {
      return `Predicts the ${label} of the WAV file of --audio, or of the WAV files named in the column "${column}" of --data. Labels: ${listLabels(labels)}.`;
    }
    if (kind === 'clip') {
      const files = 'the clip of --frames (a folder of images, a GIF or an array), or of the clips';
      return `Predicts the ${label} of ${files} named in the column "${column}" of --data. Labels: ${listLabels(labels)}.`;
    }
    const source = kind === 'text' ? '--data, or of --text' : '--data, or of --text as JSON';
    return (
      `Predicts the ${label} of each ${kind} in the column "${column}" of ${source}, with its probability. ` +
      `Labels: ${listLabels(labels)}.`
    );
  }

  get audio(): string | undefined {
    return this.#encoder.kind === 'sound' ? this.#encoder.column : undefined;
  }

  get frames(): string | undefined {
    return this.#encoder.kind === 'clip' ? this.#encoder.column : undefined;
  }

  get pattern(): string | undefined {
    return 'audio' in this.pipeline ? this.pipeline.pattern : undefined;
  }

  get sql(): string | undefined {
    return this.pipeline.sql;
  }

  /** The options with which the training file was parsed, if the user set any; see `TaskModel`. */
  get reading(): ClassifyPipeline['reading'] {
    return this.pipeline.reading;
  }

  /** Whether an input may have several labels. */
  get #isMultiLabel(): boolean {
    return this.pipeline.multiLabel !== undefined;
  }

  /** Returns the probabilities of the labels for each text (or sequence as JSON): [text][label]. */
  async probabilities(texts: readonly string[]): Promise<Float64Array[]> {
    return this.probabilitiesOf(this.#encoder.readTexts(texts).encoded);
  }

  /** @internal Returns the probabilities of encoded inputs, in their order. */
  async probabilitiesOf(inputs: readonly EncodedInput[]): Promise<Float64Array[]> {
    const weight = this.#ngramWeight;
    const parts = await this.#probabilityParts(inputs);
    if (weight === null) return parts.map(([networks]) => networks);
    return parts.map(([networks, ngrams]) => mixProbabilities(networks, ngrams, weight));
  }

  /**
   * @internal Returns the weight for the n-gram model at which the loss on these examples is lowest. Called at the end of the
   * training, because it needs predictions of the trained model.
   */
  async bestNGramWeight(
    { inputs, classes }: EncodedExamples,
    classWeights: readonly number[] | null,
  ): Promise<number> {
    return bestWeight(await this.#probabilityParts(inputs), classes, {
      isMultiLabel: this.#isMultiLabel,
      classWeights,
    });
  }

  /** The weight of the n-gram model; null if there is none. */
  get #ngramWeight(): number | null {
    return 'text' in this.pipeline ? (this.pipeline.ngrams?.weight ?? null) : null;
  }

  /**
   * Returns, for each input, the mean probabilities of the networks and the probabilities of the n-gram model. Without an n-gram
   * model, the second element is not used.
   */
  async #probabilityParts(inputs: readonly EncodedInput[]): Promise<ProbabilityParts[]> {
    const result: ProbabilityParts[] = [];
    const { length } = this.pipeline.labels;
    const activation = this.#isMultiLabel ? sigmoid : softmax;
    for (const rows of inferenceBatches(this.#encoder, inputs, length)) {
      const { x, mask } = this.#encoder.batch(inputs, rows);
      const ngrams = this.#ngramWeight === null ? null : this.#encoder.ngramBatch?.(inputs, rows);
      const outputs = await predictAll(this.network, ngrams ? [x, ngrams] : x, mask && { mask });
      const logits = await Promise.all(outputs.map((output) => output.data()));
      for (const [i, row] of rows.entries()) {
        const probabilities = logits.map((values) =>
          activation(values.subarray(i * length, (i + 1) * length)),
        );
        const last = probabilities[probabilities.length - 1];
        result[row] = [meanOf(ngrams ? probabilities.slice(0, -1) : probabilities), last];
      }
    }
    return result;
  }

  async predict(request: TaskRequest): Promise<TaskResult> {
    checkRequest(request, this, { takesTexts: true });
    const { titles, encoded, notes } = this.#read(request);
    const { labels } = this.pipeline;
    const withAll = request.options?.probabilities === true;
    const result = this.#isMultiLabel ? ['labels', 'scores'] : ['label', 'score'];
    const columns = [
      ...[this.#encoder.kind, ...result],
      ...(withAll ? labels.map((label) => `p(${label})`) : []),
    ];
    const probabilities = await this.probabilitiesOf(encoded);
    const rows = probabilities.map((p, i): TaskCell[] => [
      titles[i],
      ...this.#labelCells(p),
      ...(withAll ? Array.from(p, round) : []),
    ]);
    const json = this.#isMultiLabel ? { json: probabilities.map((p) => this.#labelLists(p)) } : {};
    return { columns, rows, notes, ...json };
  }

  /** Returns the predicted labels and their probabilities as lists, best first. */
  #labelLists(probabilities: Float64Array): { labels: string[]; scores: number[] } {
    const ids = this.#decide(probabilities);
    return {
      labels: ids.map((id) => this.pipeline.labels[id]),
      scores: ids.map((id) => round(probabilities[id])),
    };
  }

  /**
   * Returns two cells: the predicted label and its probability. If an input may have several labels, the cells list all predicted
   * labels and their probabilities, best first.
   */
  #labelCells(probabilities: Float64Array): TaskCell[] {
    const { labels, scores } = this.#labelLists(probabilities);
    const { multiLabel } = this.pipeline;
    return multiLabel === undefined
      ? [labels[0], scores[0]]
      : [labels.join(multiLabel), scores.join(multiLabel)];
  }

  /** Returns the predicted classes, best first. */
  #decide(probabilities: Float64Array): number[] {
    if (!this.#isMultiLabel) return [argmax(probabilities)];
    const ids = Array.from(probabilities.keys()).filter((id) => probabilities[id] >= THRESHOLD);
    return ids.sort((a, b) => probabilities[b] - probabilities[a]);
  }

  async example(request: TaskRequest, row = 0): Promise<NetworkExample> {
    checkRequest(request, this, { takesTexts: true });
    const { titles, encoded } = this.#read(request);
    checkRow(row, encoded.length, `${this.#encoder.kind}s`);
    const { x, mask } = this.#encoder.batch(encoded, Uint32Array.of(row));
    const encoder = this.#encoder;
    const steps = encoder instanceof TokenEncoder ? { steps: encoder.tokensOf(encoded[row]) } : {};
    // The n-grams have no steps to show.
    return { network: recurrentPart(this.network), inputs: [x], mask, title: titles[row], ...steps };
  }

  /** Encodes the inputs of a request. */
  #read({ rows, texts = [], sounds = [], clips = [] }: TaskRequest): TitledInputs & { notes: string[] } {
    const { kind } = this.#encoder;
    if (texts.length + sounds.length + clips.length === 0 && rows === undefined) {
      const other = SOURCES[kind];
      const message = `Classification needs ${kind}s: pass rows or ${other}.`;
      throw valueError(message);
    }
    const fromTexts = this.#encoder.readTexts(texts);
    const fromSounds = this.#encoder.readSounds?.(sounds) ?? { titles: [], encoded: [] };
    const fromClips = this.#encoder.readClips?.(clips) ?? { titles: [], encoded: [] };
    const fromRows = rows === undefined ? { titles: [], encoded: [] } : this.#encoder.readTable(rows);
    const sources = [fromTexts, fromSounds, fromClips, fromRows];
    const encoded = sources.flatMap((source) => [...source.encoded]);
    const notes = this.#encoder.notes(encoded, texts.length === 0 ? rows : undefined);
    return { titles: sources.flatMap((source) => [...source.titles]), encoded, notes };
  }

  /**
   * Returns accuracy, macro F1, the scores of each label and the confusion matrix; for several labels per input, micro and
   * macro F1, the share of exact matches and the scores of each label.
   */
  async evaluate(request: TaskRequest): Promise<TaskScores> {
    checkRequest(request, { format: this.format, options: [] });
    const { rows } = request;
    const { kind } = this.#encoder;
    if (rows === undefined) throw valueError(`evaluate needs rows with ${kind}s and labels.`);
    const { label, labels, cell, multiLabel = null } = this.pipeline;
    const { encoded } = this.#encoder.readTable(rows);
    const actual = classesOf(rows, label, readLabels(rows, label, multiLabel), labels);
    const notes = this.#encoder.notes(encoded, rows);
    const scores = this.scores(actual, await this.probabilitiesOf(encoded));
    return {
      ...summaryTable(scores, actual.length, cell, `${kind}s`),
      tables: detailTables(scores, `${kind}s`),
      metrics: metricsOf(scores),
      notes,
    };
  }

  /** @internal Returns the predicted labels of an input with their probabilities, best first. */
  labelsOf(probabilities: Float64Array): LabelScore[] {
    const { labels, scores } = this.#labelLists(probabilities);
    return labels.map((label, i) => ({ label, score: scores[i] }));
  }

  /**
   * Returns an embedding of each sound: the maximum and the mean, over all steps, of the outputs of the last recurrent layer of
   * each network. The cosine of two embeddings (`cosineSimilarity` of unrolljs/audio) measures how similar the sounds are in what
   * the labels distinguish, such as the speaker.
   * @throws UnrollError `value` for a model that does not read sound; `value`, `format` or `data` for an invalid sound
   */
  async embed(sounds: readonly Sound[]): Promise<Float32Array[]> {
    const { readSounds } = this.#encoder;
    if (readSounds === undefined)
      throw valueError(`embed needs a model of sounds, got a model of ${this.#encoder.kind}s.`);
    const { encoded } = readSounds.call(this.#encoder, sounds);
    return embeddingsOf(this.network, this.#encoder, encoded);
  }

  /**
   * Returns the equal error rate of pairs of sounds. The score of a pair is the cosine of its two embeddings, from which
   * the mean embedding of all sounds in `pairs` has been subtracted.
   */
  async verify(pairs: readonly SoundPair[]): Promise<TaskScores> {
    // A sound that occurs in several pairs is read once.
    const sounds = [...new Set(pairs.flatMap(({ first, second }) => [first, second]))];
    const vectors = centered(await this.embed(sounds));
    const embeddings = new Map(sounds.map((sound, i) => [sound, vectors[i]]));
    const embeddingOf = (sound: Sound): Float32Array => embeddings.get(sound) ?? new Float32Array(0);
    return verificationScores(
      pairs,
      pairs.map(({ first, second }) => [embeddingOf(first), embeddingOf(second)] as const),
      this.pipeline.cell,
    );
  }

  /** @internal Returns the scores of predictions. @param actual classes of each input */
  scores(actual: readonly Int32Array[], probabilities: readonly Float64Array[]): ClassifyScores {
    const { labels } = this.pipeline;
    const predicted = probabilities.map((p) => this.#decide(p));
    if (this.#isMultiLabel) return multiLabelScores(actual, predicted, labels);
    return classifyScores(
      actual.map(([id]) => id),
      predicted.map(([id]) => id),
      labels,
    );
  }

  async pipe(input: unknown, options: ClassifyPipeOptions = {}): Promise<LabelScore[] | LabelScore[][]> {
    const encoder = this.#encoder;
    return classifyPipe(input, options, {
      labels: this.pipeline.labels,
      threshold: this.#isMultiLabel ? THRESHOLD : null,
      isSingle: (value) =>
        encoder instanceof SequenceEncoder
          ? encoder.isSingle(value)
          : encoder.kind === 'clip'
            ? isClip(value)
            : !Array.isArray(value),
      scoresOf: (inputs) => {
        if (encoder instanceof SequenceEncoder) return this.probabilitiesOf(encoder.encodeValues(inputs));
        if (encoder.readSounds !== undefined)
          return this.probabilitiesOf(encoder.readSounds(inputs as readonly Sound[]).encoded);
        if (encoder.readClips !== undefined)
          return this.probabilitiesOf(encoder.readClips(inputs as readonly Clip[]).encoded);
        checkTexts(inputs);
        return this.probabilities(inputs);
      },
    });
  }

  describe(): TaskFact[] {
    const { label, labels, cell, layers, units, multiLabel } = this.pipeline;
    return [
      { name: this.#encoder.kind, value: this.#encoder.column },
      { name: 'label', value: label },
      { name: 'labels', value: [...labels] },
      ...(multiLabel === undefined ? [] : [{ name: 'separator', value: multiLabel }]),
      { name: 'cell', value: cell },
      { name: 'layers', value: layers },
      { name: 'units', value: units },
      ...this.#encoder.properties(),
    ];
  }
}

const listLabels = (labels: readonly string[]): string =>
  labels.slice(0, 20).join(', ') + (labels.length > 20 ? ', ...' : '');

const round = (value: number): number => Number(value.toPrecision(6));

/** Returns the index of the largest value. */
export const argmax = (values: ArrayLike<number>): number => {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
};
