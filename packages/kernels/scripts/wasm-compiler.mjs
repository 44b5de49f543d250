// A worker of build-wasm.mjs: runs the LLVM that npm distributes as WebAssembly, one command a message.
import { parentPort } from 'node:worker_threads';
import { commands, runLLVM } from '@yowasp/clang';

// Reads the compiler itself; without a function here it reports its progress on stdout.
const ready = runLLVM(undefined, {}, { fetchProgress: () => {} });

parentPort.on('message', async ({ id, command, args, files, output }) => {
  const text = [];
  const sink = (bytes) => bytes && text.push(Buffer.from(bytes).toString('utf8'));
  try {
    await ready;
    const made = await commands[command](args, files, { stdout: sink, stderr: sink, decodeASCII: false });
    parentPort.postMessage({ id, bytes: made[output], log: text.join('') });
  } catch (error) {
    parentPort.postMessage({ id, error: text.join('') || String(error) });
  }
});
