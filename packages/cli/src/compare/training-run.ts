/**
 * Trains one model in a separate process. The metrics and times to compare are read from the events that the process prints.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { ComparedRun } from '@unroll/tasks';
import { UsageError } from '../shared/args.js';

/** One training run of a comparison. */
export interface TrainingRunRequest {
  task: string;
  /** The arguments of the task. */
  taskArguments: readonly string[];
  cell: string;
  seed: number;
  /** Folder for the model. */
  out: string;
  signal: AbortSignal;
}

export type TrainingRunResult = Omit<ComparedRun, 'cell' | 'seed' | 'quality' | 'latency'> & {
  /** The metrics of the result by name. */
  metrics: Readonly<Record<string, number>>;
};

/** An event that the process prints, with the fields that are used here. */
interface ReportedEvent {
  event: string;
  stage?: string;
  epoch?: number;
  validationLoss?: number | null;
  metrics?: Record<string, number>;
  model?: { parameters?: number };
  parameters?: number;
  peakMemory?: number;
  columns?: { name: string }[];
  rows?: (string | number | null)[][];
}

/** Trains a model and returns its metrics and times. @throws UsageError with the message of the process if it fails */
export async function trainingRun(request: TrainingRunRequest): Promise<TrainingRunResult> {
  const { task, taskArguments, cell, seed, out, signal } = request;
  const command =
    task === 'forecast'
      ? ['forecast', ...taskArguments, '--cells', cell]
      : ['train', task, ...taskArguments, '--cell', cell];
  // The n-gram model is the same for all cells and would hide the differences between them.
  const isText = task === 'classify' && taskArguments.some((arg) => /^--text(=|$)/.test(arg));
  if (isText && !taskArguments.includes('--no-ngrams')) command.push('--no-ngrams');
  const runOptions = ['--seed', String(seed), '--out', out, '--json', '--quiet'];
  // Runs the script of this process again. Its path may be a link in node_modules/.bin.
  const child = spawn(process.execPath, [process.argv[1], ...command, ...runOptions], { signal });
  const summary = new RunSummary(cell);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => summary.add(JSON.parse(line) as ReportedEvent));
  const ending = await new Promise<number | string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, killedBy) => resolve(code ?? killedBy ?? 1));
  });
  if (ending !== 0) throw new UsageError(failureMessage(errors, ending));
  return summary.result();
}

/**
 * Returns why a training failed: the message of the command, which follows any warnings of Node, or all of stderr.
 * @param ending the exit code, or the name of the signal that ended the process
 */
export function failureMessage(stderr: string, ending: number | string): string {
  const text = stderr.trim();
  const message = text.slice(Math.max(0, text.search(/^unroll: /m))).replace(/^unroll: /, '');
  if (message !== '') return message;
  return typeof ending === 'number'
    ? `The training ended with the exit code ${ending}.`
    : `The training was ended by the signal ${ending}.`;
}

/** Collects the events of a run. */
class RunSummary {
  readonly #cell: string;
  #start = performance.now();
  readonly #epochs: { epoch: number; loss: number; time: number }[] = [];
  #result: ReportedEvent = { event: 'result' };
  #scores: ReportedEvent | null = null;

  constructor(cell: string) {
    this.#cell = cell;
  }

  add(event: ReportedEvent): void {
    if (event.event === 'plan') this.#start = performance.now(); // Reading the data is not part of the training.
    if (event.event === 'epoch') {
      const { epoch = 0, validationLoss } = event;
      this.#epochs.push({
        epoch,
        loss: validationLoss ?? Number.NaN,
        time: performance.now() - this.#start,
      });
    }
    if (event.event === 'scores') this.#scores = event;
    if (event.event === 'result') this.#result = event;
  }

  result(): TrainingRunResult {
    const epochs = this.#epochs;
    const last = epochs.at(-1);
    // Each network of a run, and each stage of a forecast, counts its epochs from 1.
    const starts = epochs.flatMap(({ epoch }, i) => (i === 0 || epoch <= epochs[i - 1].epoch ? [i] : []));
    const lastTraining = epochs.slice(starts.at(-1));
    const best = lastTraining.reduce((a, b) => (b.loss < a.loss ? b : a), lastTraining[0]);
    const { metrics, model, parameters, peakMemory = 0 } = this.#result;
    return {
      parameters: model?.parameters ?? parameters ?? null,
      epochs: epochs.length,
      secondsPerEpoch: (last?.time ?? 0) / 1000 / Math.max(1, epochs.length),
      secondsToBest: (best?.time ?? 0) / 1000,
      memory: peakMemory,
      losses: epochs.slice(0, starts[1]).map(({ loss }) => loss),
      metrics: metrics ?? this.#forecastMetrics(),
    };
  }

  /** Returns the scores of the network in the leaderboard of a forecast, by column. */
  #forecastMetrics(): Record<string, number> {
    const { columns = [], rows = [] } = this.#scores ?? {};
    const scores = rows.find(([model]) => model === this.#cell) ?? [];
    return Object.fromEntries(
      columns.flatMap(({ name }, i) => (typeof scores[i] === 'number' ? [[name, scores[i]]] : [])),
    );
  }
}
