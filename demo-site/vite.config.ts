import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

/** The MNIST subset has one copy in the repository; the site serves it under this name. */
const SUBSET_NAME = 'mnist-subset.bin.gz';
const subsetPath = fileURLToPath(new URL('../runtime/src/data/mnist_subset.bin.gz', import.meta.url));

function mnistSubset(): Plugin {
  return {
    name: 'mnist-subset',
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        if (request.url?.split('?')[0]?.endsWith(`/${SUBSET_NAME}`) !== true) return next();
        response.setHeader('Content-Type', 'application/gzip');
        createReadStream(subsetPath).on('error', next).pipe(response);
      });
    },
    generateBundle() {
      if (!existsSync(subsetPath)) {
        this.error(`${subsetPath} is missing; it is part of the repository`);
      }
      this.emitFile({ type: 'asset', fileName: SUBSET_NAME, source: readFileSync(subsetPath) });
    },
  };
}

/** Written into the built page only: the development server needs inline styles for reloading. */
const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "img-src 'self' data: blob:",
  "worker-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
].join('; ');

function contentSecurityPolicy(): Plugin {
  return {
    name: 'content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: POLICY },
        injectTo: 'head-prepend',
      },
    ],
  };
}

export default defineConfig({
  base: './',
  plugins: [mnistSubset(), contentSecurityPolicy()],
  // The package finds its .wasm file beside its module; pre-bundling would move the one without the other.
  optimizeDeps: { exclude: ['gradling'] },
  server: { fs: { allow: ['..'] } },
  worker: { format: 'es' },
  build: { target: 'es2022', modulePreload: { polyfill: false } },
});
