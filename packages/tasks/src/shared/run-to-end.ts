/** Consumes the events of a run, for callers that need only its result. */
import type { RunEvent } from './events.js';

/** Returns the result of a run. @param onEvent function to call for every event. Default: none */
export async function runToEnd<R>(
  run: AsyncGenerator<RunEvent, R, void>,
  onEvent?: (event: RunEvent) => void,
): Promise<R> {
  try {
    for (;;) {
      const next = await run.next();
      if (next.done) return next.value;
      onEvent?.(next.value);
    }
  } finally {
    await run.return(undefined as never); // If onEvent throws, the training still saves its checkpoint.
  }
}
