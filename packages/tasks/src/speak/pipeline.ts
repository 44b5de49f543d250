/** The content of `pipeline.json`, and the files of a voice. */
import type { JsonObject } from '@unroll/core/internal';
import type { Decimal, Thousands } from '@unroll/data';
import type { Functional } from '@unroll/nn';
import { checkPipeline, pipelineError, readNetwork, readPipeline } from '../shared/pipeline-file.js';
import type { SpeakCell } from './network.js';
import type { CharactersConfig } from './text.js';
import type { VoiceConfig } from './voice.js';

export const SPEAK_FORMAT = 'unroll-speak-1';

/** Largest number of frames per step of the decoder. */
export const MAX_REDUCTION = 16;
/** Largest accepted number of steps per character; no training sound has as many frames. */
const MAX_STEPS = 10_000;

export interface SpeakPipeline {
  format: typeof SPEAK_FORMAT;
  /** The options with which the training file was parsed, if the user set any. */
  reading?: { decimal?: Decimal; thousands?: Thousands; encoding?: string; header?: boolean } | undefined;
  /** If the training data was a folder: the pattern of the names of its files. */
  pattern?: string | undefined;
  /** Names of the columns with the texts and the sounds. */
  columns: { text: string; audio: string };
  text: CharactersConfig;
  voice: VoiceConfig;
  /** Frames per step of the decoder. */
  reduction: number;
  /** Largest number of decoder steps per character in the training data. Generated speech has at most twice as many steps, plus 5. */
  stepsPerCharacter: number;
  cell: SpeakCell;
  layers: number;
  units: number;
}

const REQUIRED_KEYS = [
  'columns',
  'text',
  'voice',
  'reduction',
  'stepsPerCharacter',
  'cell',
  'layers',
  'units',
];

/**
 * Reads the pipeline and the network of a saved voice.
 * @param json the content of pipeline.json, if it has been read before
 * @throws UnrollError `format` if files are missing or damaged, or do not belong to a voice
 */
export function readVoice(
  files: ReadonlyMap<string, Uint8Array>,
  json: JsonObject = readPipeline(files),
): { pipeline: SpeakPipeline; network: Functional } {
  const pipeline = checkPipeline<SpeakPipeline>(json, SPEAK_FORMAT, 'a voice', REQUIRED_KEYS);
  const network = readNetwork(files) as Functional;
  checkDecoder(pipeline, network);
  return { pipeline, network };
}

/** Checks the settings of the decoder. @throws UnrollError `format` if they are impossible or contradict the network */
function checkDecoder({ reduction, stepsPerCharacter, voice }: SpeakPipeline, network: Functional): void {
  if (!Number.isInteger(reduction) || reduction < 1 || reduction > MAX_REDUCTION)
    throw pipelineError(`reduction must be an integer from 1 to ${MAX_REDUCTION}`, reduction);
  if (!(typeof stepsPerCharacter === 'number' && stepsPerCharacter > 0 && stepsPerCharacter <= MAX_STEPS))
    throw pipelineError(
      `stepsPerCharacter must be a number above 0 and at most ${MAX_STEPS}`,
      stepsPerCharacter,
    );
  const mels = voice?.means?.length;
  const { inputs, outputs } = network;
  const widths = [inputs[1], outputs[0]].map((tensor) => tensor?.shape.at(-1));
  if (widths[0] === mels && widths[1] === reduction * mels) return;
  throw pipelineError(
    `reduction and the number of means must fit the network, which reads ${widths[0]} and returns ${widths[1]} values`,
    [reduction, mels],
  );
}
