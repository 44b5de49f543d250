/** `unroll train tag`: its options, help and training. */
import { type ConlluColumn, parseConll, type TaggedSentences } from '@unroll/data';
import {
  prepareTagger,
  type RunEvent,
  TagModel,
  type TagOptions,
  tagEvents,
  tagPlanEvent,
  tagReport,
} from '@unroll/tasks';
import {
  choiceOption,
  integerOption,
  type OptionSpecs,
  type ParsedArgs,
  requiredText,
  textOption,
  UsageError,
} from '../shared/args.js';
import { type ReadOptions, readingOptions } from '../shared/reading-options.js';
import { readText } from '../shared/table-file.js';
import { networkArguments } from '../train/options.js';
import type { TrainableTask, TrainedModel, TrainingJob } from '../train/trainable.js';

const OPTIONS = {
  column: { type: 'string' },
  scheme: { type: 'string' },
  positive: { type: 'string' },
  networks: { type: 'string' },
} as const satisfies OptionSpecs;

const HELP = `Usage: unroll train tag --data <file> --out <folder> [options]

Trains a recurrent network that tags each token of a sentence, for example with named entities or
parts of speech. Reads CoNLL files (one token and its tag per line, separated by a tab or spaces,
and a blank line after each sentence) and CoNLL-U files of Universal Dependencies, also gzipped.

Data
  --data <file>         sentences to train on
  --valid <file>        sentences for validation (default: a tenth of the sentences)
  --column <n>          column with the tags: its number, from 1, or in CoNLL-U its name, such as
                        upos or xpos (default: the last column; in CoNLL-U, upos)
  --scheme <name>       how tags mark entities: bio, bioes, bmes, or none if each tag stands for
                        itself, as parts of speech do (default: detected from the tags)
  --positive <tag>      with --scheme none: the tag that is scored by F1 (default: the rarer one if
                        there are two tags)
  --networks <n>        number of networks, whose scores are averaged (default: 3; 1 for large data
                        sets)
`;

const COLUMNS: readonly ConlluColumn[] = ['lemma', 'upos', 'xpos', 'feats', 'head', 'deprel', 'deps', 'misc'];

export const tagTraining: TrainableTask = {
  about: 'tag each token of a sentence, for example with its part of speech',
  options: OPTIONS,
  help: HELP,
  unsupported: ['decimal', 'thousands', 'no-header'],
  metric: 'score',
  open,
};

async function open(args: ParsedArgs): Promise<TrainingJob> {
  const path = requiredText(args, 'data', 'file', 'the sentences to train on');
  const column = columnOption(args);
  const tagging = withoutUndefined({
    scheme: choiceOption(args, 'scheme', ['bio', 'bioes', 'bmes', 'none']),
    positive: textOption(args, 'positive'),
    networks: integerOption(args, 'networks'),
  });
  const network = { ...networkArguments(args), ...tagging };
  const reading = readingOptions(args);
  const validPath = textOption(args, 'valid');
  const read = (file: string) => {
    const { file: content, ...info } = readText(file, reading);
    const options = { source: content.source, ...(column !== undefined && { column }) };
    return { info, sentences: parseConll(content.text, options) };
  };
  const data = read(path);
  const valid = validPath === undefined ? undefined : read(validPath);
  const options: TagOptions = { ...network, ...(valid && { validation: valid.sentences }) };
  const { batchSize: batch, learningRate, ...others } = network;
  return {
    data: { ...data.info, path, rows: data.sentences.sentences.length },
    files: valid === undefined ? [data.info] : [data.info, valid.info],
    options: { column, ...others, batch, 'learning-rate': learningRate, ...reading },
    example: { texts: [data.sentences.sentences[0].tokens.join(' ')] },
    plan: () => tagPlanEvent(prepareTagger(data.sentences, options)),
    run: (control) => train(data.sentences, { ...options, ...control }, reading),
  };
}

/** Returns the options that are not undefined. */
const withoutUndefined = <T extends object>(
  options: T,
): Partial<{ [K in keyof T]: Exclude<T[K], undefined> }> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;

/** Returns the value of --column. @throws UsageError if it is invalid */
function columnOption(args: ParsedArgs): number | ConlluColumn | undefined {
  const text = textOption(args, 'column');
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  const name = COLUMNS.find((candidate) => candidate === text);
  if (name !== undefined) return name;
  throw new UsageError(
    `--column must be the number of a column, from 1, or one of ${COLUMNS.join(', ')}, got "${text}".`,
  );
}

async function* train(
  data: TaggedSentences,
  options: TagOptions,
  { encoding }: ReadOptions,
): AsyncGenerator<RunEvent, TrainedModel, void> {
  const result = yield* tagEvents(data, options);
  const { pipeline, network } = result.model;
  const { f1, accuracy } = result.scores;
  return {
    model:
      encoding === undefined ? result.model : new TagModel({ ...pipeline, reading: { encoding } }, network),
    record: {
      seed: options.seed ?? 0,
      epochs: result.trainings.map(({ bestEpoch }) => bestEpoch),
      ...{ f1, accuracy },
    },
    report: (run) => tagReport(result, run),
  };
}
