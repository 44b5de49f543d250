/** The type of the merged options: an option with a default is never undefined. */
type WithDefaults<D, O> = { [K in keyof O]-?: K extends keyof D ? Exclude<O[K], undefined> : O[K] };

/** Merges options with their defaults. Unlike with object spread, an undefined option gets its default. */
export function withDefaults<D extends object, O extends object>(
  defaults: D,
  options: O,
): WithDefaults<D, O> {
  const setOptions = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(setOptions) } as WithDefaults<D, O>;
}
