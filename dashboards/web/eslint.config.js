import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

import svelteConfig from './svelte.config.js';

export default ts.config(
  { ignores: ['dist/', 'node_modules/', 'shots/'] },
  js.configs.recommended,
  ...ts.configs.recommended,
  ...svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser } } },
  { files: ['dev/**', '*.js', '*.ts'], languageOptions: { globals: { ...globals.node } } },
  { rules: { '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }] } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig } },
  },
  {
    files: ['src/**'],
    rules: {
      'max-lines': ['error', { max: 300 }],
      // Event text is written by attackers: it is always text.
      'svelte/no-at-html-tags': 'error',
      // Addresses are ours alone; there is no SvelteKit router to resolve them.
      'svelte/no-navigation-without-resolve': 'off',
      'svelte/require-each-key': 'error',
      // A space at the edge of a block is trimmed; `{' · '}` keeps it. Patterns with braces need a mustache, too.
      'svelte/no-useless-mustaches': 'off',
      // Maps and sets here are local to one derivation; nothing mutates them afterwards.
      'svelte/prefer-svelte-reactivity': 'off',
      'no-restricted-properties': ['error', { property: 'innerHTML', message: 'event text is always text' }],
      eqeqeq: 'error',
    },
  },
  { files: ['src/i18n/*.ts', 'src/lib/types.ts'], rules: { 'max-lines': 'off' } },
);
