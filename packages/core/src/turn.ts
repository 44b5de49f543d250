/** Lets the event loop take a turn (timers, input, messages), so that a page stays alive between batches. */
export function nextTurn(): Promise<void> {
  const host = globalThis as { setImmediate?: (work: () => void) => unknown };
  return new Promise((resolve) => {
    if (host.setImmediate) host.setImmediate(resolve);
    else if (waiting.push(resolve) === 1) channel().postMessage(null);
  });
}

/** So long, in milliseconds, work may hold the event loop: a frame of a page at 60 a second. */
const HOLD = 16;
let lastTurn = 0;

/**
 * Gives the event loop a turn if it has had none for a while. A turn costs more than a step of a small network, and
 * nobody notices waiting for some milliseconds.
 */
export async function nextTurnIfDue(): Promise<void> {
  if (performance.now() - lastTurn < HOLD) return;
  await nextTurn();
  lastTurn = performance.now();
}

interface Port {
  onmessage: (() => void) | null;
  postMessage(message: unknown): void;
}

const waiting: (() => void)[] = [];
let port: Port | null = null;

/**
 * One message channel for the page's life: a message is a turn without the minimum delay that timers have.
 */
function channel(): Port {
  if (port) return port;
  const host = globalThis as unknown as { MessageChannel: new () => { port1: Port; port2: Port } };
  const { port1, port2 } = new host.MessageChannel();
  port1.onmessage = () => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  return (port = port2);
}
