/** Starts the page. */
import { effect } from '@preact/signals';
import { render } from 'preact';
import { isDark } from './charts/palette.js';
import { lang } from './i18n/index.js';
import { start } from './state/actions.js';
import { App, shortcuts } from './ui/app.js';

effect(() => {
  document.documentElement.dataset.theme = isDark.value ? 'dark' : 'light';
});
effect(() => {
  document.documentElement.lang = lang.value;
});
start();
addEventListener('keydown', shortcuts);
render(<App />, document.getElementById('app') ?? document.body);
