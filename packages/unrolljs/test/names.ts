/** The sorted public names of all entry points except unrolljs/audio, describe, images, speak and transcribe. */
export const names = [
  {
    entry: 'unrolljs',
    file: 'index',
    values: `
    Layer LogScaler MatrixCell MinMaxScaler OptimizerMemory Parameter RandomStream RobustScaler StandardScaler Tensor
    UnrollError Vocabulary abs activation activationRegularization adagrad adam adamw add addLayer additiveAttention
    allowedTransitions attention attentionDecoder averagePooling1d averagePooling2d batchNormalization beamSearch
    bidirectional bitsPerCharacter bleu broadcastTo bucketByLength buildVocabulary characterErrorRate checkpointsTo
    chrf chronoInitializer concat concatenate constant conv1d conv2d cosineDecay cosineDecayRestarts coupledLstm
    coupledLstmCell crf ctcBeamSearch ctcDecoder ctcGreedy decodeCheckpoint decodeTags defaultTokenizer dense div
    dropout earlyStopping embedding equal erf exp exponentialDecay findLearningRate flatten floor fromArtifact fromZip
    full gather gaussianAttentionDecoder generalGru generalLstm generalRnn generate generateTokens
    globalAveragePooling1d globalMaxPooling1d greater greaterEqual gru gruCell hardSigmoid identityMatrix input
    inverseTimeDecay keep kernelsAt l1 l1l2 l2 layerNorm layerNormLstm layerNormLstmCell layerNormalization
    learnBytePairs lengthMask linear linearScan load log log1p logPartition logSoftmax losses lstm lstmCell masking
    matmul max maxNorm maxPooling1d maxPooling2d maximum mean metrics min minGru minGruCell minLstm minLstmCell
    minMaxNorm minimum model mul multiply nBestPaths nBestTags nadam neg nonNeg oneCycle ones orthogonal
    orthogonalPenalty outputEmbedding pad padSequences peepholeLstm peepholeLstmCell permute permuteLayer
    perplexityFromTotals pick piecewiseConstantDecay polynomialDecay pow progress projectedLstm projectedLstmCell
    randomNormal randomUniform readVectors ready reciprocal recurrent reduceOnPlateau registerActivation registerCell
    registerLayer registerLoss relu repeatVector reshape reshapeLayer residual reverse rmsprop rouge roundWeights
    scalerFromConfig scheduledSampling scope sentenceBleu sentenceChrf sentenceRouge sequential setBackend setThreads
    sgd sigmoid sign simpleRNN simpleRNNCell slice slidingWindows softmax softplus spanScores spansOf spatialDropout1d
    sqrt square stack stackedCells stepDecay stopGradient sub sum sumSquares summarizeLengths tagMarginals
    tagProbabilities tagsOf tanh tensor tensorOperation timeDistributed toArtifact toZip tokenizer topK train
    trainable transpose truncatedNormal unitNorm unstack valueAndGrad varianceScaling viterbi wordDropout
    wordErrorRate writeVectors zeros zoneoutCell
    `,
    types: `
    Activation ActivationFunction ActivationOptions ActivationRegularizationOptions AdditiveAttention
    AdditiveAttentionOptions AlignmentChunk AllowedTransitions ApplyOptions Artifact ArtifactExtras ArtifactFiles
    ArtifactSource Attention AttentionDecoderOptions AttentionOptions AverageOptions Axes Backend BackendName
    BatchNormalizationOptions Batches BeamResult BeamSearchOptions BidirectionalOptions BleuOptions BleuScore
    BleuSmoothing BleuTokenizer BucketOptions BuildTools ByteChunks BytePairOptions BytePairTokenizer BytePairsConfig
    ByteStream Callback CallbackState Cell CellClass CellConstants CellFunction CellMasks CellOptions CellState
    CharactersConfig Checkpoint CheckpointOptions CheckpointStore ChrfOptions ChrfScore ChronoOptions ClassWeights
    Clip CompileOptions ConcatenateOptions Constraint ConstraintConfig Conv1DOptions Conv2DOptions CosineOptions
    CoupledLstmCellOptions CrfOptions CtcBeamOptions CtcDecoder CtcDecoderOptions CtcGreedyOptions CtcHypothesis
    CtcPath CtcPrefixScore DecayOptions Decoded DecodingOptions DenseOptions DropoutOptions EarlyStoppingOptions
    EmbeddingOptions EndEvent EndReason EpochEvent ErrorCode ErrorRateOptions ErrorRates EvaluateOptions Evaluation
    ExampleBatches ExampleOptions ExamplePair ExampleSet Examples FindLearningRateOptions FitOptions FloatArray
    ForwardContext Functional FunctionalOptions GainOptions GatedCellOptions GaussianAttentionOptions
    GeneralCellOptions GeneralGruCellOptions GeneralLstmCellOptions GenerateOptions GeneratedStep
    GlobalPooling1DOptions GradientHook Gradients GruCellOptions GruOptions GruState History Initializer
    InitializerConfig InitializerFunction InputOptions InputStep JsonValue LabelScheme LabelScore LayerClass
    LayerConfig LayerNormLstmCellOptions LayerNormalizationOptions LayerOptions LearningRate LearningRateCurve
    LengthSummary LinearScanAttributes LinearScanInputs Loss LossInitializer LossName LossOptions LossParameterMaker
    LossParameterOptions LossParameters LossSpec LstmCellOptions LstmOptions LstmState MaskedSequence MaskingOptions
    MatmulOptions MaxNormOptions Memory MemoryJson MergeMode Metric MetricName MetricSpec MetricState MetricValues
    MinCellOptions MinMaxNormOptions MinOptions MinState Model ModelState ModelValues MonitorOptions NamedTensors
    NestedArray NestedNumbers Network NetworkOptions NormalOptions NormalizeOptions NumberArray OneCycleOptions
    Optimizer OptimizerName OptimizerOptions OptimizerSpec OutputEmbedding OutputEmbeddingOptions OutputKind
    PadOptions Padded Padding2D Pair ParameterMaker ParameterOptions PeepholeLstmCellOptions PerOutput PermuteOptions
    PiecewiseOptions PolynomialOptions Pooling1DOptions Pooling2DOptions PrecisionRecall PredictOptions PrepareInputs
    ProgressOptions ProgressStream ProjectedLstmCellOptions RangeTestOptions RankedTagPath RatePoint
    ReadVectorsOptions Recurrent RecurrentOptions ReduceOnPlateauOptions Reduction References Regularizer
    RegularizerConfig RepeatVectorOptions ReshapeOptions RestartOptions RestrictCall RougeOptions RougeScores
    RougeTokenizer Run RunControl RunOptions RunSnapshot Runnable SampledSoftmaxOptions SavedTensor Scaler
    ScalerConfig Schedule ScheduleConfig ScheduleName ScheduledSamplingOptions ScoreMode Sequence SequenceBatch
    SequenceContext SequenceLossDefinition SequenceResult Sequential SequentialOptions Shape SimpleRnnCellOptions
    SimpleRnnOptions SimpleRnnState Span SpanOptions SpanScore SpanScoreOptions SpanScores SpatialDropout1DOptions
    StackedState StepContext StepDecayOptions StepEvent StepResult Stream StreamInput StreamOptions StreamState
    SymbolicTensor TagConstraints TagPath TagScores TensorLike TensorList TensorOperationOptions TextOrTokens
    TokenStream Tokenizer TokenizerConfig TokenizerKind TrainEvent TrainOptions Trainable TrainingData TruncateOptions
    UniformOptions ValidationData Values VarianceScalingOptions VectorFormat Vectors VocabularyConfig
    VocabularyCoverage VocabularyLayer VocabularyOptions WarningCode WarningEvent WeightArray WeightSource
    WhitespaceConfig WindowOptions WindowPadding Windows WordDropoutOptions WordsConfig WriteVectorsOptions
    ZoneoutRates
    `,
  },
  {
    entry: 'unrolljs/classify',
    file: 'classify',
    values: `
    ClassifyModel classifyEvents classifyReport classifyScores makeTable multiLabelScores parseCsv parseJsonLines
    parseTsFile prepareClassifier prepareWithVectors readVectors trainClassifier
    `,
    types: `
    ClassScore ClassifyCell ClassifyOptions ClassifyPipeline ClassifyResult ClassifyScores Clip ClipArray ClipFile
    CsvOptions EpochRecord FileNormalization Frame FrameConfig FrameOptions NetworkTraining Pixels PreparedClassifier
    RunEvent RunStore Sound SoundPair Table Vectors
    `,
  },
  {
    entry: 'unrolljs/convert',
    file: 'convert',
    values: `
    describeModel exportKeras exportOnnx exportPyTorch importKeras importModel importOnnx importPyTorch readNpz
    readSafetensors resumeTraining writeNpz writeSafetensors
    `,
    types: `
    AxisOrder ExportKerasOptions ExportOnnxOptions ExportPyTorchOptions FileDescription FormatName ImportKerasOptions
    ImportModelOptions ImportPyTorchOptions ImportReport Imported ModelSource NumpyArray OptimizerRecord PyTorchFiles
    ResumeOptions
    `,
  },
  {
    entry: 'unrolljs/forecast',
    file: 'forecast',
    values: `
    ForecastModel addFutureRows backtestEvents column coverage crostonSba crpsOfNormal crpsOfQuantiles drift ets
    forecast forecastEvents inferFrequency inferSeason mae makeTable mape mase naive numbers panelFromTable parseCsv
    parseFrequency parseJsonLines parseParquet pinball prepareForecast r2 rmse rmsse seasonalNaive smape texts theta
    times weightedQuantileLoss winkler wmape
    `,
    types: `
    CalendarName CalendarOption Cell CellName Column CovariateNames CsvOptions Decoding FittedBaselineName
    FittedNetwork ForecastBacktest ForecastOptions ForecastPlan ForecastResult Frequency HeadName Intervals
    ModelForecasts Origin Panel PanelOptions PanelSeries Pipeline PreparedForecast QuantileForecast Role RunEvent
    RunStore ScalerName Score SeriesForecast Table TimeColumn TimeFormat
    `,
  },
  {
    entry: 'unrolljs/generate',
    file: 'generate',
    values: `
    LanguageModel languageModelEvents languageModelReport prepareLanguageModel trainLanguageModel
    `,
    types: `
    EpochRecord LanguageCell LanguageModelOptions LanguageModelResult LanguagePipeline LanguageScores NetworkTraining
    PreparedLanguageModel RunEvent RunStore TextFile TextLevel
    `,
  },
  {
    entry: 'unrolljs/infer',
    file: 'infer',
    values: `
    ActivationLayer ActivationRegularization Add AdditiveAttention Attention AttentionDecoderCell AveragePooling1D
    AveragePooling2D BatchNormalization Bidirectional Concatenate Conv1D Conv2D CoupledLstmCell Crf Dense Dropout
    Embedding Flatten Functional GaussianAttentionDecoderCell GlobalAveragePooling1D GlobalMaxPooling1D GruCell
    InputLayer Layer LayerNormLstmCell LayerNormalization LstmCell Masking MatrixCell MaxPooling1D MaxPooling2D
    MinGruCell MinLstmCell Multiply OutputEmbedding PeepholeLstmCell Permute ProjectedLstmCell Recurrent RepeatVector
    Reshape Residual Sequential SimpleRnnCell SpatialDropout1D StackedCells Tensor TimeDistributed UnrollError
    WordDropout ZoneoutCell ctcBeamSearch ctcDecoder ctcGreedy decodeTags fromZip kernelsAt lengthMask load loadWith
    model nBestTags ready registerActivation registerCell registerLayer runnable sequential setBackend setThreads
    tagMarginals tensor
    `,
    types: `
    ArtifactFiles ArtifactSource Backend BackendName Cell CellClass CtcBeamOptions CtcDecoder CtcDecoderOptions
    CtcGreedyOptions CtcHypothesis CtcPath CtcPrefixScore ErrorCode LayerClass LayerConfig ModelPart ModelValues
    NestedArray NestedNumbers Network NumberArray PredictOptions RankedTagPath Runnable Shape Stream StreamInput
    StreamOptions StreamState SymbolicTensor TensorLike Values
    `,
  },
  {
    entry: 'unrolljs/node',
    file: 'index-node',
    values: `
    checkpoints csvLog interruptSignal loadArtifact readCheckpoint saveArtifact tensorBoard toCsv toTensorBoard
    `,
    types: `
    CheckpointFiles CheckpointFolderOptions CsvLogOptions TensorBoard TensorBoardOptions
    `,
  },
  {
    entry: 'unrolljs/pipeline',
    file: 'pipeline',
    values: `
    pipeline ready setBackend setThreads
    `,
    types: `
    ArtifactFiles ArtifactSource Cell ClassifyPipe ClassifyPipeOptions Clip ClipArray ClipFile DateOrder DescribePipe
    DescribePipeOptions DescribedClip ForecastInput ForecastInterval ForecastPipe ForecastPipeOptions ForecastPoint
    ForecastRow Frame GeneratePipe GeneratePipeOptions GenerateStreamOptions GeneratedText LabelScore PipeProperties
    PipelineTask Pipes Pixels Samples SequenceValue Sound SpeakPipe SpeakPipeOptions Table TagPipe TagPipeOptions
    TagSpan TaskModel TranscribePipe TranscribePipeOptions Transcription TranslatePipe TranslatePipeOptions
    TranslatedText TranslatedTokens
    `,
  },
  {
    entry: 'unrolljs/insight',
    file: 'insight',
    values: `
    AblatedModel ablate attribution connectivity escapeText gateFigure gradientFlow histogramOf lagCurves lagFigure
    memoryLength projection recorder saturation saturationOf scalarsOf spectralRadius trace unrolledFigure
    weightStatistics
    `,
    types: `
    AblateOptions Attribution AttributionOptions Connectivity ConnectivityOptions DataArray GateFigureOptions
    GateRecord GradientFlow GradientFlowOptions Histogram InputInfluence Inspectable KeepGate LagCurve
    LagFigureOptions LagRecord LagSummary LayerFlow LayerRecord LayerSaturation LayerTrace MaskOption MemoryLength
    MemoryLengthOptions ModelInput OutputOptions Projection ProjectionOptions RecordSink Recorder RecorderOptions
    SaturationOptions Shares StateFlow Trace TraceOptions TrainingRecord UnrolledFigureOptions WeightStatistics
    `,
  },
  {
    entry: 'unrolljs/tag',
    file: 'tag',
    values: `
    TagModel parseConll prepareTagger scoreTags tagEvents tagReport trainTagger
    `,
    types: `
    ConllOptions ConlluColumn EpochRecord NetworkTraining PredictedTags PreparedTagger RunEvent RunStore TagCell
    TagEntity TagOffset TagOptions TagPipeline TagRunResult TagScheme TagScoresReport TagTypeScore TaggedSentence
    TaggedSentences
    `,
  },
  {
    entry: 'unrolljs/translate',
    file: 'translate',
    values: `
    TranslateModel makeTable parseCsv parseJsonLines prepareTranslator trainTranslator translateEvents translateReport
    translateScores
    `,
    types: `
    CsvOptions EpochRecord NetworkTraining PairColumns PairData Pairs ParallelFiles PreparedTranslator RunEvent
    RunStore Table TextFile TokenLevel TranslateCell TranslateModelScores TranslateOptions TranslatePipeline
    TranslateResult TranslateScores Translation
    `,
  },
] as const;
