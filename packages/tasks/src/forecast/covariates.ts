/**
 * Covariates: additional input columns. `past` covariates are known only for past rows, `future` covariates also for the
 * rows to forecast (prices, holidays), and `static` covariates are constant within a series. Numbers are standardised with
 * statistics of the training rows. Texts are one-hot encoded.
 */
import { UnrollError } from '@unroll/core';
import { column, isMissing, numbers, StandardScaler, type Table, texts } from '@unroll/data';

export type Role = 'past' | 'future' | 'static';

/** Names of the covariate columns by role. Default: none. */
export interface CovariateNames {
  past?: readonly string[];
  future?: readonly string[];
  static?: readonly string[];
}

/** A covariate column: numbers, or category indices; NaN for a missing value. */
export interface Covariate {
  readonly name: string;
  readonly role: Role;
  /** Sorted category names; null if the column holds numbers. */
  readonly categories: readonly string[] | null;
  /** One value for each row of the table. */
  readonly cells: Float64Array;
}

/** Maximum number of categories of a text covariate. Each category becomes a channel. */
const MAX_CATEGORIES = 50;

/**
 * Reads the covariate columns of a table.
 * @param usedColumns names of the target, time and series columns, which cannot be covariates
 * @throws UnrollError `data` for columns that are missing, have two roles, or hold too many categories
 */
export function readCovariates(
  table: Table,
  names: CovariateNames,
  usedColumns: readonly string[],
): Covariate[] {
  const usage = new Map<string, string>(
    usedColumns.map((name) => [name, 'the target, time or series column']),
  );
  return (['past', 'future', 'static'] as const).flatMap((role) =>
    (names[role] ?? []).map((name) => {
      const otherUse = usage.get(name);
      if (otherUse !== undefined) {
        throw new UnrollError(
          'data',
          `Column "${name}" cannot be a ${role} covariate: it is already ${otherUse}.`,
          { name },
        );
      }
      usage.set(name, `a ${role} covariate`);
      return readCovariate(table, name, role);
    }),
  );
}

function readCovariate(table: Table, name: string, role: Role): Covariate {
  const { kind, cells: tableCells } = column(table, name);
  const isBoolean = tableCells.every((cell) => isMissing(cell) || typeof cell === 'boolean');
  if (kind === 'number' || isBoolean) return { name, role, categories: null, cells: numbers(table, name) };
  const values = texts(table, name);
  const categories = [...new Set(values.filter((value) => value !== ''))].sort();
  if (categories.length > MAX_CATEGORIES) {
    throw new UnrollError(
      'data',
      `${table.source}, column "${name}": a text covariate may have at most ${MAX_CATEGORIES} categories, got ` +
        `${categories.length}. Merge rare categories.`,
      { column: name, categories: categories.length },
    );
  }
  const indexOf = new Map(categories.map((category, i) => [category, i]));
  const cells = Float64Array.from(values, (value) => indexOf.get(value) ?? Number.NaN);
  return { name, role, categories, cells };
}

/** How a covariate is encoded as input channels. Stored in pipeline.json. */
export type ChannelConfig = {
  name: string;
  role: Role;
  /**
   * Whether the reference is subtracted from the channel, as from the target (encoder.ts). Missing in models of earlier versions,
   * which read the values of past covariates, and the changes of future covariates relative to the last row.
   */
  isRelative?: boolean;
} & ({ mean: number; deviation: number } | { categories: string[] });

/** Returns the encoding of one covariate, fitted on its training values. Missing values are ignored. */
export function fitChannels({ name, role, categories }: Covariate, training: Float64Array): ChannelConfig {
  if (categories !== null)
    return { name, role, ...(role === 'future' && { isRelative: true }), categories: [...categories] };
  const common = { name, role, ...(role !== 'static' && { isRelative: true }) };
  if (training.every((value) => Number.isNaN(value))) return { ...common, mean: 0, deviation: 1 };
  const { mean, deviation } = new StandardScaler().fit(training).config() as {
    mean: number;
    deviation: number;
  };
  return { ...common, mean, deviation };
}

/**
 * Encodes a covariate of one series as channels, one value per row. A missing value is replaced by the last known value. Before the
 * first known value, all channels are 0 (the mean, or no category). A static covariate has its first known value in all rows.
 */
export function channelsOf(config: ChannelConfig, values: Float64Array): Float64Array[] {
  const filled = values.slice();
  if (config.role === 'static') filled.fill(values.find((value) => !Number.isNaN(value)) ?? Number.NaN);
  for (let i = 1; i < filled.length; i++) if (Number.isNaN(filled[i])) filled[i] = filled[i - 1];
  if ('categories' in config) {
    return config.categories.map((_, category) => filled.map((value) => Number(value === category)));
  }
  return [filled.map((value) => (Number.isNaN(value) ? 0 : (value - config.mean) / config.deviation))];
}
