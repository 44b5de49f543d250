// A kernel thread of a WebAssembly build in Node.
import { workerData } from 'node:worker_threads';
import { enterPool, type WorkerStart } from './wasm.js';

enterPool(workerData as WorkerStart);
