import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

export default defineConfig({
  root: dirname(fileURLToPath(import.meta.url)),
  // Relative addresses, so that the page works in any folder of any web host.
  base: './',
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  worker: { format: 'es', rolldownOptions: { checks: { pluginTimings: false } } },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    // The content security policy allows neither inline scripts nor data URLs of scripts and WebAssembly.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The code that reads HDF5 files takes 5 MB. It is loaded only when such a file is opened.
    chunkSizeWarningLimit: 6000,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
});
