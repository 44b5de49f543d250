/** Ctrl-C as an AbortSignal: a run that it stops writes its checkpoint first. */

/**
 * A signal that the first Ctrl-C (SIGINT) fires: `fit({ signal, checkpointDir })` then ends after the step it is in and
 * writes its checkpoint, and the process is to exit with code 130. A second Ctrl-C ends the process at once.
 */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => {
    process.exitCode = 130;
    controller.abort();
  });
  return controller.signal;
}
