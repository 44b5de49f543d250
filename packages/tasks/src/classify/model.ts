/** The trained text classifier. `trainClassifier` returns it, and the commands save, load and run it. */
import { predictAll, valueError } from '@unroll/core';
import type { Table } from '@unroll/data';
import { toArtifact } from '@unroll/formats';
import type { Network } from '@unroll/nn';
import { cellError } from '../shared/cells.js';
import { checkRequest } from '../shared/request.js';
import type {
  TaskCell,
  TaskFact,
  TaskModel,
  TaskOption,
  TaskRequest,
  TaskResult,
  TaskScores,
} from '../shared/task.js';
import { padded, textBatches } from '../shared/text-batches.js';
import { TokenEncoder } from './encoder.js';
import { classesOf, readExamples, readTexts } from './examples.js';
import { type ClassifyPipeOptions, checkTexts, classifyPipe, type LabelScore } from './pipe.js';
import { type ClassifyPipeline, readClassifier } from './pipeline.js';
import { classifyScores, classTable, confusionTable, metricsOf, summaryTable } from './scores.js';

const OPTIONS: readonly TaskOption[] = [
  { name: 'probabilities', type: 'flag', help: 'also write the probability of each label' },
];
/** Texts per batch in inference. */
const BATCH = 128;

export class ClassifyModel implements TaskModel {
  readonly pipeline: ClassifyPipeline;
  /** Ids [N, T], with 0 as padding, to logits [N, labels]: one output for each of the networks that are averaged. */
  readonly network: Network;
  readonly options = OPTIONS;
  readonly #encoder: TokenEncoder;

  constructor(pipeline: ClassifyPipeline, network: Network) {
    this.pipeline = pipeline;
    this.network = network;
    this.#encoder = TokenEncoder.fromConfig(pipeline);
  }

  /**
   * Loads a model from its files.
   * @throws UnrollError `format` if files are missing or damaged, or do not belong to a classifier
   */
  static fromFiles(files: ReadonlyMap<string, Uint8Array>): ClassifyModel {
    const { pipeline, network } = readClassifier(files);
    return new ClassifyModel(pipeline, network);
  }

  toFiles(training?: unknown): Promise<Map<string, Uint8Array>> {
    return toArtifact(this.network, { pipeline: this.pipeline, training });
  }

  get format(): string {
    return this.pipeline.format;
  }

  get about(): string {
    return (
      `Predicts the label of each text in the column "${this.pipeline.text}" of --data, or of --text, with its probability. ` +
      `Labels: ${this.pipeline.labels.slice(0, 20).join(', ')}${this.pipeline.labels.length > 20 ? ', ...' : ''}.`
    );
  }

  get sql(): string | undefined {
    return this.pipeline.sql;
  }

  get reading(): ClassifyPipeline['reading'] {
    return this.pipeline.reading;
  }

  /** Returns the probabilities of the labels for each text: [text][label]. */
  async probabilities(texts: readonly string[]): Promise<Float64Array[]> {
    return this.#probabilitiesOf(texts.map((text) => this.#encoder.encode(text)));
  }

  async predict(request: TaskRequest): Promise<TaskResult> {
    checkRequest(request, this, { takesTexts: true });
    const { rows, texts = [] } = request;
    const all = [...texts, ...(rows === undefined ? [] : readTexts(rows, this.pipeline.text))];
    if (all.length === 0)
      throw valueError('Classification needs texts: pass rows or texts (--data or --text).');
    const empty = texts.findIndex((text) => text.trim() === '');
    if (empty >= 0) throw valueError('The text is empty. Pass a text with at least one word.');
    const ids = all.map((text) => this.#encoder.encode(text));
    const notes = [
      ...this.#encoder.tokenizer.notes,
      ...this.#unknownNotes(ids, texts.length === 0 ? rows : undefined),
    ];
    const { labels } = this.pipeline;
    const withAll = request.options?.probabilities === true;
    const columns = ['text', 'label', 'score', ...(withAll ? labels.map((label) => `p(${label})`) : [])];
    const probabilities = await this.#probabilitiesOf(ids);
    const results = probabilities.map((p, i): TaskCell[] => {
      const best = argmax(p);
      return [all[i], labels[best], round(p[best]), ...(withAll ? Array.from(p, round) : [])];
    });
    return { columns, rows: results, notes };
  }

  /** Returns accuracy, macro F1, the scores of each label and the confusion matrix. */
  async evaluate(request: TaskRequest): Promise<TaskScores> {
    checkRequest(request, { format: this.format, options: [] });
    const { rows } = request;
    if (rows === undefined) throw valueError('evaluate needs rows with texts and labels.');
    const { text, label, labels, cell } = this.pipeline;
    const examples = readExamples(rows, text, label);
    const actual = classesOf(rows, label, examples.labels, labels);
    const ids = examples.texts.map((each) => this.#encoder.encode(each));
    const notes = [...this.#encoder.tokenizer.notes, ...this.#unknownNotes(ids, rows)];
    const predicted = (await this.#probabilitiesOf(ids)).map(argmax);
    const scores = classifyScores(actual, predicted, labels);
    return {
      ...summaryTable(scores, actual.length, cell),
      tables: [
        { name: 'classes', title: 'Scores by label', ...classTable(scores) },
        { name: 'confusion', title: 'Confusion matrix', ...confusionTable(scores) },
      ],
      metrics: metricsOf(scores),
      notes,
    };
  }

  async pipe(input: unknown, options: ClassifyPipeOptions = {}): Promise<LabelScore[] | LabelScore[][]> {
    return classifyPipe(input as string, options, {
      labels: this.pipeline.labels,
      isSingle: (value) => !Array.isArray(value),
      scoresOf: (texts) => {
        checkTexts(texts);
        return this.probabilities(texts);
      },
    });
  }

  describe(): TaskFact[] {
    const { text, label, labels, cell, layers, units, tokenizer, vocabulary, length } = this.pipeline;
    return [
      { name: 'text', value: text },
      { name: 'label', value: label },
      { name: 'labels', value: [...labels] },
      { name: 'cell', value: cell },
      { name: 'layers', value: layers },
      { name: 'units', value: units },
      { name: 'tokenizer', value: tokenizer.kind },
      { name: 'vocabulary', value: vocabulary.tokens.length },
      { name: 'length', value: length },
    ];
  }

  /** Returns the probabilities of encoded texts, in their order. Texts of similar lengths share a batch. */
  async #probabilitiesOf(ids: readonly Int32Array[]): Promise<Float64Array[]> {
    const result: Float64Array[] = [];
    const { length } = this.pipeline.labels;
    for (const rows of textBatches(ids, BATCH)) {
      const outputs = await predictAll(this.network, padded(ids, rows));
      const logits = await Promise.all(outputs.map((output) => output.data()));
      for (const [i, row] of rows.entries()) {
        const each = logits.map((values) => softmax(values.subarray(i * length, (i + 1) * length)));
        result[row] = Float64Array.from(
          { length },
          (_, k) => each.reduce((sum, p) => sum + p[k], 0) / each.length,
        );
      }
    }
    return result;
  }

  /**
   * Returns a note on texts without any known token.
   * @param rows the rows of the texts, if they are from a table
   * @throws UnrollError `data` if no text of the rows has a known token
   */
  #unknownNotes(ids: readonly Int32Array[], rows?: Table): string[] {
    const unknown = ids.reduce((count, each) => count + Number(this.#encoder.isUnknown(each)), 0);
    if (unknown === 0) return [];
    const column = rows?.columns.find(({ name }) => name === this.pipeline.text);
    if (rows !== undefined && column !== undefined && unknown === ids.length) {
      const problem =
        'no word of the text occurs in the training data. Check the column and the language of the text.';
      throw cellError(rows, 0, column, problem);
    }
    return [`Texts in which no word is known, which the model can only guess: ${unknown} of ${ids.length}.`];
  }
}

const round = (value: number): number => Number(value.toPrecision(6));

/** Returns the index of the largest value. */
export const argmax = (values: ArrayLike<number>): number => {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
};

/** Converts logits to probabilities. */
function softmax(logits: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(logits);
  const largest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = values.map((value) => Math.exp(value - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
