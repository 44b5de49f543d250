/** Builds the n-gram model of a training run. */
import type { Functional } from '@unroll/nn';
import type { EncodedText, TokenEncoder } from './encoder.js';
import { type LabelledTokens, type NGramConfig, naiveBayes, ngramNetwork } from './ngrams.js';
import type { PreparedClassifier } from './plan.js';

/** The n-gram model, the encoder of its texts, and the config of its n-grams. */
export interface NGramModel {
  network: Functional;
  encoder: TokenEncoder;
  config: NGramConfig;
}

/** Returns the tokens and the classes of encoded texts. */
export const tokensOf = ({ inputs, classes }: PreparedClassifier['training']): LabelledTokens => ({
  tokens: inputs.map((text) => (text as EncodedText).tokens),
  classes,
});

/** Returns the n-gram model of a plan, initialised with the weights of naive Bayes; null if the plan has none. */
export function ngramModelOf(plan: PreparedClassifier, encoder: TokenEncoder): NGramModel | null {
  const { ngrams: config } = encoder;
  if (config === null) return null;
  const { training, validation, classWeights, labels, separator, settings } = plan;
  const weights = naiveBayes(tokensOf(training), tokensOf(validation), config, {
    ...{ labels: labels.length, isMultiLabel: separator !== null, classWeights },
  });
  const network = ngramNetwork(config, { labels: labels.length, weights, seed: settings.seed });
  return { network, encoder, config };
}
