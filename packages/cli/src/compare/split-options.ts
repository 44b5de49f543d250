/** Separates the options of `unroll compare` from those of the task. */
import { type ParsedArgs, parseOptions, UsageError } from '../shared/args.js';

const OPTIONS = {
  cells: { type: 'string' },
  seeds: { type: 'string' },
  out: { type: 'string' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean' },
} as const;
/** Options of a task that a comparison does not accept, and the option to use instead. */
const EXCLUDED_OPTIONS = {
  cell: '--cells',
  seed: '--seeds',
  resume: undefined,
  'dry-run': undefined,
} as const;

/**
 * Returns the options of `unroll compare`, and the remaining arguments, in their order, as the arguments of the task.
 * @throws UsageError for options that a comparison does not accept, and for invalid values
 */
export function splitOptions(args: readonly string[]): { options: ParsedArgs; taskArguments: string[] } {
  const options: string[] = [];
  const taskArguments: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const [name] = args[i].replace(/^--/, '').split('=', 1);
    const isOption = args[i].startsWith('--');
    if (isOption && Object.hasOwn(EXCLUDED_OPTIONS, name)) {
      const replacement = EXCLUDED_OPTIONS[name as keyof typeof EXCLUDED_OPTIONS];
      const hint = replacement ? `Set ${replacement}.` : 'Leave it out.';
      throw new UsageError(`--${name} cannot be used in a comparison. ${hint}`);
    }
    if (!isOption || !Object.hasOwn(OPTIONS, name)) {
      taskArguments.push(args[i]);
      continue;
    }
    options.push(args[i]);
    const takesValue = OPTIONS[name as keyof typeof OPTIONS].type === 'string' && !args[i].includes('=');
    if (takesValue && i + 1 < args.length) options.push(args[++i]);
  }
  return { options: parseOptions(options, OPTIONS), taskArguments };
}
