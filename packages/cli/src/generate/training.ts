/** `unroll train generate`: its options, help and training. */
import {
  LanguageModel,
  type LanguageModelOptions,
  languageModelEvents,
  languageModelPlanEvent,
  languageModelReport,
  prepareLanguageModel,
  type RunEvent,
  type TextFile,
} from '@unroll/tasks';
import {
  choiceOption,
  integerOption,
  numberOption,
  type OptionSpecs,
  type ParsedArgs,
  requiredText,
  textOption,
} from '../shared/args.js';
import { readingOptions } from '../shared/reading-options.js';
import { readText } from '../shared/table-file.js';
import { networkArguments } from '../train/options.js';
import type { TrainableTask, TrainedModel, TrainingJob } from '../train/trainable.js';

const OPTIONS = {
  level: { type: 'string' },
  subwords: { type: 'string' },
  'weight-drop': { type: 'string' },
  steps: { type: 'string' },
} as const satisfies OptionSpecs;

const HELP = `Usage: unroll train generate --data <file> --out <folder> [options]

Trains a language model on a text file (also gzipped): a recurrent network that predicts the next
character, word or subword. unroll generate continues a text with the model; unroll evaluate
computes its perplexity, and its nats and bits per character.

Data
  --data <file>         text to train on
  --valid <file>        text for validation (default: 5 to 10 % of the text)
  --level <name>        tokens of the model: char, word or subword (default: char)
  --subwords <n>        size of the subword vocabulary (default: 1,000 to 8,000, depending on the
                        length of the text)
  --weight-drop <rate>  dropout rate of the recurrent weights, from 0 to below 1
  --steps <n>           length of truncated backpropagation through time in tokens (default: 64
                        characters, or 50 words or subwords)
`;

export const generateTraining: TrainableTask = {
  about: 'generate text with a character-, word- or subword-level language model',
  options: OPTIONS,
  help: HELP,
  unsupported: ['decimal', 'thousands', 'no-header'],
  units: 'hidden units per layer',
  batch: 'number of parallel streams into which the text is cut',
  open,
};

async function open(args: ParsedArgs): Promise<TrainingJob> {
  const path = requiredText(args, 'data', 'file', 'the text to train on');
  const { batchSize, ...network } = networkArguments(args);
  const givenOptions = {
    level: choiceOption(args, 'level', ['char', 'word', 'subword']),
    subwords: integerOption(args, 'subwords', 257),
    weightDrop: numberOption(args, 'weight-drop', 'from 0 to below 1', (rate) => rate >= 0 && rate < 1),
    steps: integerOption(args, 'steps'),
    streams: batchSize,
  };
  const { encoding } = readingOptions(args);
  const reading = encoding === undefined ? {} : { encoding };
  const validPath = textOption(args, 'valid');
  const data = readText(path, reading);
  const valid = validPath === undefined ? undefined : readText(validPath, reading);
  const options: LanguageModelOptions = {
    ...network,
    ...Object.fromEntries(Object.entries(givenOptions).filter(([, value]) => value !== undefined)),
    ...(valid && { validation: valid.file }),
  };
  const { learningRate, ...others } = network;
  const { weightDrop, streams, ...tokens } = givenOptions;
  const training = { batch: streams, 'learning-rate': learningRate, 'weight-drop': weightDrop };
  return {
    data: { ...data, path },
    files: valid === undefined ? [data] : [data, valid],
    options: { ...others, ...tokens, ...training, ...reading },
    example: { texts: [data.file.text.slice(0, 100)], options: { length: 1 } },
    plan: () => languageModelPlanEvent(prepareLanguageModel(data.file, options)),
    run: (control) => train(data.file, { ...options, ...control }, reading),
  };
}

async function* train(
  file: TextFile,
  options: LanguageModelOptions,
  reading: { encoding?: string },
): AsyncGenerator<RunEvent, TrainedModel, void> {
  const result = yield* languageModelEvents(file, options);
  const { pipeline, network } = result.model;
  const { natsPerCharacter, perplexity } = result.scores;
  let sample = '';
  for await (const piece of result.model.generate({ options: { length: 500 } })) sample += piece;
  return {
    model:
      reading.encoding === undefined ? result.model : new LanguageModel({ ...pipeline, reading }, network),
    record: { seed: options.seed ?? 0, epochs: [result.training.bestEpoch], natsPerCharacter, perplexity },
    report: (run) => languageModelReport(result, sample, run),
  };
}
