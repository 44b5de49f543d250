/** `unroll evaluate`: how good a saved model is on rows whose answers are known. */
import { taskName } from '@unroll/tasks';
import { type OptionSpecs, parseOptions, text, UsageError } from './args.js';
import { dataRows, openModel } from './predict-command.js';
import { READING_HELP, READING_OPTIONS } from './reading-options.js';
import { Reporter } from './reporter.js';
import type { Verb } from './verb.js';

const OPTIONS = {
  data: { type: 'string' },
  sql: { type: 'string' },
  ...READING_OPTIONS,
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const satisfies OptionSpecs;

const HELP = `Usage: unroll evaluate <model> --data <file> [options]

Scores a saved model on rows that it was not made from, with the metrics of the run that made it. A forecasting model
is scored on the rows after its own: it forecasts from each of them, knowing only the rows before.

  --data <file>         rows with the columns the model was made from, and with the values to compare with
  --sql <query>         another query over this file than the one that the model was made with
  --json                JSON events on stdout, people's text on stderr

${READING_HELP}`;

export const evaluate: Verb = {
  about: 'score a saved model on newer rows',
  help: () => HELP,
  async run(args, { tasks }) {
    const parsed = parseOptions(args, OPTIONS);
    const data = text(parsed, 'data');
    if (parsed.positionals.length !== 1 || data === undefined) {
      throw new UsageError('Which model, and which rows? unroll evaluate <model folder> --data <file>');
    }
    const model = await openModel(parsed.positionals[0], tasks);
    if (model.evaluate === undefined) {
      throw new UsageError(`A model of the task "${taskName(model.format)}" has no evaluation.`);
    }
    const reporter = new Reporter({ json: parsed.values.json === true, quiet: false });
    const { rows } = await dataRows(parsed, model, reporter);
    const { notes, ...scores } = await model.evaluate({ rows });
    for (const note of notes) reporter.tell({ event: 'note', text: note });
    reporter.tell({ event: 'scores', ...scores });
  },
};
