/** Views that are loaded when they are first opened, so that the page starts sooner. */
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { failureOf } from '../state/failure.js';
import * as store from '../state/store.js';
import { Waiting } from './panel.js';

type View = () => ComponentChildren;

/** Returns a view that is loaded when it is first shown. @param load imports the module and returns its view */
export function lazy(load: () => Promise<View>): View {
  const loaded = signal<{ view: View } | null>(null);
  let started = false;
  return () => {
    if (loaded.value) {
      const { view: Loaded } = loaded.value;
      return <Loaded />;
    }
    if (!started) {
      started = true;
      load().then(
        (view) => (loaded.value = { view }),
        (error: Error) => {
          started = false;
          store.failure.value = failureOf('advice_part', error);
        },
      );
    }
    return <Waiting />;
  };
}
