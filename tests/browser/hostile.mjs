// Every page with hostile log lines in the store: text stays text, nothing runs, nothing leaves the server.
import { base, finish, open, problems, shot } from './harness.mjs';

const tab = await open();
await tab.goto(`${base}/login`, { waitUntil: 'networkidle' });
await tab.fill('[name=username]', process.env.CHIENG_NAME);
await tab.fill('[name=password]', process.env.CHIENG_PASSWORD);
await tab.keyboard.press('Enter');
await tab.waitForURL(`${base}/`);

const pages = ['/', '/hunt', '/hunt?q=onerror', '/alerts', '/systems', '/systems/dvc', '/sources', '/rules', '/oncall', '/users', '/khong-co'];
for (const path of pages) {
  await tab.goto(base + path, { waitUntil: 'networkidle' });
  await tab.locator('h1, main').first().waitFor();
  const injected = await tab.evaluate(() => document.querySelectorAll('img[src="x"], script:not([src]), [onerror], [onload]').length);
  if (injected > 0) problems.push(`${path}: markup of a log line became an element`);
  const width = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (width > 1) problems.push(`${path}: the page is ${width}px wider than its window`);
  await shot(tab, `hostile-${path.replaceAll(/[^a-z0-9]+/g, '-')}`);
}

// The event itself, opened by keys.
await tab.goto(`${base}/hunt?q=onerror`, { waitUntil: 'networkidle' });
await tab.getByText(/dòng/).first().waitFor();
await tab.keyboard.press('j');
await tab.keyboard.press('Enter');
await tab.getByRole('complementary', { name: 'Sự kiện' }).waitFor();
await tab.getByRole('complementary', { name: 'Sự kiện' }).getByText('onerror', { exact: false }).locator('visible=true').first().waitFor();
await shot(tab, 'hostile-event');

// Phone, English, dark.
const phone = await open({ viewport: { width: 390, height: 844 }, storageState: await tab.context().storageState(), colorScheme: 'dark' });
for (const path of ['/', '/hunt?q=onerror', '/systems', '/alerts']) {
  await phone.goto(base + path, { waitUntil: 'networkidle' });
  const width = await phone.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (width > 1) problems.push(`phone ${path}: ${width}px wider than the window`);
  await shot(phone, `phone-${path.replaceAll(/[^a-z0-9]+/g, '-')}`);
}
await finish();
