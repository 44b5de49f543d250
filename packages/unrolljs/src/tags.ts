/** The functions that decode tags, for `unrolljs`: they load all kernels. */
import { ready } from '@unroll/core';
import { tagDecoders } from './tag-decoding.js';

export const { decodeTags, nBestTags, tagMarginals } = /* @__PURE__ */ tagDecoders(ready);
