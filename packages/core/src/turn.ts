/** Yields to the event loop, which keeps a page responsive during long work: timers, input and messages are processed. */
export function yieldToEventLoop(): Promise<void> {
  const global = globalThis as { setImmediate?: (work: () => void) => unknown };
  return new Promise((resolve) => {
    if (global.setImmediate) global.setImmediate(resolve);
    else if (resolvers.push(resolve) === 1) sendPort().postMessage(null);
  });
}

/** Milliseconds for which work may block the event loop: one frame at 60 frames per second. */
const MAX_BLOCKING = 16;
let lastYield = 0;

/**
 * Yields to the event loop if the last yield was at least {@link MAX_BLOCKING} ms ago. Not more often, because a yield
 * takes longer than a step of a small network.
 */
export async function yieldIfDue(): Promise<void> {
  if (performance.now() - lastYield < MAX_BLOCKING) return;
  await yieldToEventLoop();
  lastYield = performance.now();
}

interface Port {
  onmessage: (() => void) | null;
  postMessage(message: unknown): void;
}

const resolvers: (() => void)[] = [];
let port: Port | null = null;

/** Returns the sending port of the page's message channel. Unlike timers, messages have no minimum delay. */
function sendPort(): Port {
  if (port) return port;
  const global = globalThis as unknown as { MessageChannel: new () => { port1: Port; port2: Port } };
  const { port1, port2 } = new global.MessageChannel();
  port1.onmessage = () => {
    for (const resolve of resolvers.splice(0)) resolve();
  };
  return (port = port2);
}
