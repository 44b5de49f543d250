/** Returns a visible sign for a space, line break or tab; other tokens are returned unchanged. */
export const visible = (token: string): string => ({ ' ': '␣', '\n': '↵', '\t': '⇥' })[token] ?? token;
