/** Ctrl-C as an AbortSignal: a run that it stops writes its checkpoint first. */

/** A second SIGINT within so many milliseconds is the same key press: npm passes on what the terminal sent already. */
const AGAIN_MS = 500;

/**
 * A signal that the first Ctrl-C (SIGINT) fires: `fit({ signal, checkpointDir })` then ends after the step it is in and
 * writes its checkpoint, and the process is to exit with code 130. A second Ctrl-C, half a second later or more, ends the
 * process at once.
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
