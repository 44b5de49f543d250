/** Returns a number with its noun, which is in the plural unless the number is 1: `1 value`, `2 values`. */
export const countText = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
