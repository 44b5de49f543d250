/** Ctrl-C as an AbortSignal: an interrupted run writes its checkpoint first. */

/**
 * A second SIGINT within this many milliseconds is the same key press, because npm forwards the signal that the
 * terminal has already sent.
 */
const AGAIN_MS = 500;

/**
 * A signal that is aborted by the first Ctrl-C (SIGINT). `fit({ signal, checkpointDir })` then ends after the current
 * step and writes its checkpoint; the process should exit with code 130. A second Ctrl-C, at least half a second
 * later, ends the process immediately.
 */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) return;
    process.exitCode = 130;
    setTimeout(() => process.off('SIGINT', stop), AGAIN_MS).unref();
    controller.abort();
  };
  process.on('SIGINT', stop);
  return controller.signal;
}
