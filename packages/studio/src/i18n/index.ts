/** The texts of the page in English and Chinese. */
import { signal } from '@preact/signals';
import { en } from './en.js';
import { zh } from './zh.js';

export type Lang = 'en' | 'zh';
export type TextKey = keyof typeof en;

const fromAddress = new URLSearchParams(location.hash.slice(1)).get('lang');
const preferred: Lang = navigator.language.startsWith('zh') ? 'zh' : 'en';
export const lang = signal<Lang>(fromAddress === 'zh' || fromAddress === 'en' ? fromAddress : preferred);

/** Returns a text in the current language, with its placeholders `{name}` replaced. */
export function t(key: TextKey, values: Readonly<Record<string, string | number>> = {}): string {
  const text = (lang.value === 'zh' ? zh : en)[key];
  return text.replace(/\{(\w+)\}/g, (match, name) => String(values[name] ?? match));
}
