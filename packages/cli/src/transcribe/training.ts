/** `unroll train transcribe`: its options, help and training. */
import { nestedValues, type Table } from '@unroll/data';
import {
  prepareTranscriber,
  type RunEvent,
  type SoundFile,
  TranscribeModel,
  type TranscribeOptions,
  transcribeEvents,
  transcribePlanEvent,
  transcribeReport,
} from '@unroll/tasks';
import {
  choiceOption,
  integerOption,
  type OptionSpecs,
  type ParsedArgs,
  requiredText,
} from '../shared/args.js';
import { openSoundData, type SoundData, storedReading } from '../shared/sound-data.js';
import { SOUND_HELP, SOUND_OPTIONS, soundArguments } from '../shared/sound-options.js';
import { networkArguments } from '../train/options.js';
import type { TrainableTask, TrainedModel, TrainingJob } from '../train/trainable.js';

const OPTIONS = {
  ...SOUND_OPTIONS,
  text: { type: 'string' },
  level: { type: 'string' },
  decoder: { type: 'string' },
  streaming: { type: 'boolean' },
  reduction: { type: 'string' },
} as const satisfies OptionSpecs;

const HELP = `Usage: unroll train transcribe --data <file> --audio <column> --text <column> --out <folder>
                               [options]
       unroll train transcribe --data <folder> --pattern "{text}_{speaker}_{take}.wav"
                               --text <field> --out <folder> [options]

Trains a recurrent network that transcribes speech. Reads WAV files and their transcripts, which
need not be aligned with the sound: the network uses connectionist temporal classification (CTC) or
an attention decoder.

Data
  --data <file>         rows to train on
  --audio <column>      column with the paths of WAV files, relative to the file of --data
  --text <column>       column with the transcripts
  --pattern <pattern>   pattern of the file names if --data is a folder of WAV files; each {field}
                        is a column
  --valid <file>        rows for validation (default: a tenth of the rows, at most 1,000)
  --level <name>        tokens of the model: characters or words (default: words if the transcripts
                        have at most 100 different words and each occurs at least 20 times on
                        average; otherwise characters)
  --decoder <name>      ctc, or attention: a decoder that attends to the whole sound and needs more
                        training data (default: ctc)
  --streaming           train a model that can transcribe sound while it arrives (--normalize is
                        then none)
  --reduction <n>       frames (10 ms) per output step (default: 4, 2 or 1, depending on the
                        transcripts)
${SOUND_HELP}`;

export const transcribeTraining: TrainableTask = {
  about: 'transcribe speech',
  options: OPTIONS,
  help: HELP,
  unsupported: ['embedding'],
  open,
};

async function open(args: ParsedArgs): Promise<TrainingJob> {
  const text = requiredText(args, 'text', 'column', 'the column with the transcripts');
  const network = networkArguments(args);
  const speechOptions = {
    ...soundArguments(args),
    level: choiceOption(args, 'level', ['characters', 'words']),
    decoder: choiceOption(args, 'decoder', ['ctc', 'attention']),
    streaming: args.values.streaming === true ? true : undefined,
    reduction: integerOption(args, 'reduction'),
  };
  const givenOptions = Object.fromEntries(
    Object.entries(speechOptions).filter(([, value]) => value !== undefined),
  );
  const { path, audio, pattern, reading, data, valid } = await openSoundData(args);
  const options: TranscribeOptions = {
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
    example: { sounds: nestedValues(data.table, audio).slice(0, 1) as SoundFile[] },
    plan: () => transcribePlanEvent(prepareTranscriber(data.table, options)),
    run: (control) => train(data.table, { ...options, ...control }, { reading, pattern }),
  };
}

async function* train(
  table: Table,
  options: TranscribeOptions,
  read: Pick<SoundData, 'reading' | 'pattern'>,
): AsyncGenerator<RunEvent, TrainedModel, void> {
  const result = yield* transcribeEvents(table, options);
  const { pipeline, network } = result.model;
  const { wordErrorRate, characterErrorRate } = result.scores;
  return {
    model: new TranscribeModel({ ...pipeline, ...storedReading(read) }, network),
    record: {
      seed: options.seed ?? 0,
      epochs: [result.training.bestEpoch],
      ...{ wordErrorRate, characterErrorRate },
    },
    report: (run) => transcribeReport(result, run),
  };
}
