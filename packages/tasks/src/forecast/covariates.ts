/**
 * Covariates: additional input columns. `past` covariates are known up to now, `future` ones also for the rows to forecast
 * (prices, holidays), and `static` ones are constant within a series. Numbers are standardised on training rows; text is
 * one-hot encoded.
 */
import { UnrollError } from '@unroll/core';
import { column, isMissing, numbers, StandardScaler, type Table, texts } from '@unroll/data';

export type Role = 'past' | 'future' | 'static';

/** Covariate columns by role. */
export interface CovariateNames {
  past?: readonly string[];
  future?: readonly string[];
  static?: readonly string[];
}

/** A covariate column: numbers, or category indices; NaN where missing. */
export interface Covariate {
  readonly name: string;
  readonly role: Role;
  /** Null for numbers. */
  readonly categories: readonly string[] | null;
  /** One value for each row of the table. */
  readonly cells: Float64Array;
}

/** Most categories of a text covariate; each becomes a channel. */
const MOST_CATEGORIES = 50;

/**
 * Reads the covariate columns of a table.
 * @throws UnrollError `data` for columns that are missing, have two roles, or hold too many categories
 */
export function readCovariates(table: Table, names: CovariateNames, taken: readonly string[]): Covariate[] {
  const seen = new Map<string, string>(taken.map((name) => [name, 'the target, time or series column']));
  return (['past', 'future', 'static'] as const).flatMap((role) =>
    (names[role] ?? []).map((name) => {
      const other = seen.get(name);
      if (other !== undefined) {
        throw new UnrollError(
          'data',
          `Column "${name}" cannot be a ${role} covariate: it is already ${other}.`,
          { name },
        );
      }
      seen.set(name, `a ${role} covariate`);
      return readCovariate(table, name, role);
    }),
  );
}

function readCovariate(table: Table, name: string, role: Role): Covariate {
  const found = column(table, name);
  const boolean = found.cells.every((cell) => isMissing(cell) || typeof cell === 'boolean');
  if (found.kind === 'number' || boolean)
    return { name, role, categories: null, cells: numbers(table, name) };
  const words = texts(table, name);
  const categories = [...new Set(words.filter((word) => word !== ''))].sort();
  if (categories.length > MOST_CATEGORIES) {
    throw new UnrollError(
      'data',
      `${table.source}, column "${name}": a text covariate may have at most ${MOST_CATEGORIES} categories, got ` +
        `${categories.length}. Group the rare ones.`,
      { column: name, categories: categories.length },
    );
  }
  const numberOf = new Map(categories.map((word, i) => [word, i]));
  const cells = Float64Array.from(words, (word) => numberOf.get(word) ?? Number.NaN);
  return { name, role, categories, cells };
}

/** How a covariate is encoded as channels. JSON. */
export type ChannelConfig =
  | { name: string; role: Role; mean: number; deviation: number }
  | { name: string; role: Role; categories: string[] };

/** Fits the channels of one covariate on its training values. */
export function fitChannels({ name, role, categories }: Covariate, training: Float64Array): ChannelConfig {
  if (categories !== null) return { name, role, categories: [...categories] };
  if (training.every((value) => Number.isNaN(value))) return { name, role, mean: 0, deviation: 1 };
  const { mean, deviation } = new StandardScaler().fit(training).config() as {
    mean: number;
    deviation: number;
  };
  return { name, role, mean, deviation };
}

/** The channels of a series. Gaps repeat the last value; before the first value they are 0 (the mean, or no category). */
export function channelsOf(config: ChannelConfig, values: Float64Array): Float64Array[] {
  const known = values.slice();
  for (let i = 1; i < known.length; i++) if (Number.isNaN(known[i])) known[i] = known[i - 1];
  if ('categories' in config) {
    return config.categories.map((_, category) => known.map((value) => Number(value === category)));
  }
  return [known.map((value) => (Number.isNaN(value) ? 0 : (value - config.mean) / config.deviation))];
}
