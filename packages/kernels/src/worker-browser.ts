// A kernel thread of a WebAssembly build in the browser: a module worker whose first message is a WorkerStart.
import { enterPool, type WorkerStart } from './wasm.js';

addEventListener('message', (event: MessageEvent<WorkerStart>) => enterPool(event.data), { once: true });
