/** @unroll/formats: model files, read strictly. */
export {};
