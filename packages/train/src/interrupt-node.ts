/** Converts Ctrl-C to an AbortSignal, so that an interrupted run writes its checkpoint before it ends. */

/**
 * A second SIGINT within this time belongs to the same key press: the terminal sends the signal to this process and to npm,
 * and npm forwards it.
 */
const SAME_KEYPRESS_MS = 500;

/**
 * Returns an AbortSignal. The first Ctrl-C (SIGINT) aborts it and sets the exit code of the process to 130;
 * `fit({ signal, checkpointDir })` then ends after the current step and writes its checkpoint. A second Ctrl-C, at least
 * half a second later, ends the process immediately.
 */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) return;
    process.exitCode = 130;
    setTimeout(() => process.off('SIGINT', stop), SAME_KEYPRESS_MS).unref();
    controller.abort();
  };
  process.on('SIGINT', stop);
  return controller.signal;
}
