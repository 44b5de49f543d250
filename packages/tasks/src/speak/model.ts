/** The trained voice. `trainVoice` returns it, and the commands save, load and run it. */
import { UnrollError, valueError } from '@unroll/core';
import type { JsonObject } from '@unroll/core/internal';
import type { Table } from '@unroll/data';
import { toArtifact } from '@unroll/formats';
import type { Functional } from '@unroll/nn';
import { filledTexts } from '../shared/cells.js';
import { checkRequest } from '../shared/request.js';
import { type Samples, soundsOf } from '../shared/sounds.js';
import type { TaskFact, TaskModel, TaskOption, TaskRequest, TaskResult, TaskScores } from '../shared/task.js';
import { decodeFrames, type SynthesisedSpectrogram } from './decode.js';
import { type SpeakPipeOptions, speakPipe } from './pipe.js';
import { readVoice, type SpeakPipeline } from './pipeline.js';
import { metricsOf, type SpeakScores, scoreTable, speakScores } from './scores.js';
import { Characters, END_ID, type EncodedCharacters } from './text.js';
import { type Spectrogram, Voice } from './voice.js';

const ITERATIONS = 32;
const OPTIONS: readonly TaskOption[] = [
  {
    ...{ name: 'iterations', type: 'integer', default: ITERATIONS },
    help: 'iterations of the Griffin-Lim algorithm, which turns spectrograms into sound',
  },
];

export class SpeakModel implements TaskModel {
  readonly pipeline: SpeakPipeline;
  /**
   * Maps characters [N, S] and previous frames [N, T, mels] to frames [N, T, reduction * mels], stop logits and alignments
   * [N, T, S].
   */
  readonly network: Functional;
  readonly options = OPTIONS;
  readonly writesSound = true;
  readonly #characters: Characters;
  readonly #voice: Voice;

  constructor(pipeline: SpeakPipeline, network: Functional) {
    this.pipeline = pipeline;
    this.network = network;
    this.#characters = new Characters(pipeline.text);
    this.#voice = new Voice(pipeline.voice);
  }

  /**
   * Loads a model from its files.
   * @param json the content of pipeline.json, if it has been read before
   * @throws UnrollError `format` if files are missing or damaged, or do not belong to a voice
   */
  static fromFiles(files: ReadonlyMap<string, Uint8Array>, json?: JsonObject): SpeakModel {
    const { pipeline, network } = readVoice(files, json);
    return new SpeakModel(pipeline, network);
  }

  toFiles(training?: unknown): Promise<Map<string, Uint8Array>> {
    return toArtifact(this.network, { pipeline: this.pipeline, training });
  }

  get format(): string {
    return this.pipeline.format;
  }

  get about(): string {
    return `Speaks the text of --text, or the texts in the column "${this.pipeline.columns.text}" of --data, and writes WAV files to --audio.`;
  }

  get audio(): string {
    return this.pipeline.columns.audio;
  }

  get pattern(): string | undefined {
    return this.pipeline.pattern;
  }

  /** The options with which the training file was parsed, if the user set any; see `TaskModel`. */
  get reading(): SpeakPipeline['reading'] {
    return this.pipeline.reading;
  }

  /**
   * Returns the sound of each text, as samples of one channel.
   * @throws UnrollError `value` for a text without a known character
   */
  async speak(texts: readonly string[], options: SpeakPipeOptions = {}): Promise<Samples[]> {
    const spectrograms = await this.spectrograms(this.#encodeTexts(texts).map(({ ids }) => ids));
    return this.#soundsOf(spectrograms, options.iterations ?? ITERATIONS);
  }

  /** @internal Returns the spectrograms of texts. @param texts ids of each text */
  spectrograms(texts: readonly Int32Array[]): Promise<SynthesisedSpectrogram[]> {
    const { reduction, stepsPerCharacter } = this.pipeline;
    return decodeFrames(this.network, texts, {
      ...{ reduction, mels: this.#voice.mels },
      maxSteps: (ids) => Math.ceil(2 * stepsPerCharacter * ids) + 5,
    });
  }

  /** @internal Returns the scores of synthesised spectrograms against recorded spectrograms. */
  scoresOf(synthesised: readonly SynthesisedSpectrogram[], recorded: readonly Spectrogram[]): SpeakScores {
    const decibels = (frames: Spectrogram) => ({
      length: frames.length,
      values: this.#voice.decibels(frames),
    });
    return speakScores(
      synthesised.map((spectrogram) => ({ ...decibels(spectrogram), stopped: spectrogram.stopped })),
      recorded.map(decibels),
    );
  }

  async predict(request: TaskRequest): Promise<TaskResult> {
    checkRequest(request, { ...this.#acceptedInputs, audio: undefined }, { takesTexts: true });
    const { rows, texts = [], options = {} } = request;
    const all = [...texts, ...(rows ? this.#textsOf(rows) : [])];
    if (all.length === 0)
      throw valueError('Speech synthesis needs texts: pass rows or texts (--data or --text).');
    const { iterations = ITERATIONS } = options as { iterations?: number };
    const encodedTexts = this.#encodeTexts(all);
    const spectrograms = await this.spectrograms(encodedTexts.map(({ ids }) => ids));
    const sounds = this.#soundsOf(spectrograms, iterations);
    return {
      columns: ['text', 'seconds'],
      rows: sounds.map(({ samples, sampleRate }, i) => [
        all[i],
        Number((samples.length / sampleRate).toFixed(3)),
      ]),
      notes: notesOf(encodedTexts, spectrograms),
      sounds,
    };
  }

  /** Returns the mel-cepstral distortion, the error of durations, and the share of texts at whose end the decoder stopped. */
  async evaluate(request: TaskRequest): Promise<TaskScores> {
    checkRequest(request, { ...this.#acceptedInputs, options: [] });
    const { rows } = request;
    if (rows === undefined) throw valueError('evaluate needs rows with texts and sounds.');
    const encodedTexts = this.#encodeTexts(this.#textsOf(rows));
    const recorded = soundsOf(rows, this.audio).map((sound) => this.#voice.encode(sound));
    const synthesised = await this.spectrograms(encodedTexts.map(({ ids }) => ids));
    const scores = this.scoresOf(synthesised, recorded);
    return {
      ...scoreTable(scores, synthesised.length, this.pipeline.cell),
      metrics: metricsOf(scores),
      notes: notesOf(encodedTexts, synthesised),
    };
  }

  pipe(input: unknown, options: SpeakPipeOptions = {}): Promise<Samples | Samples[]> {
    return speakPipe(input, options, (texts, settings) => this.speak(texts, settings));
  }

  describe(): TaskFact[] {
    const { columns, cell, layers, units, reduction, text, voice } = this.pipeline;
    return [
      { name: 'text', value: columns.text },
      { name: 'sound', value: columns.audio },
      { name: 'characters', value: text.characters.length },
      { name: 'cell', value: cell },
      { name: 'layers', value: layers },
      { name: 'units', value: units },
      { name: 'reduction', value: reduction },
      { name: 'sample rate', value: voice.features.sampleRate },
    ];
  }

  get #acceptedInputs() {
    return { format: this.format, options: this.options, audio: this.audio };
  }

  #textsOf(rows: Table): string[] {
    return filledTexts(rows, this.pipeline.columns.text, 'text', 'Remove the row.');
  }

  #encodeTexts(texts: readonly string[]): EncodedCharacters[] {
    return texts.map((text) => {
      const encoded = this.#characters.encode(text);
      if (encoded.ids.length > 1 || encoded.ids[0] !== END_ID) return encoded;
      const problem =
        text.trim() === ''
          ? 'The text is empty. Pass a text with at least one word.'
          : `None of its characters occurs in the training texts. Use these characters: ${listCharacters(this.#characters.config.characters)}.`;
      throw new UnrollError(
        'value',
        `The text ${JSON.stringify(text.slice(0, 40))} cannot be spoken. ${problem}`,
      );
    });
  }

  #soundsOf(spectrograms: readonly SynthesisedSpectrogram[], iterations: number): Samples[] {
    return spectrograms.map((spectrogram) => this.#voice.toSound(spectrogram, iterations));
  }
}

/** Lists the first characters, in quotes. */
const listCharacters = (characters: readonly string[], max = 40): string =>
  characters
    .slice(0, max)
    .map((character) => JSON.stringify(character))
    .join(', ') + (characters.length > max ? ', ...' : '');

/** Returns notes on skipped characters and on sounds that were cut off. */
function notesOf(
  encodedTexts: readonly EncodedCharacters[],
  spectrograms: readonly SynthesisedSpectrogram[],
): string[] {
  const unknown = [...new Set(encodedTexts.flatMap((text) => text.unknown))];
  const cut = spectrograms.filter(({ stopped }) => !stopped).length;
  return [
    ...(unknown.length === 0
      ? []
      : [`Characters that do not occur in the training texts are skipped: ${listCharacters(unknown, 10)}.`]),
    ...(cut === 0
      ? []
      : [
          `The decoder did not stop at the end of ${cut} of ${spectrograms.length} texts. Their sounds are cut off at the maximum length.`,
        ]),
  ];
}
