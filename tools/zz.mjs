import { mkdirSync, writeFileSync } from 'node:fs';
import { ready, setThreads } from '@unroll/core';
import { transcriberOf } from './quality-speech.mjs';

await ready();
setThreads(1);
const t0 = performance.now();
const run = await transcriberOf({
  seed: 0,
  onEvent(e) {
    if (e.event === 'plan') console.log('plan', (performance.now() - t0) / 1000, process.cpuUsage());
    if (e.event === 'epoch')
      console.log(
        e.epoch,
        e.loss,
        e.validationLoss,
        ((performance.now() - t0) / 1000).toFixed(0),
        (process.cpuUsage().user / 1e6).toFixed(0),
      );
  },
});
mkdirSync('/tmp/tr', { recursive: true });
for (const [n, b] of await run.model.toFiles()) writeFileSync('/tmp/tr/' + n, b);
console.log(run.scores, run.training.bestEpoch, (performance.now() - t0) / 1000, process.cpuUsage());
console.log(
  run.transcripts.map((t, i) => [run.plan.validationRows[i].text, t.text]).filter(([a, b]) => a !== b),
);
