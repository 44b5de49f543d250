/** Runs the training of any task: checkpoints, progress, and the files of the model. */
import { basename } from 'node:path';
import { currentBackend, ready, setThreads } from '@unroll/core';
import type { ResultEvent, RunEvent } from '@unroll/tasks';
import { type ParsedArgs, UsageError } from '../shared/args.js';
import { checkWritable, writeAtomically } from '../shared/files.js';
import { Reporter } from '../shared/reporter.js';
import { openCheckpoints } from '../shared/resume.js';
import { version } from '../version.js';
import { runArguments } from './options.js';
import type { TrainableTask, TrainedModel, TrainingJob, TrainingResult } from './trainable.js';

const REPORT = 'report.html';
const MODEL_FILES = ['config.json', 'model.safetensors', 'pipeline.json', 'training.json'];
const STOPPED = 'Stopped. Run the same command with --resume to continue.';

/** Trains a model and writes it to the --out folder. @param name the name of the task */
export async function runTraining(
  name: string,
  task: TrainableTask,
  args: ParsedArgs,
  signal: AbortSignal,
): Promise<void> {
  const { out, resume, threads, json, quiet, dryRun } = runArguments(args);
  const reporter = new Reporter({ json, quiet });
  if (out !== undefined) checkWritable(out, [REPORT, ...MODEL_FILES]);
  const job = await task.open(args);
  for (const { notes } of job.files) for (const text of notes) reporter.report({ event: 'note', text });
  if (dryRun || out === undefined) return reporter.report(await job.plan());
  await ready();
  if (threads !== undefined) setThreads(threads);
  const data = job.files.map(({ fingerprint }) => fingerprint).join(' ');
  const store = openCheckpoints(out, resume, { task: name, options: job.options, data, version: version() });
  if (resume) {
    const missing = `no interrupted run found in ${out}, starting a new run`;
    reporter.print(`resume   ${store.resumed ? 'resuming the interrupted run' : missing}`);
  }
  const start = performance.now();
  const { event, ...trained } = await reportAll(job.run({ store, signal }), reporter).catch((error) => {
    throw signal.aborted ? new UsageError(STOPPED) : error;
  });
  const seconds = (performance.now() - start) / 1000;
  writeAtomically(out, await outputFiles(name, job, trained, seconds), MODEL_FILES);
  store.remove();
  reporter.print(`written  ${out}: the model and ${REPORT}`);
  const peakMemory = process.resourceUsage().maxRSS * 1024;
  reporter.report({ ...event, seconds: Number(seconds.toFixed(3)), peakMemory, out });
}

/** Reports the events of a run except the result event, which the caller reports after writing the files. */
async function reportAll(
  run: AsyncGenerator<RunEvent, TrainedModel, void>,
  reporter: Reporter,
): Promise<TrainingResult> {
  let event: ResultEvent = { event: 'result' };
  try {
    for (;;) {
      const next = await run.next();
      if (next.done) return { ...next.value, event };
      if (next.value.event === 'result') event = next.value;
      else reporter.report(next.value);
    }
  } finally {
    reporter.clearBar();
    await run.return(undefined as never);
  }
}

/** Returns the contents of all output files, by name. */
async function outputFiles(
  task: string,
  { data, options }: TrainingJob,
  { model, record, report }: TrainedModel,
  seconds: number,
): Promise<Map<string, string | Uint8Array>> {
  const backend = currentBackend().description;
  const { path, rows, fingerprint: sha256 } = data;
  const file = { file: basename(path), ...(rows !== undefined && { rows }), sha256 };
  const training = { command: `train ${task}`, options, data: file, ...record, backend, seconds };
  return new Map<string, string | Uint8Array>([
    [REPORT, report({ backend, seconds })],
    ...(await model.toFiles(training)),
  ]);
}
