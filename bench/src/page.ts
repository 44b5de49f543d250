/**
 * The script of the benchmark's page in Chromium. It starts a worker for each engine and forwards messages between the
 * workers and the server. While one engine computes, the page and the other workers are idle.
 */
import type { Order, Report } from './protocol.js';

const workers = new Map<number, Worker>();

function send(engine: number, report: Report): void {
  void fetch(`/report/${engine}`, { method: 'POST', body: JSON.stringify(report) });
}

function start(engine: number, script: string): void {
  const worker = new Worker(script, { type: 'module' });
  worker.onmessage = ({ data }: MessageEvent<Report>) => send(engine, data);
  worker.onerror = ({ message }) => send(engine, { ended: message ?? `${script} could not be loaded` });
  workers.set(engine, worker);
}

// All engines share one stream: a browser opens at most six connections to a server, and an open stream is one of them.
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
// If the connection breaks, the server has ended, and nothing else would close this browser.
orders.onerror = () => close();
