/** Characters that would not be seen get a sign. */
export const visible = (token: string): string => ({ ' ': '␣', '\n': '↵', '\t': '⇥' })[token] ?? token;
