/** The functions that decode tags, for `unrolljs/infer`: in a page, they load only the kernels for inference. */
import { readyToRun } from '#files';
import { tagDecoders } from './tag-decoding.js';

export const { decodeTags, nBestTags, tagMarginals } = /* @__PURE__ */ tagDecoders(readyToRun);
