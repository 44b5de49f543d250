// The command line with one more task: `echo`, which the tests of @unroll/tasks define. The argument `run` prints the events that
// a run of this task may report.
import { main } from '@unroll/cli';
import { Reporter } from '@unroll/cli/internal';
import { type RunEvent, TASKS, type Task } from '@unroll/tasks';

const path = new URL('../../../tasks/dist-test/echo/task.js', import.meta.url).href;
const { echoTask, EVENTS } = (await import(path)) as { echoTask: Task; EVENTS: readonly RunEvent[] };

const args = process.argv.slice(2);
if (args[0] === 'run') {
  const reporter = new Reporter({ json: args.includes('--json'), quiet: args.includes('--quiet') });
  for (const event of EVENTS) reporter.report(event);
} else process.exitCode = await main(args, [...TASKS, echoTask]);
