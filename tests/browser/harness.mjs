// What the browser scripts share: a real Chromium on the real server, and the list of everything that must not happen.
// The server's addresses come in by environment variables; see tests/it/browser.rs.
import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(here, '../../dashboards/web/package.json'));
const { chromium } = require('playwright-core');

export const base = process.env.CHIENG_BASE;
export const udp = process.env.CHIENG_UDP;
const shots = process.env.CHIENG_SHOTS;
export const problems = [];

/** The deadline of every wait: long enough for a machine that builds and tests at the same time. */
const DEADLINE_MS = 90_000;

export const browser = await chromium.launch({
  timeout: DEADLINE_MS,
  executablePath: process.env.CHIENG_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});

// Opens a page that reports script errors, dialogs, policy violations and requests to other hosts.
export async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 }, timezoneId: 'Asia/Ho_Chi_Minh', ...options });
  context.setDefaultTimeout(DEADLINE_MS);
  const tab = await context.newPage();
  tab.on('pageerror', (error) => problems.push(`script error: ${error}`));
  tab.on('dialog', (dialog) => (problems.push(`a dialog opened: ${dialog.message()}`), dialog.dismiss()));
  tab.on('console', (message) => {
    if (message.type() === 'error' && !/status of [45]\d\d/.test(message.text())) problems.push(`console: ${message.text()}`);
  });
  tab.on('request', (request) => {
    if (!request.url().startsWith(base) && !request.url().startsWith('data:')) problems.push(`a request left the server: ${request.url()}`);
  });
  return tab;
}

export async function shot(tab, name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await tab.screenshot({ path: join(shots, `${name}.png`) });
}

// Ends the script; what must not happen has not happened.
export async function finish() {
  await browser.close();
  if (problems.length > 0) {
    console.error(problems.join('\n'));
    process.exit(1);
  }
}
