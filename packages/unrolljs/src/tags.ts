/** The decoders of taggers for `unrolljs`. */
import { ready } from '@unroll/core';
import { tagDecoders } from './tag-decoding.js';

export const { decodeTags, nBestTags, tagMarginals } = /* @__PURE__ */ tagDecoders(ready);
