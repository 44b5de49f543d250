// A kernel thread of a WebAssembly build in the browser: a module worker that gets what it needs as its first message.
import { enterPool, type WorkerStart } from './wasm.js';

addEventListener('message', (event: MessageEvent<WorkerStart>) => enterPool(event.data), { once: true });
