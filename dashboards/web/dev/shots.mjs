// Screenshots of every page × language × theme × size into shots/, over dist/ with the product's CSP and the mock API.
// `node dev/shots.mjs [name…]` takes only some pages; SHOTS=vi-light-1366 only some variants. Fails on any CSP violation,
// script error, hostile line that ran, or page wider than its window.
import { mkdirSync } from 'node:fs';

import { chromium } from 'playwright-core';

import { serve } from './serve.mjs';

const PAGES = {
  home: '/', hunt: '/hunt', 'hunt-panel': '/hunt?q=Failed', 'hunt-error': '/hunt?q=ssh+(lỗi', 'hunt-sql': '/hunt?mode=sql&q=SELECT+source.ip%2C+count(*)+FROM+events+GROUP+BY+source.ip', 'hunt-empty': '/hunt?q=khongcogi', 'hunt-failed': '/hunt?q=hỏng', 'hunt-partial': '/hunt?q=GET',
  paste: '/hunt/paste', patterns: '/hunt/analysis?q=Failed', different: '/hunt/analysis?tab=different', 'hunt-saved': '/hunt', 'hunt-around': '/hunt?q=Failed', 'hunt-live': '/hunt?live=1', alerts: '/alerts', incident: '/incidents/i2', systems: '/systems', 'systems-table': '/systems?view=table', system: '/systems/taichinh', 'system-none': '/systems/phananh', sources: '/sources', proof: '/proof', 'proof-event': '/proof?event=n1-1204-3', jobs: '/hunt/jobs?job=3', 'hunt-chart': '/hunt?q=%7C+timechart+span%3D1h+count()+by+event.dataset', rules: '/rules', oncall: '/oncall', users: '/users', firsthour: '/first-hour', notfound: '/khong-co', login: '/login', setup: '/setup?token=abc-123',
};
const SIZES = { 1366: { width: 1366, height: 768 }, 390: { width: 390, height: 844 } };
const ACT = {
  'hunt-panel': async (page) => { await page.keyboard.press('j'); await page.keyboard.press('j'); await page.keyboard.press('Enter'); await page.waitForTimeout(250); },
  'hunt-saved': async (page) => { await page.getByRole('button', { name: /^(Đã lưu|Saved)/ }).click(); await page.locator('.pop li').first().waitFor(); },
  'hunt-around': async (page) => { await page.keyboard.press('j'); await page.keyboard.press('Enter'); await page.locator('aside summary').click(); await page.locator('aside ol li').nth(3).waitFor(); await page.locator('aside ol').scrollIntoViewIfNeeded(); },
  'hunt-live': async (page) => { await page.locator('.line').nth(8).waitFor(); },
  paste: async (page) => { await page.locator('textarea').fill('10.20.3.44 198.51.100.9 185.220.101.7 evil[.]example hxxp://cdn[.]evil[.]example/<script>document.title="owned"</script> d41d8cd98f00b204e9800998ecf8427e 10.0.0.0/8 an[at]evil.example xin \u202echào'); await page.keyboard.press('Control+Enter'); await page.locator('table').waitFor(); },
  system: async (page) => { await page.locator('[data-why]').first().click().catch(() => {}); await page.waitForTimeout(250); },
  firsthour: async (page) => { await page.locator('[data-device=rsyslog]').click().catch(() => {}); await page.waitForTimeout(200); },
};

const only = process.argv.slice(2);
const variants = process.env.SHOTS?.split(',') ?? ['vi', 'en'].flatMap((lang) => ['light', 'dark'].flatMap((theme) => Object.keys(SIZES).map((size) => `${lang}-${theme}-${size}`)));
mkdirSync(new URL('../shots/', import.meta.url), { recursive: true });
const server = await serve();
const origin = `http://127.0.0.1:${server.address().port}`;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
const problems = [];

for (const variant of variants) {
  const [lang, theme, size] = variant.split('-');
  const context = await browser.newContext({ viewport: SIZES[size], locale: 'vi-VN', timezoneId: 'UTC' });
  await context.addInitScript((prefs) => localStorage.setItem('chieng.prefs', prefs), JSON.stringify({ lang, theme, keys: true }));
  for (const [name, path] of Object.entries(PAGES)) {
    if (only.length > 0 && !only.includes(name)) continue;
    const page = await context.newPage();
    page.on('console', (message) => message.type() === 'error' && !/status of 4\d\d|status of 5\d\d/.test(message.text()) && problems.push(`${variant} ${name}: ${message.text()}`));
    page.on('pageerror', (error) => problems.push(`${variant} ${name}: ${error}`));
    page.on('dialog', (dialog) => { problems.push(`${variant} ${name}: dialog ${dialog.message()}`); dialog.dismiss(); });
    await page.request.get(`${origin}/api/mock?in=${name === 'login' || name === 'setup' ? 0 : 1}&setup=${name === 'setup' ? 1 : 0}`);
    await page.goto(origin + path, { waitUntil: path.includes('live=1') ? 'load' : 'networkidle' });
    await page.waitForTimeout(250);
    await ACT[name]?.(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) problems.push(`${variant} ${name}: ${wide} px wider than the window`);
    if ((await page.title()) === 'owned') problems.push(`${variant} ${name}: hostile line ran`);
    await page.screenshot({ path: new URL(`../shots/${name}-${variant}.png`, import.meta.url).pathname, fullPage: process.env.FULL === '1' });
    await page.close();
  }
  await context.close();
}
await browser.close();
server.close();
console.log(problems.length > 0 ? problems.join('\n') : 'no problems');
process.exit(problems.length > 0 ? 1 : 0);
