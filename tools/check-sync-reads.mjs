// Checks that only the functions listed below read tensors synchronously (dataSync, readSync, item, toArray,
// hostValues) in packages/*/src. All other code therefore also works on backends without synchronous reads. A list entry whose
// function has no synchronous read is an error, too. Not checked: the CPU backends, and testkit, which is not published.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

// Host memory: arrays of JavaScript, which can be read at any time, in contrast to the memory of a backend.
const HOST = 'values already in host memory';
const HOST_COPY = 'values that toHost has copied to host memory';

/** Why synchronous reads are allowed, by file and function. */
export const ALLOWED = {
  'core/src/ops/ctc.ts': {
    checkInputs: `targets and lengths: ${HOST}`,
    checkLengths: `lengths: ${HOST}`,
  },
  'core/src/ops/crf.ts': { checkTags: `tags and masks: ${HOST}` },
  'core/src/ops/likelihood.ts': {
    forward: 'computes in float64 on the CPU: these losses require a backend with synchronous reads',
  },
  'core/src/ops/pick.ts': { forEachChunk: `class indices: ${HOST}`, checkClasses: `class indices: ${HOST}` },
  'core/src/ops/recurrent.ts': { stepMasks: `masks: ${HOST}` },
  'core/src/ops/rows.ts': { gather: `ids: ${HOST}` },
  'core/src/rows.ts': { sliceRows: HOST_COPY, joinRows: HOST_COPY },
  'core/src/taken-rows.ts': { takeRows: HOST_COPY },
  'core/src/resident.ts': { readSynchronously: 'throws if the backend has no synchronous reads' },
  'core/src/tensor.ts': {
    dataSync: 'the public synchronous read',
    item: 'the public synchronous read',
    toArray: 'the public synchronous read',
    moveOut: 'only if the backend has synchronous reads; otherwise, values remain in its memory',
  },
  'insight/src/ablate.ts': {
    fixedCell: 'weights of a cell whose gate is forced, copied within a forward pass',
  },
  'insight/src/step-values.ts': {
    read: 'only if the backend has synchronous reads',
    collect: 'only if the backend has synchronous reads; otherwise, values leave the scope as tensors',
  },
  'insight/src/steps.ts': { lastValid: `masks: ${HOST}`, stepsOf: `masks: ${HOST}` },
  'nn/src/decoding/scheduled-sampling.ts': { scheduledSampling: `batches: ${HOST}` },
  'nn/src/decoding/ctc.ts': { sequencesOf: `results of predict: ${HOST}` },
  'nn/src/crf-decoding.ts': { scoresOf: HOST_COPY },
  'nn/src/layers/embedding.ts': { constructor: `pretrained vectors: ${HOST}`, call: `ids: ${HOST}` },
  'nn/src/layers/activation-regularization.ts': { pairMask: `masks: ${HOST}`, countValid: `masks: ${HOST}` },
  'nn/src/layers/dropout.ts': { call: `ids and masks: ${HOST}` },
  'nn/src/layers/masking.ts': { call: `inputs: ${HOST}` },
  'nn/src/layers/tensor-operation.ts': { maskOfLengths: `lengths: ${HOST}` },
  'nn/src/layers/windows.ts': { locateWindows: `masks: ${HOST}` },
  'nn/src/layers/window-layer.ts': {
    streamStep: 'the phase of a stream, which streamStep stored as a host tensor',
    joinMasks: `masks: ${HOST}`,
    lastSteps: `masks: ${HOST}`,
  },
  'nn/src/masks.ts': {
    readMask: `masks: ${HOST}`,
    startedMask: `masks: ${HOST}`,
    zeroMaskedSteps: `masks: ${HOST}`,
    anyMask: `masks: ${HOST}`,
  },
  'nn/src/layer.ts': {
    getWeights: 'public and synchronous, as in Keras; on other backends, await data() of each parameter',
  },
  'nn/src/weights.ts': {
    roundWeights: 'public and synchronous; for CPU kernels',
  },
  'train/src/fingerprint.ts': { fingerprint: HOST_COPY },
  'train/src/guard.ts': { findBadData: `batches: ${HOST}` },
  'train/src/losses/counts.ts': { checkCounts: `targets: ${HOST}` },
  'train/src/losses/crossentropy.ts': {
    checkProbabilities: `targets: ${HOST}`,
    checkClasses: `targets: ${HOST}`,
  },
  'train/src/losses/ctc.ts': { validStepsFirst: `masks: ${HOST}`, checkTargets: `targets: ${HOST}` },
  'train/src/losses/crf.ts': { checkTags: `tags and masks: ${HOST}` },
  'train/src/losses/loss.ts': { ignoredRows: `targets: ${HOST}` },
  'train/src/losses/row-factors.ts': {
    expandToRows: `masks and weights: ${HOST}`,
    combineWeights: `targets: ${HOST}`,
  },
  'train/src/losses/sampled-softmax.ts': { checkTokens: `targets: ${HOST}`, sampledRows: `targets: ${HOST}` },
  'train/src/losses/sequence.ts': {
    validSteps: `masks: ${HOST}`,
    paddingTest: `targets: ${HOST}`,
    targetMaskTest: `masks: ${HOST}`,
  },
  'train/src/metrics/label-error-rate.ts': { editsOf: `metric inputs: ${HOST}` },
  'train/src/metrics/crf.ts': { bestTags: `metric inputs: ${HOST}` },
  'train/src/time-steps.ts': {
    stepsOf: HOST_COPY,
    joinMasks: `masks: ${HOST}`,
    isFullyMasked: `masks: ${HOST}`,
  },
  'train/src/metrics/metric.ts': {
    alignElements: `metric inputs: ${HOST}`,
    alignClasses: `metric inputs: ${HOST}`,
  },
  'train/src/dirty-rows.ts': { mark: `ids: ${HOST}` },
  'tasks/src/tag/metric.ts': { sentencesOf: `metric inputs: ${HOST}` },
  'unrolljs/src/runnable.ts': { runnableOn: 'values that data() has copied to host memory' },
  'train/src/warnings.ts': {
    checkTargets: `targets: ${HOST}`,
    startsMasked: `masks: ${HOST}`,
    shortestLength: `masks: ${HOST}`,
  },
};

const UNCHECKED = ['core/src/cpu/', 'core/src/reference/', 'testkit/'];
const USE = /\.(?:dataSync|readSync|item|toArray)!?\(|(?<!function )\bhostValues\(/;
const DECLARATIONS = [
  /^(?:export )?(?:async )?function (\w+)/,
  /^(?:export )?const (\w+) = (?:async )?\(.*\)(?:: .+)? =>/,
  /^(?:(?:override|static|async|get|set|protected|private) )*#?(?!(?:if|for|while|switch|catch|return)\b)(\w+)\(.*\{$/,
];

const indentOf = (line) => line.length - line.trimStart().length;

/** Returns the name of the function that contains line `index`; `(top)` outside of functions. */
const functionAt = (lines, index) => {
  let indent = indentOf(lines[index]);
  for (let i = index - 1; i >= 0 && indent > 0; i--) {
    if (lines[i].trim() === '' || indentOf(lines[i]) >= indent) continue;
    const name = DECLARATIONS.map((form) => form.exec(lines[i].trim())?.[1]).find(Boolean);
    if (name) return name;
    // A line that starts with `)` ends a multi-line signature, whose first line has the same indentation.
    if (!/^\)/.test(lines[i].trim())) indent = indentOf(lines[i]);
  }
  return '(top)';
};

/** Returns all synchronous reads in the text of a file as { name, line }, with the name of the function. */
export const readsOf = (source) => {
  const lines = source.split('\n');
  return lines.flatMap((line, i) =>
    USE.test(line) && !/^\s*(?:\/\/|\/?\*)/.test(line) ? [{ name: functionAt(lines, i), line: i + 1 }] : [],
  );
};

const sourcesOf = (root) => {
  const packages = join(root, 'packages');
  return readdirSync(packages)
    .map((name) => join(packages, name, 'src'))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true })
        .filter((file) => file.endsWith('.ts'))
        .map((file) => relative(packages, join(folder, file)).split(sep).join('/')),
    )
    .filter((file) => !UNCHECKED.some((start) => file.startsWith(start)))
    .sort();
};

/** Returns all violations, one message each. */
export const checkSyncReads = (root, allowed = ALLOWED) => {
  const unused = new Set(
    Object.entries(allowed).flatMap(([file, names]) => Object.keys(names).map((name) => `${file} ${name}`)),
  );
  const unlisted = sourcesOf(root).flatMap((file) =>
    readsOf(readFileSync(join(root, 'packages', file), 'utf8')).flatMap(({ name, line }) => {
      unused.delete(`${file} ${name}`);
      if (allowed[file]?.[name]) return [];
      return [
        `packages/${file}:${line}: ${name} reads a tensor synchronously. Use await data() or await valuesOf() instead.`,
      ];
    }),
  );
  const superfluous = [...unused].map(
    (entry) => `${entry}: no synchronous reads. Remove the entry from tools/check-sync-reads.mjs.`,
  );
  return [...unlisted, ...superfluous];
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const errors = checkSyncReads(join(fileURLToPath(import.meta.url), '../..'));
  for (const line of errors) console.log(line);
  if (errors.length > 0) process.exitCode = 1;
  else console.log('all synchronous reads are on the list');
}
