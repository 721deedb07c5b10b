// Walks through the application in a real browser as people do, over dist/ with the product's CSP and the mock API: keys,
// input methods, filters, brush, cancel, languages, themes, hostile text, the first hour. Ends with the first thing that is wrong.
import assert from 'node:assert/strict';

import { chromium } from 'playwright-core';

import { serve } from './serve.mjs';

const server = await serve();
const origin = `http://127.0.0.1:${server.address().port}`;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
const problems = [];

async function page(path = '/', size = { width: 1366, height: 768 }) {
  const context = await browser.newContext({ viewport: size, timezoneId: 'UTC' });
  const tab = await context.newPage();
  tab.on('pageerror', (error) => problems.push(String(error)));
  tab.on('console', (message) => message.type() === 'error' && !/status of [45]\d\d/.test(message.text()) && problems.push(message.text()));
  tab.on('dialog', (dialog) => (problems.push(`dialog: ${dialog.message()}`), dialog.dismiss()));
  await tab.request.get(`${origin}/api/mock?in=1`);
  await tab.goto(origin + path, { waitUntil: 'networkidle' });
  return tab;
}
const query = (tab) => new URL(tab.url()).searchParams;
const rows = (tab) => tab.locator('[role=grid] [role=row][aria-rowindex]:not([aria-rowindex="1"])');

const WALKS = {
  async 'login: wrong, locked, then back to the wanted page'() {
    const tab = await page('/');
    await tab.request.get(`${origin}/api/mock?in=0`);
    await tab.goto(`${origin}/systems?level=3`, { waitUntil: 'networkidle' });
    assert.match(tab.url(), /\/login\?next=/);
    await tab.fill('[name=username]', 'admin');
    await tab.fill('[name=password]', 'sai');
    await tab.keyboard.press('Enter');
    await tab.getByText('Sai tên đăng nhập hoặc mật khẩu.').waitFor();
    await tab.fill('[name=password]', 'khoa');
    await tab.keyboard.press('Enter');
    await tab.getByText('Đợi 40 giây').waitFor();
    await tab.fill('[name=password]', 'đúng mật khẩu');
    await tab.keyboard.press('Enter');
    await tab.waitForURL('**/systems?level=3');
    await tab.close();
  },
  async 'login never follows an address of another site'() {
    const tab = await page('/');
    await tab.request.get(`${origin}/api/mock?in=0`);
    await tab.goto(`${origin}/login?next=//evil.example/x`, { waitUntil: 'networkidle' });
    await tab.fill('[name=username]', 'a');
    await tab.fill('[name=password]', 'b');
    await tab.keyboard.press('Enter');
    await tab.waitForURL(`${origin}/`);
    await tab.close();
  },
  async 'language and theme change without a reload'() {
    const tab = await page('/systems');
    await tab.evaluate(() => (window.stayed = true));
    await tab.getByRole('button', { name: 'Tuỳ chọn' }).click();
    await tab.getByRole('button', { name: 'English' }).click();
    await tab.getByRole('button', { name: 'Dark' }).click();
    await tab.keyboard.press('Escape');
    await tab.getByRole('heading', { name: 'Systems', exact: true }).waitFor();
    assert.equal(await tab.evaluate(() => document.documentElement.dataset.theme + document.documentElement.lang + window.stayed), 'darkentrue');
    await tab.keyboard.press('t');
    assert.equal(await tab.evaluate(() => document.documentElement.dataset.theme), 'light');
    await tab.close();
  },
  async 'keys: g goes, ? explains, the switch turns them off'() {
    const tab = await page('/');
    await tab.keyboard.press('g');
    await tab.keyboard.press('a');
    await tab.waitForURL('**/alerts');
    await tab.keyboard.press('/');
    await tab.waitForURL('**/hunt');
    await tab.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA');
    await tab.keyboard.press('Escape');
    await tab.keyboard.press('Shift+Slash');
    await tab.getByRole('heading', { name: 'Phím tắt' }).waitFor();
    await tab.keyboard.press('Escape');
    await tab.getByRole('button', { name: 'Tuỳ chọn' }).click();
    await tab.getByRole('checkbox').uncheck();
    await tab.keyboard.press('Escape');
    await tab.keyboard.press('g');
    await tab.keyboard.press('h');
    await tab.waitForTimeout(150);
    assert.match(tab.url(), /\/hunt$/);
    await tab.close();
  },
  async 'hunt: type, open by keys, filter for and out, undo by the back button'() {
    const tab = await page('/hunt');
    await tab.keyboard.press('/');
    await tab.keyboard.type('Failed');
    await tab.keyboard.press('Enter');
    await tab.waitForURL('**/hunt?q=Failed');
    await tab.keyboard.press('Escape');
    await tab.getByText(/^\d+ dòng/).first().waitFor();
    await tab.keyboard.press('j');
    await tab.keyboard.press('j');
    await tab.keyboard.press('Enter');
    await tab.getByRole('complementary', { name: 'Sự kiện' }).waitFor();
    const first = query(tab).get('sel');
    await tab.keyboard.press('j');
    await tab.waitForFunction((old) => new URL(location.href).searchParams.get('sel') !== old, first);
    await tab.locator('.field-row', { hasText: 'event.dataset' }).hover();
    await tab.getByRole('button', { name: 'Chỉ giữ: event.dataset' }).click();
    await tab.waitForFunction(() => new URL(location.href).searchParams.get('q') === 'Failed and event.dataset:sshd.auth');
    await tab.keyboard.press('Escape');
    await tab.getByRole('region', { name: 'Hệ thống' }).getByRole('button', { name: /^Loại ra: / }).first().click();
    await tab.waitForFunction(() => new URL(location.href).searchParams.get('q').includes('and not system.id:'));
    await tab.goBack();
    await tab.waitForFunction(() => new URL(location.href).searchParams.get('q') === 'Failed and event.dataset:sshd.auth');
    assert.equal(await tab.locator('textarea').inputValue(), 'Failed and event.dataset:sshd.auth');
    await tab.close();
  },
  async 'hunt: composing Vietnamese runs nothing'() {
    const tab = await page('/hunt');
    await tab.locator('body').dispatchEvent('keydown', { code: 'KeyJ', key: 'Process', isComposing: true });
    assert.equal(await tab.locator('.current').count(), 0);
    await tab.locator('textarea').focus();
    await tab.locator('textarea').dispatchEvent('keydown', { code: 'Enter', key: 'Enter', isComposing: true });
    assert.equal(tab.url(), `${origin}/hunt`);
    await tab.close();
  },
  async 'hunt: only rows on screen exist, more load at the end'() {
    const tab = await page('/hunt');
    assert.ok((await rows(tab).count()) < 60);
    const scroller = tab.locator('[role=grid]');
    await scroller.evaluate((box) => box.scrollTo(0, box.scrollHeight));
    await tab.getByRole('button', { name: 'Tải thêm dòng cũ hơn' }).click();
    await tab.getByText('1.000 dòng').first().waitFor();
    assert.ok((await rows(tab).count()) < 60);
    await tab.close();
  },
  async 'hunt+: pasted indicators are looked for, filtered, led to their events'() {
    const tab = await page('/hunt');
    await tab.getByRole('link', { name: 'Dò chỉ báo…' }).click();
    await tab.waitForURL('**/hunt/paste');
    await tab.locator('textarea').fill('10.20.3[.]44 evil[.]example\nhxxp://x.example/<b>a</b> chữ');
    await tab.keyboard.press('Control+Enter');
    await tab.getByRole('heading', { name: 'Gặp 1 trong 3 chỉ báo' }).waitFor();
    await tab.getByText('1 mẩu không phải chỉ báo').waitFor();
    await tab.getByRole('button', { name: /^Gặp 1/ }).click();
    await tab.waitForFunction(() => new URL(location.href).searchParams.get('state') === 'hit');
    assert.equal(await tab.locator('tbody tr').count(), 1);
    await tab.getByRole('link', { name: '10.20.3.44' }).click();
    await tab.waitForFunction(() => location.pathname === '/hunt' && new URL(location.href).searchParams.get('q') === '"10.20.3.44"');
    await tab.goBack();
    assert.match(await tab.locator('textarea').inputValue(), /^10\.20\.3\[\.\]44/);
    await tab.close();
  },
  async 'hunt+: live rows come, are held while one is read, go on'() {
    const tab = await page('/hunt');
    await tab.getByRole('button', { name: 'Trực tiếp' }).click();
    await tab.waitForFunction(() => new URL(location.href).searchParams.get('live') === '1');
    await tab.getByText('Đang theo dõi trực tiếp').waitFor();
    await tab.getByText(/bỏ lỡ 12 sự kiện/).waitFor();
    await rows(tab).first().click();
    await tab.getByText('Đang giữ yên').waitFor();
    const held = await rows(tab).count();
    await tab.getByRole('button', { name: /Chạy tiếp \(\d+\)/ }).waitFor();
    assert.equal(await rows(tab).count(), held);
    await tab.keyboard.press('Escape');
    await tab.waitForFunction((count) => document.querySelectorAll('.line').length > count, held);
    await tab.getByRole('button', { name: 'Trực tiếp', exact: true }).click();
    await tab.locator('.histogram').waitFor();
    await tab.close();
  },
  async 'hunt+: a search is saved under a name that stays text, and exported by a link'() {
    const tab = await page('/hunt?q=Failed');
    await tab.getByRole('button', { name: 'Đã lưu' }).click();
    await tab.getByRole('link', { name: 'Đăng nhập hỏng <img src=x>' }).waitFor();
    await tab.getByPlaceholder('Đặt tên cho câu tìm này').fill('Của tôi');
    await tab.keyboard.press('Enter');
    await tab.getByRole('link', { name: 'Của tôi' }).click();
    await tab.waitForFunction(() => new URL(location.href).searchParams.get('q') === 'Failed');
    await tab.getByRole('button', { name: 'Xuất tệp' }).click();
    const href = new URL(await tab.getByRole('link', { name: /^CSV/ }).getAttribute('href'), origin);
    assert.equal(href.pathname, '/api/v1/hunt/export');
    assert.equal(href.searchParams.get('q'), 'Failed');
    assert.ok(Date.parse(href.searchParams.get('from')) < Date.parse(href.searchParams.get('to')));
    await tab.close();
  },
  async 'hunt+: a question runs in the background, is taken away, removed'() {
    const tab = await page('/hunt?q=Failed');
    await tab.getByRole('button', { name: 'Chạy nền' }).click();
    await tab.getByText('Chưa có câu nào chạy nền.').waitFor();
    await tab.getByRole('button', { name: 'Chạy câu này trong nền' }).click();
    await tab.getByRole('progressbar').waitFor();
    const href = new URL(await tab.getByRole('link', { name: 'ndjson' }).getAttribute('href'), origin);
    assert.equal(href.pathname, '/api/v1/jobs/1/download');
    await tab.getByRole('button', { name: /^Bỏ câu chạy nền/ }).click();
    await tab.getByText('Chưa có câu nào chạy nền.').waitFor();
    await tab.close();
  },
  async 'hunt+: patterns and differences lead to events; before and after leads to neighbours'() {
    const tab = await page('/hunt?q=Failed');
    await tab.getByRole('link', { name: 'Phân tích' }).click();
    await tab.getByRole('link', { name: 'Xem sự kiện' }).first().click();
    await tab.waitForFunction(() => location.pathname === '/hunt' && /^Failed and "Failed password for/.test(new URL(location.href).searchParams.get('q')));
    await tab.goto(`${origin}/hunt/analysis?tab=different`, { waitUntil: 'networkidle' });
    await tab.getByRole('link', { name: '10.20.3.44' }).first().click();
    await tab.waitForFunction(() => new URL(location.href).searchParams.get('q') === 'source.ip:10.20.3.44');
    await rows(tab).first().click();
    await tab.getByText('Trước và sau').click();
    const first = query(tab).get('sel');
    await tab.locator('aside ol button').first().click();
    await tab.waitForFunction((old) => new URL(location.href).searchParams.get('sel') !== old, first);
    await tab.close();
  },
  async 'hunt: the histogram narrows the time'() {
    const tab = await page('/hunt');
    const box = await tab.locator('.histogram .u-over').boundingBox();
    await tab.mouse.move(box.x + box.width * 0.6, box.y + 20);
    await tab.mouse.down();
    await tab.mouse.move(box.x + box.width * 0.8, box.y + 20, { steps: 5 });
    await tab.mouse.up();
    await tab.waitForFunction(() => new URL(location.href).searchParams.get('from')?.startsWith('20'));
    const hours = (Date.parse(query(tab).get('to')) - Date.parse(query(tab).get('from'))) / 3.6e6;
    assert.ok(hours > 4 && hours < 6, `${hours} h`);
    await tab.close();
  },
  async 'hunt: a running search can be stopped and says so'() {
    const tab = await page('/hunt');
    await tab.fill('textarea', 'chậm');
    await tab.keyboard.press('Enter');
    await tab.getByRole('button', { name: 'Dừng' }).click();
    await tab.getByText('Đã dừng.').waitFor();
    await tab.close();
  },
  async 'hunt: a syntax error points at its place'() {
    const tab = await page('/hunt?q=🥁 (x');
    await tab.getByRole('button', { name: 'dòng 1, cột 3' }).click();
    assert.deepEqual(await tab.locator('textarea').evaluate((area) => [area.selectionStart, area.selectionEnd, document.activeElement === area]), [3, 4, true]);
    await tab.close();
  },
  async 'hunt: fields are suggested and accepted by keys'() {
    const tab = await page('/hunt');
    await tab.locator('textarea').click();
    await tab.waitForTimeout(100);
    await tab.keyboard.type('tai kh');
    await tab.fill('textarea', '');
    await tab.keyboard.type('user.n');
    await tab.getByRole('option', { name: 'user.name' }).waitFor();
    await tab.keyboard.press('ArrowDown');
    await tab.keyboard.press('Tab');
    assert.equal(await tab.locator('textarea').inputValue(), 'user.name:');
    await tab.close();
  },
  async 'hunt: commands are suggested behind a pipe, and their answer is a table'() {
    const tab = await page('/hunt');
    await tab.locator('textarea').click();
    await tab.keyboard.type('🥁 | sta');
    await tab.getByRole('option', { name: 'stats' }).waitFor();
    await tab.keyboard.press('ArrowDown');
    await tab.keyboard.press('Tab');
    assert.equal(await tab.locator('textarea').inputValue(), '🥁 | stats ');
    await tab.fill('textarea', '| stats count() by source.ip');
    await tab.keyboard.press('Enter');
    await tab.locator('[role=columnheader]', { hasText: 'count' }).waitFor();
    assert.ok(await rows(tab).count() > 0);
    await tab.close();
  },
  async 'hunt: a range is typed as dd/mm/yyyy HH:mm'() {
    const tab = await page('/hunt');
    await tab.getByRole('button', { name: '24 giờ qua' }).click();
    await tab.getByLabel('Từ').fill('31/02/2026 10:00');
    await tab.getByRole('button', { name: 'Áp dụng' }).click();
    await tab.getByText('Viết theo dạng').waitFor();
    await tab.getByLabel('Từ').fill('22/11/2026 08:30');
    await tab.getByLabel('Đến').fill('22/11/2026 09:00');
    await tab.getByRole('button', { name: 'Áp dụng' }).click();
    await tab.waitForFunction(() => new URL(location.href).searchParams.get('from') === '2026-11-22T01:30:00.000Z');
    await tab.close();
  },
  async 'hunt: hostile lines are text, long ones are cut'() {
    const tab = await page('/hunt?q=tim-kiem');
    await tab.keyboard.press('j');
    await tab.keyboard.press('Enter');
    await tab.getByRole('button', { name: /^mở \(9,8 KB\)/ }).first().waitFor();
    await tab.goto(`${origin}/hunt?q=onerror`, { waitUntil: 'networkidle' });
    await tab.keyboard.press('j');
    await tab.keyboard.press('Enter');
    await tab.getByRole('complementary').getByText('<img src=x onerror=').first().waitFor();
    assert.equal(await tab.locator('#app img, #app script').count(), 0);
    assert.notEqual(await tab.title(), 'owned');
    await tab.close();
  },
  async 'alerts: a takes the chosen incident, closing needs a class and a reason'() {
    const tab = await page('/alerts?status=open');
    const before = await tab.locator('li[data-index]').count();
    await tab.keyboard.press('j');
    await tab.keyboard.press('a');
    await tab.waitForFunction((n) => document.querySelectorAll('li[data-index]').length === n - 1, before);
    await tab.keyboard.press('j');
    await tab.keyboard.press('Enter');
    await tab.waitForURL('**/incidents/*');
    await tab.getByRole('button', { name: 'Đóng sự cố…' }).click();
    await tab.getByRole('button', { name: 'Đóng sự cố', exact: true }).click();
    assert.equal(await tab.locator('dialog[open]').count(), 1);
    await tab.getByLabel('Báo sai').check();
    await tab.getByLabel('Nội dung').fill('Máy quét của tỉnh');
    await tab.getByRole('button', { name: 'Đóng sự cố', exact: true }).click();
    await tab.getByText('Đã đóng').first().waitFor();
    await tab.close();
  },
  async 'system: why opens the question, its rows and the way to Hunt'() {
    const tab = await page('/systems/taichinh');
    await tab.locator('[data-why=log-retention]').click();
    await tab.getByText('Các dòng làm căn cứ').waitFor();
    await tab.getByRole('link', { name: 'Mở trong Săn tìm' }).click();
    await tab.waitForURL('**/hunt?q=system.id*');
    await tab.goto(`${origin}/systems/phananh`, { waitUntil: 'networkidle' });
    await tab.getByText('Chưa đủ căn cứ').first().waitFor();
    await tab.close();
  },
  async 'sources: an unknown sender is adopted with a reason'() {
    const tab = await page('/sources');
    await tab.getByRole('button', { name: 'Nhận vào hệ thống' }).first().click();
    await tab.locator('dialog select').selectOption('wan');
    await tab.getByLabel('Căn cứ').fill('Sơ đồ mạng tại hồ sơ đề xuất cấp độ');
    await tab.locator('dialog').getByRole('button', { name: 'Nhận vào hệ thống' }).click();
    await tab.getByRole('heading', { name: 'Máy gửi lạ (1)' }).waitFor();
    await tab.close();
  },
  async 'sources: a hold is placed and released, each with a reason; the record of deletions is there'() {
    const tab = await page('/sources');
    await tab.getByText('Đầy vào 04/02/2027').waitFor();
    await tab.getByText('12/01/2027 (còn 50 ngày)').waitFor();
    await tab.getByText('nginx.access').first().waitFor();
    await tab.getByRole('button', { name: 'Đặt lệnh giữ' }).click();
    const dialog = tab.locator('dialog');
    await dialog.locator('select').selectOption('wan');
    await dialog.getByLabel('Nhận từ').fill('hôm qua');
    await dialog.getByRole('textbox', { name: 'Lý do' }).fill('Vụ việc 13');
    await dialog.getByRole('button', { name: 'Đặt lệnh giữ' }).click();
    await dialog.getByText('dd/mm/yyyy HH:mm').waitFor();
    await dialog.getByLabel('Nhận từ').fill('01/11/2026 00:00');
    await dialog.getByRole('button', { name: 'Đặt lệnh giữ' }).click();
    await tab.getByRole('heading', { name: 'Lệnh giữ chứng cứ (2)' }).waitFor();
    await tab.getByRole('button', { name: 'Gỡ', exact: true }).last().click();
    await dialog.getByRole('textbox', { name: 'Lý do' }).fill('Đã khép');
    await dialog.getByRole('button', { name: 'Gỡ', exact: true }).click();
    await tab.getByRole('heading', { name: 'Lệnh giữ chứng cứ (1)' }).waitFor();
    await tab.close();
  },
  async 'first hour: from the device to the score'() {
    const tab = await page('/first-hour');
    await tab.locator('[data-device=fortigate]').click();
    await tab.getByText('config log syslogd setting').waitFor();
    await tab.getByRole('button', { name: 'Đã dán xong' }).click();
    await tab.getByText('Đang chờ dòng log đầu tiên').waitFor();
    await tab.getByText('Đã nhận và đọc được').waitFor({ timeout: 15_000 });
    await tab.getByRole('button', { name: 'Tiếp tục' }).click();
    await tab.locator('select').selectOption('wan');
    await tab.getByLabel('Căn cứ').fill('Hồ sơ');
    await tab.getByRole('button', { name: 'Nhận vào hệ thống' }).click();
    await tab.getByRole('button', { name: 'Tạo cảnh báo thử' }).click();
    await tab.getByRole('button', { name: 'Tiếp tục' }).click();
    await tab.getByRole('button', { name: 'Gửi thử' }).click();
    await tab.getByText('Gửi hỏng').last().waitFor();
    await tab.getByRole('button', { name: 'Tiếp tục' }).click();
    await tab.getByText('Máy chủ đã nghe thấy hệ thống đầu tiên').waitFor();
    await tab.close();
  },
  async 'phone: the menu reaches every page'() {
    const tab = await page('/', { width: 390, height: 844 });
    await tab.getByRole('button', { name: 'Thêm' }).click();
    await tab.getByRole('link', { name: 'Nguồn log' }).first().click();
    await tab.waitForURL('**/sources');
    await tab.close();
  },
};

const only = process.argv.slice(2).join(' ');
let failed = 0;
for (const [name, walk] of Object.entries(WALKS)) {
  if (only && !name.includes(only)) continue;
  try {
    await walk();
    assert.deepEqual(problems, []);
    console.log('ok  ', name);
  } catch (error) {
    failed += 1;
    console.log('FAIL', name, '\n    ', String(error.message ?? error).split('\n').slice(0, 6).join('\n     '));
    problems.length = 0;
    for (const context of browser.contexts()) await context.close();
  }
}
await browser.close();
server.close();
process.exit(failed > 0 ? 1 : 0);
