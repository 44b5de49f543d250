/** The public names of each entry, sorted. */
export const names = [
  {
    entry: 'unrolljs',
    file: 'index',
    values: `
    Layer LogScaler MatrixCell MinMaxScaler OptimizerMemory Parameter RandomStream RobustScaler StandardScaler Tensor
    UnrollError abs activation adagrad adam adamw add addLayer additiveAttention allowedTransitions attention
    attentionDecoder batchNormalization beamSearch bidirectional bitsPerCharacter bleu broadcastTo bucketByLength
    characterErrorRate checkpointsTo chrf chronoInitializer concat concatenate constant cosineDecay
    cosineDecayRestarts decodeCheckpoint dense div dropout earlyStopping embedding equal erf exp exponentialDecay
    findLearningRate flatten floor fromArtifact fromZip full gather generate generateTokens greater greaterEqual gru
    gruCell hardSigmoid identityMatrix input inverseTimeDecay keep kernelsAt l1 l1l2 l2 layerNormalization lengthMask
    linear load log log1p logSoftmax losses lstm lstmCell masking matmul max maxNorm maximum mean metrics min
    minMaxNorm minimum model mul multiply nadam neg nonNeg oneCycle ones orthogonal orthogonalPenalty outputEmbedding
    pad padSequences peepholeLstm peepholeLstmCell permute permuteLayer perplexityFromTotals pick
    piecewiseConstantDecay polynomialDecay pow progress randomNormal randomUniform ready reciprocal recurrent
    reduceOnPlateau registerActivation registerCell registerLayer registerLoss relu repeatVector reshape reshapeLayer
    reverse rmsprop rouge roundWeights scalerFromConfig scheduledSampling scope sentenceBleu sentenceChrf
    sentenceRouge sequential setBackend setThreads sgd sigmoid sign simpleRNN simpleRNNCell slice slidingWindows
    softmax softplus spanScores spansOf sqrt square stack stackedCells stepDecay stopGradient sub sum sumSquares
    summarizeLengths tagsOf tanh tensor timeDistributed toArtifact toZip train trainable transpose truncatedNormal
    unitNorm valueAndGrad varianceScaling wordErrorRate zeros
    `,
    types: `
    Activation ActivationFunction ActivationOptions AdditiveAttention AdditiveAttentionOptions AlignmentChunk
    AllowedTransitions ApplyOptions Artifact ArtifactExtras ArtifactFiles ArtifactSource Attention
    AttentionDecoderOptions AttentionOptions AverageOptions Axes Backend BackendName BatchNormalizationOptions Batches
    BeamResult BeamSearchOptions BidirectionalOptions BleuOptions BleuScore BleuSmoothing BleuTokenizer BucketOptions
    BuildTools Callback CallbackState Cell CellClass CellConstants CellMasks CellOptions CellState Checkpoint
    CheckpointOptions CheckpointStore ChrfOptions ChrfScore ChronoOptions ClassWeights Clip CompileOptions
    ConcatenateOptions Constraint ConstraintConfig CosineOptions DecayOptions Decoded DecodingOptions DenseOptions
    DropoutOptions EarlyStoppingOptions EmbeddingOptions EndEvent EndReason EpochEvent ErrorCode ErrorRateOptions
    ErrorRates EvaluateOptions Evaluation ExampleBatches ExampleOptions ExamplePair ExampleSet Examples
    FindLearningRateOptions FitOptions FloatArray ForwardContext Functional FunctionalOptions GainOptions
    GatedCellOptions GenerateOptions GeneratedStep GradientHook Gradients GruCellOptions GruOptions GruState History
    Initializer InitializerConfig InitializerFunction InputOptions InputStep JsonValue LabelScheme LabelScore
    LayerClass LayerConfig LayerNormalizationOptions LayerOptions LearningRate LearningRateCurve LengthSummary Loss
    LossInitializer LossName LossOptions LossParameterMaker LossParameterOptions LossParameters LossSpec
    LstmCellOptions LstmOptions LstmState MaskedSequence MaskingOptions MatmulOptions MaxNormOptions Memory MemoryJson
    MergeMode Metric MetricName MetricSpec MetricState MetricValues MinMaxNormOptions Model ModelValues MonitorOptions
    NamedTensors NestedArray NestedNumbers Network NetworkOptions NormalOptions NumberArray OneCycleOptions Optimizer
    OptimizerName OptimizerOptions OptimizerSpec OutputEmbedding OutputEmbeddingOptions OutputKind PadOptions Padded
    ParameterMaker ParameterOptions PeepholeLstmCellOptions PerOutput PermuteOptions PiecewiseOptions
    PolynomialOptions PrecisionRecall PredictOptions PrepareInputs ProgressOptions ProgressStream RangeTestOptions
    RatePoint Recurrent RecurrentOptions ReduceOnPlateauOptions Reduction References Regularizer RegularizerConfig
    RepeatVectorOptions ReshapeOptions RestartOptions RestrictCall RougeOptions RougeScores RougeTokenizer Run
    RunControl RunOptions RunSnapshot Runnable SampledSoftmaxOptions SavedTensor Scaler ScalerConfig Schedule
    ScheduleConfig ScheduleName ScheduledSamplingOptions ScoreMode Sequence SequenceBatch SequenceContext
    SequenceLossDefinition SequenceResult Sequential SequentialOptions Shape SimpleRnnCellOptions SimpleRnnOptions
    SimpleRnnState Span SpanOptions SpanScore SpanScoreOptions SpanScores StackedState StepContext StepDecayOptions
    StepEvent StepResult Stream StreamInput StreamOptions StreamState SymbolicTensor TensorLike TensorList
    TextOrTokens TokenStream TrainEvent TrainOptions Trainable TrainingData UniformOptions ValidationData Values
    VarianceScalingOptions VocabularyLayer WarningCode WarningEvent WeightArray WeightSource WindowOptions Windows
    `,
  },
  {
    entry: 'unrolljs/forecast',
    file: 'forecast',
    values: `
    ForecastModel addFutureRows backtestEvents column coverage crostonSba crpsOfNormal crpsOfQuantiles drift ets forecast
    forecastEvents inferFrequency inferSeason mae makeTable mape mase naive numbers panelFromTable parseCsv
    parseFrequency parseJsonLines parseParquet pinball prepareForecast r2 rmse rmsse seasonalNaive smape texts theta times
    weightedQuantileLoss winkler wmape
    `,
    types: `
    CalendarName CalendarOption Cell CellName Column CovariateNames CsvOptions Decoding FittedBaselineName FittedNetwork ForecastBacktest
    ForecastOptions ForecastPlan ForecastResult Frequency HeadName Intervals ModelForecasts Origin Panel PanelOptions
    PanelSeries Pipeline PreparedForecast QuantileForecast Role RunEvent RunStore ScalerName Score SeriesForecast
    Table TimeColumn TimeFormat
    `,
  },
  {
    entry: 'unrolljs/infer',
    file: 'infer',
    values: `
    ActivationLayer Add AdditiveAttention Attention AttentionDecoderCell BatchNormalization Bidirectional Concatenate
    Dense Dropout Embedding Flatten Functional GruCell InputLayer Layer LayerNormalization LstmCell Masking MatrixCell
    Multiply OutputEmbedding PeepholeLstmCell Permute Recurrent RepeatVector Reshape Sequential SimpleRnnCell
    StackedCells Tensor TimeDistributed UnrollError fromZip kernelsAt lengthMask load loadWith model ready
    registerActivation registerCell registerLayer runnable sequential setBackend setThreads tensor
    `,
    types: `
    ArtifactFiles ArtifactSource Backend BackendName Cell CellClass ErrorCode LayerClass LayerConfig ModelPart
    ModelValues NestedArray NestedNumbers Network NumberArray PredictOptions Runnable Shape Stream StreamInput
    StreamOptions StreamState SymbolicTensor TensorLike Values
    `,
  },
  {
    entry: 'unrolljs/node',
    file: 'index-node',
    values: `
    checkpoints csvLog interruptSignal loadArtifact readCheckpoint saveArtifact tensorBoard
    `,
    types: `
    CheckpointFiles CheckpointFolderOptions CsvLogOptions TensorBoardOptions
    `,
  },
] as const;
