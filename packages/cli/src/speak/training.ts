/** `unroll train speak`: its options, help and training. */
import type { Table } from '@unroll/data';
import {
  prepareVoice,
  type RunEvent,
  SpeakModel,
  type SpeakOptions,
  speakEvents,
  speakPlanEvent,
  speakReport,
} from '@unroll/tasks';
import {
  integerOption,
  numberOption,
  type OptionSpecs,
  type ParsedArgs,
  requiredText,
} from '../shared/args.js';
import { openSoundData, type SoundData, storedReading } from '../shared/sound-data.js';
import { networkArguments } from '../train/options.js';
import type { TrainableTask, TrainedModel, TrainingJob } from '../train/trainable.js';

const OPTIONS = {
  text: { type: 'string' },
  audio: { type: 'string' },
  pattern: { type: 'string' },
  mels: { type: 'string' },
  rate: { type: 'string' },
  reduction: { type: 'string' },
  sampling: { type: 'string' },
} as const satisfies OptionSpecs;

const HELP = `Usage: unroll train speak --data <file> --text <column> --audio <column> --out <folder> [options]
       unroll train speak --data <folder> --pattern "{text}_{take}.wav" --text <field>
                          --out <folder> [options]

Trains a recurrent network that speaks texts in the voice of the recordings. The network converts
characters to a spectrogram (Tacotron), which is then converted to a WAV file (Griffin-Lim). A clean
voice and sentences of a few seconds work best.

Data
  --data <file>         rows to train on
  --text <column>       column with the texts
  --audio <column>      column with the paths of WAV files, relative to the file of --data
  --pattern <pattern>   pattern of the file names if --data is a folder of WAV files; each {field}
                        is a column
  --valid <file>        rows for validation (default: a tenth of the rows, at most 300)

Sound
  --mels <n>            number of mel filters (default: 80)
  --rate <hz>           sample rate of the speech (default: the most common rate of the recordings,
                        at most 16,000)
  --reduction <n>       frames of 12.5 ms per step of the decoder (default: 4)
  --sampling <rate>     scheduled sampling: the largest share of steps in training at which the
                        decoder reads its own previous frame instead of the recorded one, from 0 to
                        below 1 (default: 0.3)
`;

export const speakTraining: TrainableTask = {
  about: 'synthesise speech from texts',
  options: OPTIONS,
  help: HELP,
  units: 'hidden units per decoder layer; half as many per direction of the encoder',
  open,
};

async function open(args: ParsedArgs): Promise<TrainingJob> {
  const text = requiredText(args, 'text', 'column', 'the column with the texts');
  const network = networkArguments(args);
  const speechOptions = {
    mels: integerOption(args, 'mels'),
    sampleRate: integerOption(args, 'rate'),
    reduction: integerOption(args, 'reduction'),
    sampling: numberOption(args, 'sampling', 'from 0 to below 1', (rate) => rate >= 0 && rate < 1),
  };
  const givenOptions = Object.fromEntries(
    Object.entries(speechOptions).filter(([, value]) => value !== undefined),
  );
  const { path, audio, pattern, reading, data, valid } = await openSoundData(args);
  const options: SpeakOptions = {
    ...{ audio, text, ...network, ...givenOptions },
    ...(valid && { validation: valid.table }),
  };
  const { batchSize: batch, learningRate, ...others } = network;
  return {
    data: { ...data, path, rows: data.table.rowCount },
    files: valid === undefined ? [data] : [data, valid],
    options: {
      audio,
      text,
      pattern,
      ...givenOptions,
      ...others,
      batch,
      'learning-rate': learningRate,
      ...reading,
    },
    plan: () => speakPlanEvent(prepareVoice(data.table, options)),
    run: (control) => train(data.table, { ...options, ...control }, { reading, pattern }),
  };
}

async function* train(
  table: Table,
  options: SpeakOptions,
  read: Pick<SoundData, 'reading' | 'pattern'>,
): AsyncGenerator<RunEvent, TrainedModel, void> {
  const result = yield* speakEvents(table, options);
  const { pipeline, network } = result.model;
  return {
    model: new SpeakModel({ ...pipeline, ...storedReading(read) }, network),
    record: { seed: options.seed ?? 0, epochs: [result.training.bestEpoch], ...result.scores },
    report: (run) => speakReport(result, run),
  };
}
