// Every page with hostile log lines in the store: text stays text, nothing runs, nothing leaves the server.
import { base, finish, open, problems, shot } from './harness.mjs';

const tab = await open();
await tab.goto(`${base}/login`, { waitUntil: 'networkidle' });
await tab.fill('[name=username]', process.env.CHIENG_NAME);
await tab.fill('[name=password]', process.env.CHIENG_PASSWORD);
await tab.keyboard.press('Enter');
await tab.waitForURL(`${base}/`);

const pages = ['/', '/hunt', '/hunt?q=onerror', '/hunt/analysis?q=onerror', '/hunt/analysis?tab=different', '/alerts', '/systems', '/systems/dvc', '/sources', '/proof', '/proof?event=%3Cimg%20src%3Dx%3E', '/hunt/jobs', '/hunt?q=%7C%20timechart%20count()%20by%20message', '/rules', '/oncall', '/users', '/khong-co'];
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

// Pasted indicators, some of them markup; the answer has the hostile lines' own systems and fields in it.
await tab.goto(`${base}/hunt/paste`, { waitUntil: 'networkidle' });
await tab.locator('textarea').fill('203.0.113[.]9 <img src=x onerror=alert(1)> evil[.]example hxxp://evil.example/<svg onload=alert(1)>');
await tab.keyboard.press('Control+Enter');
await tab.getByRole('link', { name: '203.0.113.9' }).waitFor();
await shot(tab, 'hostile-paste');

// Live: what arrives while the page is open.
await tab.goto(`${base}/hunt?live=1&q=onerror`, { waitUntil: 'load' });
await tab.getByText('Đang theo dõi trực tiếp').waitFor();
const { createSocket } = await import('node:dgram');
const [host, port] = process.env.CHIENG_UDP.split(':');
const socket = createSocket('udp4');
socket.send('<13>Nov 23 08:00:09 web01 app: vừa đến <img src=x onerror=alert(1)>', Number(port), host, () => socket.close());
await tab.getByText('vừa đến <img src=x onerror=alert(1)>').first().waitFor();
await shot(tab, 'hostile-live');

// Phone, English, dark.
const phone = await open({ viewport: { width: 390, height: 844 }, storageState: await tab.context().storageState(), colorScheme: 'dark' });
for (const path of ['/', '/hunt?q=onerror', '/systems', '/alerts']) {
  await phone.goto(base + path, { waitUntil: 'networkidle' });
  const width = await phone.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (width > 1) problems.push(`phone ${path}: ${width}px wider than the window`);
  await shot(phone, `phone-${path.replaceAll(/[^a-z0-9]+/g, '-')}`);
}
await finish();
