/**
 * @unroll/data: tables, times, windows, scalers, baselines, sound, tokenizers, word vectors, and metrics of forecasts, texts and
 * labels. It runs in browsers, because it uses no Node modules.
 */
export * from './audio/index.js';
export { seasonallyAdjustedNaive } from './baselines/adjusted-naive.js';
export { crostonSba, fittedCroston, isIntermittent } from './baselines/croston.js';
export { isSeasonal } from './baselines/decompose.js';
export { type EtsForm, type EtsParameters, ets, fitEts, fittedEts } from './baselines/ets.js';
export type { FitBaseline, FittedBaseline } from './baselines/fitted.js';
export { drift, naive, seasonalNaive } from './baselines/simple.js';
export { fitTheta, theta } from './baselines/theta.js';
export {
  type ConllOptions,
  type ConlluColumn,
  parseConll,
  type TaggedSentence,
  type TaggedSentences,
} from './conll.js';
export { type CsvOptions, parseCsv } from './csv.js';
export { type DecodedText, decodeText } from './decode.js';
export {
  addPeriods,
  anchorFrequency,
  describeFrequency,
  type Frequency,
  inferFrequency,
  parseFrequency,
  periodsBetween,
} from './frequency.js';
export { type ImageShape, resizeArea } from './images/resize.js';
export { looksLikeJson, parseJsonLines } from './json-lines.js';
export { looksLikeParquet } from './looks-like-parquet.js';
export { mae, mape, mase, r2, rmse, rmsse, smape, wmape } from './metrics.js';
export {
  cellNumber,
  type Decimal,
  isMissing,
  type NumberFormat,
  type NumberOptions,
  type Thousands,
} from './number-format.js';
export {
  type BucketOptions,
  bucketByLength,
  type LengthSummary,
  type Padded,
  type PadOptions,
  padSequences,
  type Sequence,
  summarizeLengths,
} from './padding.js';
export {
  coverage,
  crpsOfNormal,
  crpsOfQuantiles,
  meanWidth,
  normalCdf,
  pinball,
  type QuantileForecast,
  weightedQuantileLoss,
  winkler,
} from './probabilistic.js';
export {
  LogScaler,
  MinMaxScaler,
  quantile,
  RobustScaler,
  type Scaler,
  type ScalerConfig,
  StandardScaler,
  scalerFromConfig,
} from './scalers.js';
export { autocorrelation, inferSeason, inferSeasons, seasonCandidates } from './season.js';
export {
  type AppendedRows,
  type Cell,
  type Column,
  cellOf,
  cleanName,
  column,
  findColumn,
  locationOf,
  makeTable,
  nestedValues,
  numbers,
  placeOf,
  type RowNumbering,
  sourceOf,
  type Table,
  texts,
} from './table.js';
export type { BytePairTokenizer } from './text/byte-pairs.js';
export { type BytePairOptions, learnBytePairs } from './text/learn-byte-pairs.js';
export { defaultTokenizer, tokenizer } from './text/tokenizer.js';
export type {
  BytePairsConfig,
  CharactersConfig,
  NormalizeOptions,
  Tokenizer,
  TokenizerConfig,
  TokenizerKind,
  WhitespaceConfig,
  WordsConfig,
} from './text/types.js';
export {
  type ByteChunks,
  type ByteStream,
  type ReadVectorsOptions,
  readVectors,
  type VectorFormat,
  type Vectors,
} from './text/vectors.js';
export {
  buildVocabulary,
  Vocabulary,
  type VocabularyConfig,
  type VocabularyCoverage,
  type VocabularyOptions,
} from './text/vocabulary.js';
export { type WriteVectorsOptions, writeVectors } from './text/write-vectors.js';
export {
  type BleuOptions,
  type BleuScore,
  type BleuSmoothing,
  bleu,
  sentenceBleu,
} from './text-metrics/bleu.js';
export type { BleuTokenizer } from './text-metrics/bleu-tokenizers.js';
export { type ChrfOptions, type ChrfScore, chrf, sentenceChrf } from './text-metrics/chrf.js';
export type { References } from './text-metrics/corpus.js';
export type { AlignmentChunk } from './text-metrics/edit-distance.js';
export {
  characterErrorRate,
  type ErrorRateOptions,
  type ErrorRates,
  type TextOrTokens,
  wordErrorRate,
} from './text-metrics/error-rates.js';
export {
  type AllowedTransitions,
  allowedTransitions,
  type LabelScheme,
  type Span,
  type SpanOptions,
  spansOf,
  tagsOf,
} from './text-metrics/label-schemes.js';
export { bitsPerCharacter, perplexityFromTotals } from './text-metrics/likelihood-metrics.js';
export {
  type PrecisionRecall,
  type RougeOptions,
  type RougeScores,
  type RougeTokenizer,
  rouge,
  sentenceRouge,
} from './text-metrics/rouge.js';
export {
  type LabelScore,
  type SpanScore,
  type SpanScoreOptions,
  type SpanScores,
  spanScores,
} from './text-metrics/span-scores.js';
export { containsTimes, looksLikeTimes, times } from './time.js';
export {
  type DateOrder,
  formatFor,
  formatTime,
  type TimeColumn,
  type TimeFormat,
  type TimeOptions,
} from './time-column.js';
export { findTimeParts, withTimeParts } from './time-parts.js';
export { looksLikeTsFile, parseTsFile } from './ts-file.js';
export { cosineSimilarity, type EqualErrorRate, equalErrorRate } from './verification.js';
export { slidingWindows, type WindowOptions, type Windows } from './windows.js';
