// Separate from wasm.ts, so that the types of this package do not need browser types such as WebAssembly.
import { KernelLoadError } from './types.js';

/** The prototype of the exports of an inference-only build: calling a kernel that the build does not have throws. */
export const missingKernels: object = /* @__PURE__ */ new Proxy(
  {},
  {
    get: (_target, name) => () => {
      throw new KernelLoadError(
        `this build of the kernels has no ${String(name)}: to train, import unrolljs instead of ` +
          'unrolljs/infer',
        'inference-only',
      );
    },
  },
);
