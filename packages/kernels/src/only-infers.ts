// Apart from wasm.ts, so that the types of this package need no names of browsers, such as WebAssembly.
import { KernelLoadError } from './types.js';

/** The prototype of an inference-only build's exports: calling any kernel that the build lacks throws. */
export const onlyInfers: object = /* @__PURE__ */ new Proxy(
  {},
  {
    get: (_target, name) => () => {
      throw new KernelLoadError(
        `this build of the kernels has no ${String(name)}: to train, import unrolljs instead of ` +
          'unrolljs/infer',
        'infers-only',
      );
    },
  },
);
