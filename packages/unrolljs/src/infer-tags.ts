/** The decoders of taggers for `unrolljs/infer`: they load the kernels for inference. */
import { readyToRun } from '#files';
import { tagDecoders } from './tag-decoding.js';

export const { decodeTags, nBestTags, tagMarginals } = /* @__PURE__ */ tagDecoders(readyToRun);
