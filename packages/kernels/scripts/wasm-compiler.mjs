// A worker of build-wasm.mjs: runs one LLVM command per message, with the WebAssembly build of LLVM in @yowasp/clang.
import { parentPort } from 'node:worker_threads';
import { commands, runLLVM } from '@yowasp/clang';

// Loads the compiler. Without fetchProgress it would print its progress.
const ready = runLLVM(undefined, {}, { fetchProgress: () => {} });

parentPort.on('message', async ({ command, args, files, output }) => {
  const text = [];
  const sink = (bytes) => bytes && text.push(Buffer.from(bytes).toString('utf8'));
  try {
    await ready;
    const outputs = await commands[command](args, files, { stdout: sink, stderr: sink, decodeASCII: false });
    parentPort.postMessage({ bytes: outputs[output], log: text.join('') });
  } catch (error) {
    parentPort.postMessage({ error: text.join('') || String(error) });
  }
});
