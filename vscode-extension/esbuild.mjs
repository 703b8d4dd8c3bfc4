// node esbuild.mjs           bundles the extension into dist/extension.js, the panel's page into dist/panel.js and .css
// node esbuild.mjs --tests   compiles the unit tests of the pure cores into dist-test/
import { readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const tests = process.argv.includes('--tests');
const outdir = tests ? 'dist-test' : 'dist';
const common = { bundle: true, outdir, minifySyntax: !tests, legalComments: 'eof', logLevel: 'warning' };
rmSync(outdir, { recursive: true, force: true });
await build({
  ...common,
  entryPoints: tests
    ? readdirSync('src/test/unit').map((name) => `src/test/unit/${name}`)
    : ['src/extension.ts'],
  platform: 'node',
  target: 'node20', // the Node of the oldest VS Code that package.json's engines name
  format: 'cjs',
  outExtension: tests ? { '.js': '.test.cjs' } : {},
  external: ['vscode'],
  sourcemap: tests ? 'inline' : false,
});
if (!tests) {
  await build({
    ...common,
    entryPoints: ['webview/panel.ts', 'webview/panel.css'],
    platform: 'browser',
    target: 'chrome128', // of the oldest VS Code
    format: 'iife',
    minify: true,
  });
}
