import tseslint from 'typescript-eslint';

const PURE = [
  'protocol', 'settings', 'resolve', 'statusView', 'shown', 'backoff', 'deadline', 'energyStops', 'explanation',
  'l10n', 'quantities', 'noReport', 'outlook', 'panelModel', 'panelHtml', 'panelMessages', 'why', 'providers', 'setup/*',
];

export default tseslint.config(
  { ignores: ['dist/', 'dist-test/', 'dist-vsix/', 'node_modules/'] },
  {
    files: ['src/**/*.ts', 'webview/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      'max-len': ['error', { code: 120, ignoreStrings: true, ignoreTemplateLiterals: true }],
      'max-lines-per-function': ['error', { max: 70 }],
      'max-lines': ['error', { max: 400 }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },
  {
    // the pure cores run in plain Node, so that their tests need no editor
    files: [...PURE.map((name) => `src/${name}.ts`), 'src/test/unit/*.ts'],
    rules: {
      'no-restricted-imports': ['error', { patterns: ['vscode', 'vscode-languageclient*'] }],
    },
  },
  {
    // describe and it return promises that the runner itself awaits
    files: ['src/test/**/*.ts'],
    rules: { '@typescript-eslint/no-floating-promises': 'off', 'max-lines-per-function': 'off' },
  },
);
