// Apart from wasm.ts, so that the types of this package need no names of browsers, such as WebAssembly.
import { KernelLoadError } from './types.js';

/** Stands behind what an inference-only build has: whatever else is called says so. */
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
