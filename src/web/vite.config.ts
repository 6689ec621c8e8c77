import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** The pages, without a line of inline script or style: the content security policy allows none. */
export default defineConfig({
  root: here('.'),
  cacheDir: here('../../build/web-cache'),
  publicDir: false,
  plugins: [react()],
  build: {
    outDir: here('../../build/web'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: { input: { index: here('index.html'), calibrate: here('calibrate.html'), missing: here('missing.html') } },
  },
});
