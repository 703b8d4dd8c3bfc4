// node esbuild.mjs           bundles the extension into dist/extension.js
// node esbuild.mjs --tests   compiles the unit tests of the pure cores into dist-test/
import { readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const tests = process.argv.includes('--tests');
const outdir = tests ? 'dist-test' : 'dist';
rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: tests
    ? readdirSync('src/test/unit').map((name) => `src/test/unit/${name}`)
    : ['src/extension.ts'],
  bundle: true,
  platform: 'node',
  target: 'node20', // the Node of the oldest VS Code that package.json's engines name
  format: 'cjs',
  outdir,
  outExtension: tests ? { '.js': '.test.cjs' } : {},
  external: ['vscode'],
  minifySyntax: !tests,
  legalComments: 'eof',
  sourcemap: tests ? 'inline' : false,
  logLevel: 'warning',
});
