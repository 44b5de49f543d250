/**
 * The page that Chromium shows: a worker for every engine that the server asks for, and the way between the two. While an
 * engine computes, the others wait for messages, and so does this.
 */
import type { Order, Report } from './protocol.js';

const workers = new Map<number, Worker>();

function send(engine: number, report: Report): void {
  void fetch(`/report/${engine}`, { method: 'POST', body: JSON.stringify(report) });
}

function start(engine: number, script: string): void {
  const worker = new Worker(script, { type: 'module' });
  worker.onmessage = ({ data }: MessageEvent<Report>) => send(engine, data);
  worker.onerror = ({ message }) => send(engine, { lost: message ?? `${script} did not load` });
  workers.set(engine, worker);
}

// One stream for all engines: a browser opens no more than six connections to a server, and waiting ones count.
const orders = new EventSource('/orders');
orders.onmessage = ({ data }: MessageEvent<string>) => {
  const order = JSON.parse(data) as Order;
  if ('start' in order) start(order.engine, order.start);
  else if ('request' in order) workers.get(order.engine)?.postMessage(order.request);
  else {
    workers.get(order.engine)?.terminate();
    workers.delete(order.engine);
  }
};
// The server is gone, and with it who would end this browser.
orders.onerror = () => close();
