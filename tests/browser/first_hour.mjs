// The first hour, from a one-time token to a first score, on a fresh server: exactly what a new operator does, by clicks and
// keys only. Every step is read back from the page before the next. The mail itself is read by tests/it/browser.rs.
import { strict as assert } from 'node:assert';
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { base, finish, open, shot, udp } from './harness.mjs';

const PASSWORD = 'mật khẩu rất dài 1';
const tab = await open();
const title = (text) => tab.waitForFunction((wanted) => document.title === wanted, `${text} · Chiêng`);
const heading = (name, level = 1) => tab.getByRole('heading', { name, level, exact: true }).waitFor();
const button = (name) => tab.getByRole('button', { name, exact: true });
/** The step that is open, by its heading. */
const step = (name) => tab.locator('li[aria-current=step]').getByRole('heading', { name: new RegExp(`${name}$`) }).waitFor();

// ---- the account
await tab.goto(`${base}/`, { waitUntil: 'networkidle' });
await tab.waitForURL('**/setup');
await title('Cài đặt lần đầu');
await heading('Tạo quản trị viên đầu tiên');
await shot(tab, 'setup');
await tab.fill('input.mono', process.env.CHIENG_TOKEN);
await tab.fill('input[autocomplete=name]', 'Người quản trị');
await tab.fill('input[autocomplete=username]', 'quantri');
for (const field of await tab.locator('input[type=password]').all()) await field.fill(PASSWORD);
await tab.keyboard.press('Enter');
await tab.waitForFunction(() => !location.pathname.startsWith('/setup'));
await tab.getByRole('navigation').getByRole('link', { name: 'Giờ đầu tiên' }).click();
await title('Giờ đầu tiên');
await heading('Giờ đầu tiên');
const steps = async (wanted) => {
  await tab.locator('ol.steps h2').nth(wanted.length - 1).waitFor();
  assert.deepEqual((await tab.locator('ol.steps h2').allInnerTexts()).map((text) => text.replace(/^\d+\s*/, '').trim()), wanted);
};
await steps(['Chọn thiết bị', 'Cấu hình gửi log', 'Dòng log đầu tiên', 'Gán vào hệ thống', 'Cảnh báo thử', 'Gọi trực thử', 'Điểm đầu tiên']);

// ---- the device
await step('Chọn thiết bị');
await tab.locator('[data-device=rsyslog]').click();
await step('Cấu hình gửi log');
const snippet = await tab.locator('pre').innerText();
assert.match(snippet, /omfwd/);
assert.match(snippet, /target="127\.0\.0\.1" port="\d+"/, 'the snippet carries the address of this server');
await shot(tab, 'first-hour-snippet');
await button('Đã dán xong, chờ log').click();

// ---- the first line
await step('Dòng log đầu tiên');
await tab.getByText('Đang chờ dòng log đầu tiên').waitFor();
const [host, port] = udp.split(':');
const socket = createSocket('udp4');
const line = '<38>Nov 23 08:00:01 web01 sshd[812]: Failed password for root from 203.0.113.9 port 40022 ssh2';
await new Promise((done, fail) => socket.send(line, Number(port), host, (error) => (error ? fail(error) : done())));
socket.close();
await tab.getByText('Đã nhận và đọc được').waitFor({ timeout: 60_000 });
const read = await tab.locator('li[aria-current=step] dl').innerText();
for (const word of ['web01', '203.0.113.9', 'root', 'failure']) assert.ok(read.includes(word), `${word} in: ${read}`);
await shot(tab, 'first-hour-line');
await button('Tiếp tục').click();

// ---- the register, by the page's own import: pasted with a mistake, tried, mended as a file, imported
await step('Gán vào hệ thống');
await tab.getByText('Chưa khai hệ thống nào').waitFor();
await button('Nhập sổ hệ thống').click();
const dialog = tab.getByRole('dialog');
await dialog.getByRole('heading', { name: 'Nhập sổ hệ thống' }).waitFor();
const head = 'id,name,level,owner,operator,decision_number,decision_date';
const good = 'dvc,Cổng dịch vụ công,3,UBND tỉnh,Trung tâm dữ liệu,12/QĐ-UBND,01/02/2024';
await dialog.locator('textarea[name=csv]').fill(`${head}\n${good}\nsai,Hệ thống sai,6,UBND tỉnh,Trung tâm dữ liệu,,\n`);
await dialog.getByRole('button', { name: 'Thử trước' }).click();
await dialog.getByText('Thử: 1 dòng hợp lệ, chưa ghi gì.').waitFor();
assert.equal(await dialog.locator('tbody tr').count(), 1);
assert.match(await dialog.locator('tbody tr').innerText(), /^3\s/, 'the wrong line is named');
await shot(tab, 'first-hour-import-error');
const file = join(process.env.CHIENG_TMP ?? tmpdir(), 'so-he-thong.csv');
writeFileSync(file, `${head}\n${good}\n`);
await dialog.locator('input[type=file]').setInputFiles(file);
const csv = await dialog.locator('textarea[name=csv]').elementHandle();
await tab.waitForFunction(([field, wanted]) => field.value === wanted, [csv, `${head}\n${good}\n`]);
await dialog.getByRole('button', { name: 'Nhập', exact: true }).click();
await dialog.getByText('Đã nhập 1 dòng.').waitFor();
await dialog.locator('tbody tr').first().waitFor({ state: 'detached' });
await tab.keyboard.press('Escape');
await dialog.waitFor({ state: 'detached' });

// ---- the sender becomes an asset of the system
await tab.locator('select').selectOption({ label: 'Cổng dịch vụ công (Cấp độ 3)' });
await tab.getByLabel('Căn cứ').fill('Hồ sơ đề xuất cấp độ');
await button('Nhận vào hệ thống').click();

// ---- the test alert
await step('Cảnh báo thử');
await button('Tạo cảnh báo thử').click();
const incident = await tab.getByRole('link', { name: 'Mở sự cố thử' }).getAttribute('href');
assert.match(incident, /^\/incidents\/\d+$/);
const other = await tab.context().newPage();
await other.goto(base + incident, { waitUntil: 'networkidle' });
await other.getByRole('heading', { name: 'Cảnh báo thử', level: 1 }).waitFor();
await other.getByRole('link', { name: 'Cổng dịch vụ công' }).first().waitFor();
await shot(other, 'first-hour-incident');
// It is given to a person chosen from a list, and the page says so.
await other.getByRole('button', { name: 'Giao cho…' }).click();
await other.getByRole('dialog').locator('select').selectOption({ label: 'Người quản trị · Quản trị (tôi)' });
await other.getByRole('dialog').getByRole('button', { name: 'Lưu' }).click();
await other.getByText('Người xử lý: quantri').waitFor();
await other.close();
await button('Tiếp tục').click();

// ---- the test page, to a real mail server
await step('Gọi trực thử');
await tab.getByLabel('Địa chỉ', { exact: true }).fill('quantri@tinh.example');
await button('Thêm kênh').click();
await tab.getByRole('listitem').filter({ hasText: 'thư điện tử' }).getByText('quantri').waitFor();
await button('Gửi thử').click();
await tab.getByText('Kết quả gửi thử').waitFor({ timeout: 30_000 });
const attempts = await tab.locator('[role=status] li').allInnerTexts();
assert.equal(attempts.length, 1, attempts.join('\n'));
assert.match(attempts[0], /^Đã gửi thư điện tử · quantri/);
await shot(tab, 'first-hour-page');
await button('Tiếp tục').click();

// ---- the first score
await step('Điểm đầu tiên');
await tab.getByText('Máy chủ đã nghe thấy hệ thống đầu tiên').waitFor();
await tab.getByText('Điểm đo được').waitFor();
await tab.getByText('Cổng dịch vụ công').first().waitFor();
await shot(tab, 'first-hour-score');
await tab.getByRole('link', { name: 'Mở trang hệ thống' }).click();
await heading('Cổng dịch vụ công');

// ---- the same in English: titles and headings of every page, the steps of this one
await tab.getByRole('button', { name: 'Tuỳ chọn' }).click();
await tab.getByRole('button', { name: 'English' }).click();
await tab.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
assert.equal(await tab.evaluate(() => document.documentElement.lang), 'en');
const pages = {
  '/': ['Home', 'Tổng quan'], '/hunt': ['Hunt', 'Săn tìm'], '/alerts': ['Alerts', 'Cảnh báo'], '/systems': ['Systems', 'Hệ thống'], '/systems/dvc': ['Information system', 'Hệ thống thông tin'],
  '/sources': ['Sources', 'Nguồn log'], '/proof': ['Proof', 'Bằng chứng'], '/rules': ['Rules', 'Luật'], '/oncall': ['On-call', 'Trực'], '/users': ['Accounts', 'Tài khoản'], '/first-hour': ['First hour', 'Giờ đầu tiên'],
};
for (const [path, [english]] of Object.entries(pages)) {
  await tab.goto(base + path, { waitUntil: 'networkidle' });
  await title(english);
}
await steps(['Choose a device', 'Configure sending', 'First log line', 'Give it to a system', 'Test alert', 'Test page', 'First score']);
await tab.getByRole('button', { name: 'Settings' }).click();
await tab.getByRole('button', { name: 'Tiếng Việt' }).click();
for (const [path, [, vietnamese]] of Object.entries(pages)) {
  await tab.goto(base + path, { waitUntil: 'networkidle' });
  await title(vietnamese);
}
await finish();
