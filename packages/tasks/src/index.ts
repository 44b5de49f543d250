/**
 * @unroll/tasks: trains, evaluates and runs the models of all tasks, such as forecast and classify, on tables, texts, sounds and
 * clips. It uses no Node built-ins, so it also runs in browsers.
 */
export {
  type ClassifyOptions,
  type ClassifyResult,
  classifyEvents,
  prepareClassifier,
  prepareWithVectors,
  trainClassifier,
} from './classify/classify.js';
export { ClassifyModel } from './classify/model.js';
export type { ClassifyCell } from './classify/network.js';
export type { ClassifyPipe, ClassifyPipeOptions, LabelScore, SequenceValue } from './classify/pipe.js';
export type { ClassifyPipeline } from './classify/pipeline.js';
export type { PreparedClassifier } from './classify/plan.js';
export { classifyReport } from './classify/report.js';
export { planEvent as classifyPlanEvent } from './classify/run-events.js';
export { type ClassifyScores, type ClassScore, classifyScores, multiLabelScores } from './classify/scores.js';
export {
  ADVICE,
  type ComparedRun,
  type Comparison,
  type ComparisonMetric,
  comparisonTable,
  summarizeCells,
  verdict,
  winnerOf,
} from './compare/comparison.js';
export { comparisonReport } from './compare/report.js';
export {
  type DescribeOptions,
  type DescribeResult,
  describeEvents,
  prepareDescriber,
  trainDescriber,
} from './describe/describe.js';
export { DescribeModel, type Description } from './describe/model.js';
export type { DescribeCell } from './describe/network.js';
export type { DescribedClip, DescribePipe, DescribePipeOptions } from './describe/pipe.js';
export type { DescribePipeline } from './describe/pipeline.js';
export type { PreparedDescriber } from './describe/plan.js';
export { describeReport } from './describe/report.js';
export { planEvent as describePlanEvent } from './describe/run-events.js';
export { type DescribeScores, describeScores } from './describe/scores.js';
export { actualAt, levelName, type ModelForecasts, type Score } from './forecast/backtest.js';
export type { FittedBaselineName } from './forecast/baselines.js';
export type { CalendarName, CalendarOption } from './forecast/calendar.js';
export type { Intervals } from './forecast/calibration.js';
export type { CovariateNames, Role } from './forecast/covariates.js';
export type { Origin } from './forecast/encoder.js';
export {
  backtestEvents,
  type ForecastBacktest,
  type ForecastOptions,
  type ForecastResult,
  forecast,
  forecastEvents,
  prepareForecast,
} from './forecast/forecast.js';
export { addFutureRows } from './forecast/future-rows.js';
export type { HeadName } from './forecast/heads.js';
export { ForecastModel, type SeriesForecast } from './forecast/model.js';
export type { CellName, FittedNetwork } from './forecast/network.js';
export {
  endOf,
  type Panel,
  type PanelOptions,
  type PanelSeries,
  panelEnd,
  panelFromTable,
  timeAt,
} from './forecast/panel.js';
export type {
  ForecastInput,
  ForecastInterval,
  ForecastPipe,
  ForecastPipeOptions,
  ForecastPoint,
  ForecastRow,
} from './forecast/pipe.js';
export type { Pipeline } from './forecast/pipeline.js';
export type { Decoding, ForecastPlan, ScalerName } from './forecast/plan.js';
export { forecastPlot } from './forecast/plot-file.js';
export { forecastReport, type ReportInfo } from './forecast/report.js';
export { type PreparedForecast, planEvent } from './forecast/run-events.js';
export { backtestTable, forecastTable } from './forecast/tables.js';
export type { TextLevel } from './generate/codec.js';
export {
  type LanguageModelOptions,
  type LanguageModelResult,
  languageModelEvents,
  prepareLanguageModel,
  trainLanguageModel,
} from './generate/generate.js';
export { LanguageModel } from './generate/model.js';
export type { LanguageCell } from './generate/network.js';
export type {
  GeneratedText,
  GeneratePipe,
  GeneratePipeOptions,
  GenerateStreamOptions,
} from './generate/pipe.js';
export type { LanguagePipeline } from './generate/pipeline.js';
export type { PreparedLanguageModel } from './generate/plan.js';
export { languageModelReport } from './generate/report.js';
export { planEvent as languageModelPlanEvent } from './generate/run-events.js';
export type { LanguageScores } from './generate/scores.js';
export { TASKS, taskModelFromFiles } from './registry.js';
export type * from './shared/events.js';
export type { Clip, ClipArray, ClipFile, Frame, Pixels } from './shared/frames/clips.js';
export type { FrameConfig, FrameOptions } from './shared/frames/encoder.js';
export type { FileNormalization, FrontEndConfig } from './shared/front-end.js';
export { taskFormat, taskName } from './shared/pipeline-file.js';
export { CELL_NAMES, cellNamed, type RecurrentCellName } from './shared/recurrent-cells.js';
export { type ChartBand, type ChartData, type ChartLine, chart } from './shared/report/chart.js';
export { historyCapacity, type PlotData, type PlotOptions, plot } from './shared/report/plot.js';
export { checkRequest } from './shared/request.js';
export type { RunStore } from './shared/resume.js';
export { type ScoreColumn, type ScoreFormat, type ScoreTable, scoreTexts } from './shared/scores.js';
export type { Samples, Sound, SoundFile } from './shared/sounds.js';
export type * from './shared/task.js';
export type { EpochRecord, NetworkTraining } from './shared/training.js';
export { SpeakModel } from './speak/model.js';
export type { SpeakCell } from './speak/network.js';
export type { SpeakPipe, SpeakPipeOptions } from './speak/pipe.js';
export type { SpeakPipeline } from './speak/pipeline.js';
export type { PreparedVoice } from './speak/plan.js';
export { speakReport } from './speak/report.js';
export { planEvent as speakPlanEvent } from './speak/run-events.js';
export { melCepstralDistortion, type SpeakScores, speakScores } from './speak/scores.js';
export { prepareVoice, type SpeakOptions, type SpeakResult, speakEvents, trainVoice } from './speak/speak.js';
export type { TagOffset } from './tag/decisions.js';
export { type PredictedTags, type TagEntity, TagModel } from './tag/model.js';
export type { TagCell } from './tag/network.js';
export type { TagPipe, TagPipeOptions, TagSpan } from './tag/pipe.js';
export type { TagPipeline } from './tag/pipeline.js';
export type { PreparedTagger } from './tag/plan.js';
export { tagReport } from './tag/report.js';
export { planEvent as tagPlanEvent } from './tag/run-events.js';
export { scoreTags, type TagScoresReport, type TagTypeScore } from './tag/scores.js';
export { prepareTagger, type TagOptions, type TagRunResult, tagEvents, trainTagger } from './tag/tag.js';
export type { TagScheme } from './tag/tags.js';
export { type SpokenWord, TranscribeModel, type Transcript } from './transcribe/model.js';
export type { TranscribeCell } from './transcribe/network.js';
export type { TranscribePipe, TranscribePipeOptions, Transcription } from './transcribe/pipe.js';
export type { TranscribePipeline } from './transcribe/pipeline.js';
export type { PreparedTranscriber } from './transcribe/plan.js';
export { transcribeReport } from './transcribe/report.js';
export { planEvent as transcribePlanEvent } from './transcribe/run-events.js';
export { type TranscribeScores, transcribeScores } from './transcribe/scores.js';
export { TranscribeStream } from './transcribe/stream.js';
export type { TranscriptLevel } from './transcribe/tokens.js';
export {
  prepareTranscriber,
  type TranscribeDecoder,
  type TranscribeOptions,
  type TranscribeResult,
  trainTranscriber,
  transcribeEvents,
} from './transcribe/transcribe.js';
export { TranslateModel, type Translation } from './translate/model.js';
export type { TranslateCell } from './translate/network.js';
export type { PairColumns, PairData, Pairs, ParallelFiles } from './translate/pairs.js';
export type {
  TranslatedText,
  TranslatedTokens,
  TranslatePipe,
  TranslatePipeOptions,
} from './translate/pipe.js';
export type { TranslatePipeline } from './translate/pipeline.js';
export type { PreparedTranslator, TokenLevel } from './translate/plan.js';
export { translateReport } from './translate/report.js';
export { planEvent as translatePlanEvent } from './translate/run-events.js';
export {
  type ModelScores as TranslateModelScores,
  type TranslateScores,
  translateScores,
} from './translate/scores.js';
export {
  prepareTranslator,
  type TranslateOptions,
  type TranslateResult,
  trainTranslator,
  translateEvents,
} from './translate/translate.js';
