/** The trained transcriber. `trainTranscriber` returns it, and the commands save, load and run it. */
import { predictAll, tensor, valueError } from '@unroll/core';
import type { JsonObject } from '@unroll/core/internal';
import type { Table } from '@unroll/data';
import { toArtifact } from '@unroll/formats';
import type { Functional } from '@unroll/nn';
import { filledTexts } from '../shared/cells.js';
import { type EncodedSound, FrontEnd } from '../shared/front-end.js';
import { batchesOf } from '../shared/length-batches.js';
import { checkRequest } from '../shared/request.js';
import { readSound, type Sound, soundsOf } from '../shared/sounds.js';
import type {
  TaskFact,
  TaskModel,
  TaskOption,
  TaskOptionValue,
  TaskRequest,
  TaskResult,
  TaskScores,
} from '../shared/task.js';
import { alignLabels, type LabelSteps } from './align.js';
import { attendedWords, decodeSounds } from './attention.js';
import { type DecodeSettings, decodeLogits } from './decode.js';
import { stepsOf } from './network.js';
import { type TranscribePipeOptions, type Transcription, transcribePipe } from './pipe.js';
import { readTranscriber, type TranscribePipeline } from './pipeline.js';
import { metricsOf, scoreTable, transcribeScores } from './scores.js';
import { TranscribeStream } from './stream.js';
import { normalizeTranscript, TranscriptTokens } from './tokens.js';

const BEAM = 10;
const OPTIONS: readonly TaskOption[] = [
  {
    ...{ name: 'beam', type: 'integer', least: 1, default: BEAM },
    help: 'number of partial transcripts that the search keeps; 1 is greedy search',
  },
  { name: 'known-words', type: 'flag', help: 'write only words that occur in the training transcripts' },
  { name: 'timestamps', type: 'flag', help: 'also write when each word is spoken, in seconds' },
];
/** Sounds per batch in inference. */
const BATCH = 32;

/** A word of a transcript. */
export interface SpokenWord {
  word: string;
  /** Seconds from the start of the sound. */
  start: number;
  end: number;
}

/** The transcript of a sound. */
export interface Transcript {
  text: string;
  /** The words, with approximate times. */
  words: SpokenWord[];
}

export class TranscribeModel implements TaskModel {
  readonly pipeline: TranscribePipeline;
  /**
   * For CTC, maps frames [N, T, F] to logits [N, ceil(T / reduction), tokens + 1]; class 0 is the blank. For an attention decoder,
   * see attention.ts.
   */
  readonly network: Functional;
  readonly options = OPTIONS;
  readonly #frontEnd: FrontEnd;
  readonly #tokens: TranscriptTokens;

  constructor(pipeline: TranscribePipeline, network: Functional) {
    this.pipeline = pipeline;
    this.network = network;
    this.#frontEnd = new FrontEnd(pipeline.frontEnd);
    this.#tokens = new TranscriptTokens(pipeline.tokens);
  }

  /**
   * Loads a model from its files.
   * @param json the content of pipeline.json, if it has been read before
   * @throws UnrollError `format` if files are missing or damaged, or do not belong to a transcriber
   */
  static fromFiles(files: ReadonlyMap<string, Uint8Array>, json?: JsonObject): TranscribeModel {
    const { pipeline, network } = readTranscriber(files, json);
    return new TranscribeModel(pipeline, network);
  }

  toFiles(training?: unknown): Promise<Map<string, Uint8Array>> {
    return toArtifact(this.network, { pipeline: this.pipeline, training });
  }

  get format(): string {
    return this.pipeline.format;
  }

  get about(): string {
    const { columns, streaming } = this.pipeline;
    const streamingNote = streaming ? ' The model can transcribe sound while it arrives.' : '';
    return `Transcribes the WAV file of --audio, or the WAV files named in the column "${columns.audio}" of --data.${streamingNote}`;
  }

  get audio(): string {
    return this.pipeline.columns.audio;
  }

  get pattern(): string | undefined {
    return this.pipeline.pattern;
  }

  /** The options with which the training file was parsed, if the user set any; see `TaskModel`. */
  get reading(): TranscribePipeline['reading'] {
    return this.pipeline.reading;
  }

  /** Returns the transcripts of sounds. @throws UnrollError `value`, `format` or `data` for an invalid sound */
  transcribe(sounds: readonly Sound[], settings: Partial<DecodeSettings> = {}): Promise<Transcript[]> {
    const encoded = sounds.map((sound, n) => this.#frontEnd.encode(readSound(sound, `sound ${n + 1}`)));
    return this.transcribeEncoded(encoded, settings);
  }

  /**
   * Starts the transcription of a sound that arrives in chunks.
   * @param sampleRate sample rate in Hz
   * @throws UnrollError `value` if the model was not trained for streaming
   */
  stream(sampleRate: number, settings: Partial<DecodeSettings> = {}): TranscribeStream {
    if (!this.pipeline.streaming)
      throw valueError(
        'This model needs the whole sound. Train it with streaming: true (command line: --streaming).',
      );
    return new TranscribeStream(
      {
        frontEnd: this.#frontEnd,
        network: this.network,
        tokens: this.#tokens,
        reduction: this.pipeline.reduction,
      },
      sampleRate,
      { ...DEFAULTS, ...settings },
    );
  }

  soundStream(sampleRate: number, options: TaskRequest['options'] = {}): TranscribeStream {
    checkRequest({ options }, this);
    return this.stream(sampleRate, settingsOf(options));
  }

  /** @internal Transcribes encoded sounds, in their order. Sounds of similar lengths share a batch. */
  async transcribeEncoded(
    sounds: readonly EncodedSound[],
    settings: Partial<DecodeSettings> = {},
  ): Promise<Transcript[]> {
    const { beam, knownWords } = { ...DEFAULTS, ...settings };
    const { attention, reduction } = this.pipeline;
    if (attention) {
      if (knownWords)
        throw valueError(
          'knownWords is an option for CTC, but this model has an attention decoder. Omit the option (command line: --known-words).',
        );
      const parts = { frontEnd: this.#frontEnd, reduction, beam, maxLength: attention.maxLength };
      const decoded = await decodeSounds(this.network, sounds, parts);
      return decoded.map((transcript) => {
        const words = attendedWords(this.#tokens, transcript);
        return { text: this.#tokens.decode(transcript.ids), words: words.map((word) => this.#timed(word)) };
      });
    }
    const result: Transcript[] = [];
    const classes = this.#tokens.classes;
    for (const rows of batchesOf(sounds, BATCH)) {
      const { x, mask, lengths } = this.#frontEnd.batch(sounds, rows);
      const [logits] = await predictAll(this.network, x, mask && { mask });
      const values = Float32Array.from(await logits.data());
      const steps = lengths.map((length) => stepsOf(length, reduction));
      const ids = decodeLogits(tensor(values, logits.shape), steps, { beam, knownWords }, this.#tokens);
      const paddedSteps = logits.shape[1];
      for (const [i, row] of rows.entries()) {
        const start = i * paddedSteps * classes;
        result[row] = this.#transcriptOf(values.subarray(start, start + steps[i] * classes), ids[i]);
      }
    }
    return result;
  }

  #transcriptOf(scores: Float32Array, ids: readonly number[]): Transcript {
    const ranges = alignLabels(scores, this.#tokens.classes, ids) ?? [];
    const words = this.#tokens.wordsOf(ids).map(({ word, from, to }) => {
      const steps = { from: ranges[from]?.from ?? 0, to: ranges[to - 1]?.to ?? 0 };
      return this.#timed({ word, steps });
    });
    return { text: this.#tokens.decode(ids), words };
  }

  #timed({ word, steps }: { word: string; steps: LabelSteps }): SpokenWord {
    const seconds = (step: number): number =>
      Number(((step * this.pipeline.reduction) / this.#frontEnd.frameRate).toFixed(3));
    return { word, start: seconds(steps.from), end: seconds(steps.to) };
  }

  async predict(request: TaskRequest): Promise<TaskResult> {
    checkRequest(request, this);
    const { rows, sounds = [], options = {} } = request;
    if (rows === undefined && sounds.length === 0)
      throw valueError('Transcription needs sounds: pass rows or sounds (--data or --audio).');
    const all = [
      ...sounds.map((sound, n) => readSound(sound, `sound ${n + 1}`)),
      ...(rows ? soundsOf(rows, this.audio) : []),
    ];
    const encoded = all.map((sound) => this.#frontEnd.encode(sound));
    const transcripts = await this.transcribeEncoded(encoded, settingsOf(options));
    const hasTimes = options.timestamps === true;
    const timesOf = ({ words }: Transcript) =>
      words.map(({ word, start, end }) => `${word} ${start}-${end}`).join(', ');
    return {
      columns: ['sound', 'text', ...(hasTimes ? ['words'] : [])],
      rows: transcripts.map((transcript, i) => [
        all[i].name,
        transcript.text,
        ...(hasTimes ? [timesOf(transcript)] : []),
      ]),
      notes: [],
      ...(hasTimes && {
        json: transcripts.map(({ words }) => ({ words: words.map((word) => ({ ...word })) })),
      }),
    };
  }

  /** Returns word and character error rate, and the share of exact transcripts. */
  async evaluate(request: TaskRequest): Promise<TaskScores> {
    checkRequest(request, { format: this.format, options: [], audio: this.audio });
    const { rows } = request;
    if (rows === undefined) throw valueError('evaluate needs rows with sounds and transcripts.');
    const references = this.#references(rows);
    const encoded = soundsOf(rows, this.audio).map((sound) => this.#frontEnd.encode(sound));
    const texts = (await this.transcribeEncoded(encoded)).map(({ text }) => text);
    const scores = transcribeScores(texts, references);
    return { ...scoreTable(scores, texts.length, this.pipeline.cell), metrics: metricsOf(scores), notes: [] };
  }

  #references(rows: Table): string[] {
    const texts = filledTexts(rows, this.pipeline.columns.text, 'transcript', 'Remove the row.');
    return texts.map((text) => normalizeTranscript(text, this.pipeline.tokens.lowercase));
  }

  pipe(input: unknown, options: TranscribePipeOptions = {}): Promise<Transcription | Transcription[]> {
    return transcribePipe(input, options, (sounds, settings) => this.transcribe(sounds, settings));
  }

  describe(): TaskFact[] {
    const { columns, tokens, reduction, streaming, attention, cell, layers, units, frontEnd } = this.pipeline;
    return [
      { name: 'sound', value: columns.audio },
      { name: 'text', value: columns.text },
      { name: 'level', value: tokens.level },
      { name: 'tokens', value: tokens.tokens.length },
      { name: 'cell', value: cell },
      { name: 'layers', value: layers },
      { name: 'units', value: units },
      { name: 'decoder', value: attention ? 'attention' : 'ctc' },
      { name: 'streaming', value: streaming },
      { name: 'reduction', value: reduction },
      { name: 'sample rate', value: frontEnd.features.sampleRate },
    ];
  }
}

const DEFAULTS: DecodeSettings = { beam: BEAM, knownWords: false };

/** Returns the settings of the search. @throws UnrollError `value` for an invalid option */
function settingsOf(options: Readonly<Record<string, TaskOptionValue>>): DecodeSettings {
  const { beam = BEAM, 'known-words': knownWords = false } = options;
  if (Number(beam) < 1) throw valueError(`beam must be at least 1, got ${String(beam)}.`);
  return { beam: Number(beam), knownWords: knownWords === true };
}
