import { signal } from '@preact/signals';

/** Whether the tour is open. */
export const tourOpen = signal(false);
