// The evaluations on generated sentences for tools/quality.mjs. Transcribers and speech synthesisers are trained on sentences of a
// grammar of 60 words, which espeak-ng speaks (see made-sentences.mjs). Needs espeak-ng, but no data files.
import { makeTable } from '@unroll/data';
import { trainTranscriber, trainVoice } from '@unroll/tasks';
import { missingVoice, sentences, speakAll } from './made-sentences.mjs';

/** The voices of espeak-ng: two for training and validation, and one for the test set only. */
const VOICES = ['en-us', 'en-us+f3'];
const TEST_VOICE = 'en-us+m3';
const TRAINING = 3000;
const VALIDATION = 200;
const TEST = 300;
/**
 * Number of sentences on which a speech synthesiser is trained, and number of sentences that it speaks for validation and again for
 * the test.
 */
const SYNTHESIS_TRAINING = 1500;
const SYNTHESISED = 100;
/**
 * Largest number of epochs of a transcriber and of a speech synthesiser, so that the run of a seed takes less than 15 minutes
 * on two cores. The number of epochs is limited instead of the time, so that results do not depend on the load of the machine.
 */
const EPOCHS = 40;
const SYNTHESIS_EPOCHS = 30;

/** Returns sentences for training, validation and test; no sentence occurs twice. */
function splits() {
  const training = sentences(TRAINING, 1);
  const heldOut = sentences(VALIDATION + TEST, 2, new Set(training));
  return { training, validation: heldOut.slice(0, VALIDATION), test: heldOut.slice(VALIDATION) };
}

const tableOf = (source, sounds) =>
  makeTable({
    source,
    names: ['sound', 'text'],
    cells: [sounds.map(() => undefined), sounds.map(({ text }) => text)],
    nested: new Map([['sound', sounds]]),
  });

/** Transcribers by seed. Both evaluations use them, so each is trained only once. */
export const transcribers = new Map();

/** Returns the transcriber of a seed; trains it at the first call. */
export async function transcriberOf({ seed, onEvent }) {
  if (!transcribers.has(seed)) {
    const { training, validation } = splits();
    const train = await speakAll(training, { voices: VOICES, vary: true, seed: 1 });
    const run = await trainTranscriber(tableOf('train', train), {
      ...{ audio: 'sound', text: 'text', epochs: EPOCHS, seed, onEvent },
      validation: tableOf('valid', await speakAll(validation, { voices: VOICES })),
    });
    transcribers.set(seed, run);
  }
  return transcribers.get(seed);
}

/** Measures the word error rate of a transcriber on other sentences, spoken by a third voice. */
async function transcribe(run) {
  const { model, scores, training } = await transcriberOf(run);
  const test = await speakAll(splits().test, { voices: [TEST_VOICE] });
  const { metrics } = await model.evaluate({ rows: tableOf('test', test) });
  return { value: metrics.wer, validation: scores.wordErrorRate, epochs: [training.bestEpoch] };
}

/** Trains a speech synthesiser on sentences of one voice. */
export async function synthesiserOf({ seed, onEvent }) {
  const { training, validation } = splits();
  const spokenBy = (texts) => speakAll(texts, { voices: [VOICES[0]] });
  return trainVoice(tableOf('train', await spokenBy(training.slice(0, SYNTHESIS_TRAINING))), {
    ...{ audio: 'sound', text: 'text', epochs: SYNTHESIS_EPOCHS, seed, onEvent },
    validation: tableOf('valid', await spokenBy(validation.slice(0, SYNTHESISED))),
  });
}

/** Measures the word error rate of the transcriber on sentences that a trained speech synthesiser speaks. */
async function speak({ seed, onEvent }) {
  const { model: transcriber } = await transcriberOf({ seed: 0, onEvent });
  const start = performance.now();
  const run = await synthesiserOf({ seed, onEvent });
  const { validation, test } = splits();
  const errorRate = async (texts) => {
    const sounds = await run.model.speak(texts);
    const rows = tableOf(
      'synthesised',
      sounds.map((sound, i) => ({ ...sound, text: texts[i] })),
    );
    return (await transcriber.evaluate({ rows })).metrics.wer;
  };
  const validated = await errorRate(validation.slice(0, SYNTHESISED));
  const value = await errorRate(test.slice(0, SYNTHESISED));
  const seconds = Math.round((performance.now() - start) / 1000);
  return { value, validation: validated, epochs: [run.training.bestEpoch], seconds };
}

const WER = {
  ...{ folder: null, missing: missingVoice, seeds: [0, 1, 2], format: 'percent' },
  ...{ measure: 'word error rate', lower: true },
};

/** The evaluations. quality-results.mjs describes the fields. */
export const SPEECH = [
  {
    ...{ set: 'made-sentences', title: 'espeak-ng, 60 words, a voice that is not in the training data' },
    ...{ ...WER, must: 0.05, want: 0.02 },
    ...{ flags: '--audio sound --text text --epochs 40', evaluate: transcribe },
    split:
      '3,000 sentences of two voices for training, with noise and at different speeds; 200 other sentences for validation; 300 ' +
      'other sentences of a third voice for testing',
  },
  {
    ...{ set: 'speak', title: 'espeak-ng, synthesis of one voice', ...WER, must: 0.2, want: 0.08 },
    ...{ measure: 'word error rate of the transcriber', flags: '--audio sound --text text --epochs 30' },
    split:
      '1,500 sentences of one voice for training, 100 other sentences for validation and 100 for testing; the ' +
      'speech is transcribed by the model of made-sentences, seed 0, whose training is not part of the time',
    evaluate: speak,
  },
];
