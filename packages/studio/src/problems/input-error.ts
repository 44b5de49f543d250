/**
 * Errors as data, which the worker sends and the page shows in the language of the visitor. Errors caused by the visitor's input have
 * messages in both languages. Other errors have the English message of the library, which the page shows below advice in the
 * language of the visitor.
 */

export const MESSAGES = {
  shortText: {
    en: 'The text has {count|character}; a length of {steps|step} needs at least {least}. Paste a longer text, or choose a shorter length.',
    zh: '文本有 {count} 个字符；序列长度为 {steps} 步时至少需要 {least} 个。请粘贴更长的文本，或减小序列长度。',
  },
  shortSeries: {
    en: '{name} has {count|value}; a length of {steps|step} needs at least {least}. Choose a longer series, or a shorter length.',
    zh: '{name} 有 {count} 个值；序列长度为 {steps} 步时至少需要 {least} 个。请选择更长的序列，或减小序列长度。',
  },
  labels: {
    en: 'Each line must be a label, a separator (tab, colon or comma) and a text. There must be at least 10 such lines, with 2 to 20 labels, got {lines|line} with {classes|label}.',
    zh: '每行应依次为标签、分隔符（制表符、冒号或半角逗号）、文本。这样的行至少需要 10 行，标签应有 2 至 20 种；目前有 {lines} 行、{classes} 种标签。',
  },
  longReverse: {
    en: 'A decoder with attention is slow for long strings. Set the length to at most {most}, got {steps}.',
    zh: '带注意力的解码器处理长字符串很慢。请把长度设为不超过 {most}；当前为 {steps}。',
  },
  columns: {
    en: 'The file needs a column with at least 20 numbers, in at least 90 % of its rows, got {rows|row} without such a column.',
    zh: '文件中需要有一列至少包含 20 个数字，并且至少 90 % 的行是数字；已读取 {rows} 行，没有这样的列。',
  },
  noCsv: {
    en: 'Choose or drop a CSV file with a column of numbers.',
    zh: '请选择或拖入一个含有数字列的 CSV 文件。',
  },
  notNextInput: {
    en: 'This network does not predict its next input, so it cannot generate text. Choose the problem Characters of a text.',
    zh: '这个网络预测的不是下一个输入，因此无法生成文本。请选择任务“文本字符预测”。',
  },
  notOpen: {
    en: '{path} is not open any more; open it again.',
    zh: '{path} 已不在打开状态，请重新打开。',
  },
  emptyText: { en: 'The text is empty. Enter a text to translate.', zh: '文本为空。请输入要翻译的文本。' },
} as const;

type Values = Readonly<Record<string, string | number>>;

/** Fills in the values. `{count|row}` becomes `1 row` or `2 rows`. */
const filled = (text: string, values: Values): string =>
  text.replace(/\{(\w+)\|?(\w*)\}/g, (match, name, noun) => {
    const value = values[name] ?? match;
    return noun === '' ? String(value) : `${value} ${noun}${value === 1 ? '' : 's'}`;
  });

/** An error caused by the input of a visitor. */
export class InputError extends Error {
  readonly key: keyof typeof MESSAGES;
  readonly values: Values;

  constructor(key: keyof typeof MESSAGES, values: Values = {}) {
    super(filled(MESSAGES[key].en, values));
    this.key = key;
    this.values = values;
  }
}

/** The data of an `InputError`. */
export interface InputMistake {
  key: keyof typeof MESSAGES;
  values: Values;
}

/** The data of any other error. */
export interface LibraryError {
  /** The `code` of the error, such as `format` for an error of Unroll; null: the error has none. */
  code: string | null;
  /** In English. */
  message: string;
}

export type ErrorData = InputMistake | LibraryError;

export function errorData(error: unknown): ErrorData {
  if (error instanceof InputError) return { key: error.key, values: error.values };
  if (error instanceof ReceivedError) return error.data;
  if (!(error instanceof Error)) return { code: null, message: String(error) };
  return { code: 'code' in error ? String(error.code) : null, message: error.message };
}

/** An error that the worker sent as data. */
export class ReceivedError extends Error {
  readonly data: ErrorData;

  constructor(data: ErrorData) {
    super('key' in data ? mistakeText(data, 'en') : data.message);
    this.data = data;
  }
}

export const mistakeText = ({ key, values }: InputMistake, lang: 'en' | 'zh'): string =>
  filled(MESSAGES[key][lang], values);
