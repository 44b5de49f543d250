// test.mjs preloads this file into the process of every test file. If a process exits before all of its
// tests have run, for example because a test calls process.exit, this file makes the process fail. Without it, Node would
// report success.
import { after } from 'node:test';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  process.env.NODE_OPTIONS = process.env.UNROLL_OUTER_NODE_OPTIONS ?? ''; // no preload in processes that tests start
  let finished = false;
  after(() => {
    finished = true;
  });
  process.on('exit', (code) => {
    if (finished) return;
    process.stderr.write('the process exited before all tests of this file had run\n');
    if (code === 0) process.exitCode = 97;
  });
}
