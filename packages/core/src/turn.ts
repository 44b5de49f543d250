/** Yields to the event loop (timers, input, messages), so that a page stays responsive between batches. */
export function nextTurn(): Promise<void> {
  const host = globalThis as { setImmediate?: (work: () => void) => unknown };
  return new Promise((resolve) => {
    if (host.setImmediate) host.setImmediate(resolve);
    else if (waiting.push(resolve) === 1) channel().postMessage(null);
  });
}

/** Milliseconds for which work may block the event loop: one frame of a page at 60 frames per second. */
const HOLD = 16;
let lastTurn = 0;

/**
 * Yields to the event loop if it has been blocked for a while. A yield costs more than a step of a small network, and
 * users do not notice a delay of a few milliseconds.
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
 * One message channel for the lifetime of the page: unlike timers, messages have no minimum delay.
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
