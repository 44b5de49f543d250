/** Options of which those with a default are never undefined. */
type Filled<D, O> = { [K in keyof O]-?: K extends keyof D ? Exclude<O[K], undefined> : O[K] };

/** Options on top of their defaults. An option that is undefined counts as left out, which a spread would not do. */
export function withDefaults<D extends object, O extends object>(defaults: D, options: O): Filled<D, O> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) } as Filled<D, O>;
}
