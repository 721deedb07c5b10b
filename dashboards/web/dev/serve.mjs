// Serves dist/ as the product does — strict CSP, index.html for unknown paths — with the mock API. `node dev/serve.mjs [port]`
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';

import { mockApi } from './mock/api.mjs';

const DIST = new URL('../dist/', import.meta.url).pathname;
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };
export const CSP = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

export function serve(port = 0) {
  const server = createServer(async (req, res) => {
    if (mockApi(req, res)) return;
    const path = normalize(new URL(req.url, 'http://x').pathname);
    const file = await readFile(join(DIST, path)).catch(() => null);
    res.setHeader('content-security-policy', CSP);
    res.setHeader('content-type', file ? (TYPES[extname(path)] ?? 'application/octet-stream') : TYPES['.html']);
    res.end(file ?? (await readFile(join(DIST, 'index.html'))));
  });
  return new Promise((done) => server.listen(port, '127.0.0.1', () => done(server)));
}

if (process.argv[1]?.endsWith('serve.mjs')) {
  const server = await serve(Number(process.argv[2] ?? 4173));
  console.log(`http://127.0.0.1:${server.address().port}/`);
}
