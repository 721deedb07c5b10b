// Asserts the size of what the first paint loads: JavaScript that index.html reaches without a dynamic import, gzip.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const SHELL_JS_MAX = 200_000;
const dist = new URL('../dist/', import.meta.url);
const html = readFileSync(new URL('index.html', dist), 'utf8');
const files = readdirSync(new URL('assets/', dist));
const bytes = (name) => gzipSync(readFileSync(new URL(`assets/${name}`, dist)), { level: 9 }).length;

const shell = new Set();
function reach(name) {
  if (shell.has(name) || !files.includes(name)) return;
  shell.add(name);
  const text = readFileSync(new URL(`assets/${name}`, dist), 'utf8');
  for (const found of text.matchAll(/(?:from|import)\s*["']\.\/([\w.-]+\.js)["']/g)) reach(found[1]);
}
for (const found of html.matchAll(/assets\/([\w.-]+\.(?:js|css))/g)) reach(found[1]);

const rows = files.filter((name) => /\.(js|css)$/.test(name)).map((name) => [bytes(name), shell.has(name) ? 'shell' : 'page', name]);
rows.sort((a, b) => b[0] - a[0]);
for (const [size, kind, name] of rows) console.log(String(size).padStart(8), kind, name);
const sum = (test) => rows.filter(test).reduce((n, [size]) => n + size, 0);
const js = sum(([, kind, name]) => kind === 'shell' && name.endsWith('.js'));
console.log(`shell js ${js} B gzip, shell css ${sum(([, kind, name]) => kind === 'shell' && name.endsWith('.css'))} B gzip, all js ${sum(([, , name]) => name.endsWith('.js'))} B gzip`);
console.log(`fonts ${files.filter((name) => name.endsWith('.woff2')).reduce((n, name) => n + readFileSync(new URL(`assets/${name}`, dist)).length, 0)} B`);
if (js > SHELL_JS_MAX) {
  console.error(`shell JavaScript is over ${SHELL_JS_MAX} B`);
  process.exit(1);
}
