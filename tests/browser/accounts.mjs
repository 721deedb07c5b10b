// Accounts, duty and passwords as an administrator handles them: each change is read back from the page. What it leaves in the
// audit is read by tests/it/browser.rs.
import { strict as assert } from 'node:assert';

import { base, finish, open, shot } from './harness.mjs';

const tab = await open();
const dialog = tab.getByRole('dialog');
const button = (name, where = tab) => where.getByRole('button', { name, exact: true });
async function logIn(name, password) {
  await tab.goto(`${base}/login`, { waitUntil: 'networkidle' });
  await tab.fill('[name=username]', name);
  await tab.fill('[name=password]', password);
  await tab.keyboard.press('Enter');
}
const logOut = async () => {
  await button('Đăng xuất').click();
  await tab.waitForURL('**/login**');
};

// ---- an account is opened
await logIn('quantri', process.env.CHIENG_PASSWORD);
await tab.waitForURL(`${base}/`);
await tab.goto(`${base}/users`, { waitUntil: 'networkidle' });
await button('Thêm tài khoản').click();
await dialog.locator('[name=display_name]').fill('Trần Thị Lan');
await dialog.locator('[name=name]').fill('lan');
await dialog.locator('[name=role]').selectOption('auditor');
await dialog.locator('[name=password]').fill('mật khẩu rất dài 2');
await button('Thêm tài khoản', dialog).click();
await tab.getByText('Đã thêm lan.').waitFor();
const row = tab.getByRole('row').filter({ hasText: 'Trần Thị Lan' });
assert.match(await row.innerText(), /Kiểm toán\s+Mọi hệ thống\s+chưa có\s+chưa lần nào\s+Đang dùng/);

// ---- and changed: name, role, scope, mail, language
await button('Sửa tài khoản lan').click();
await dialog.locator('[name=display_name]').fill('Trần Thị Ngọc Lan');
await dialog.locator('[name=role]').selectOption('oncall');
await dialog.locator('[name=language]').selectOption('en');
await dialog.locator('[name=email]').fill('lan@tinh.example');
await shot(tab, 'account-edit');
await button('Lưu', dialog).click();
await tab.getByText('Đã lưu lan.').waitFor();
assert.match(await tab.getByRole('row').filter({ hasText: 'Trần Thị Ngọc Lan' }).innerText(), /Trực\s+Mọi hệ thống\s+lan@tinh\.example/);
// One's own role and scope are out of reach.
await button('Sửa tài khoản quantri').click();
assert.equal(await dialog.locator('[name=role]').isDisabled(), true);
assert.equal(await dialog.locator('[name=disabled]').count(), 0);
await tab.keyboard.press('Escape');

// ---- duty: a schedule, then the chain, with every mistake named
await tab.goto(`${base}/oncall`, { waitUntil: 'networkidle' });
await button('Tạo lịch trực').click();
await dialog.getByLabel('Tên lịch').fill('Trực chính');
await dialog.getByLabel('Thành viên').fill('lan');
await button('Lưu', dialog).click();
await tab.getByText('Đã lưu lịch trực.').waitFor();
await button('Sửa chuyển cấp').click();
const steps = dialog.locator('ol > li');
await steps.nth(1).waitFor();
await button('Thêm bước', dialog).click();
await button('Lưu', dialog).click();
await dialog.getByText('Bước 3: chưa chọn báo cho ai.').waitFor();
await steps.nth(2).locator('select').selectOption({ label: 'Trần Thị Ngọc Lan' });
await steps.nth(2).locator('input').fill('1441');
await button('Lưu', dialog).click();
await dialog.getByText('Bước 3: thời gian đợi là số phút từ 0 đến 1.440.').waitFor();
await steps.nth(2).locator('input').fill('15');
await button('Đưa bước 3 lên', dialog).click();
await dialog.getByLabel('Lặp lại cả chuỗi').fill('10');
await button('Lưu', dialog).click();
await dialog.getByText('Số lần lặp lại từ 0 đến 9.').waitFor();
await dialog.getByLabel('Lặp lại cả chuỗi').fill('3');
await shot(tab, 'escalation-edit');
await button('Lưu', dialog).click();
await tab.getByText('Đã lưu chuyển cấp.').waitFor();
await dialog.waitFor({ state: 'detached' });
const chain = tab.getByRole('region', { name: 'Chuyển cấp' });
await chain.getByText('lặp lại cả chuỗi 3 lần').waitFor();
const told = (await chain.locator('li').allInnerTexts()).map((text) => text.trim());
assert.deepEqual(told, [
  'Ngay lập tức Người đang trực: Trực chính',
  'Sau 15 phút chưa ai nhận lan',
  'Sau 10 phút chưa ai nhận Mọi người xử lý được sự cố',
]);
await button('Sửa chuyển cấp').click();
await button('Bỏ bước 2', dialog).click();
await button('Lưu', dialog).click();
await dialog.waitFor({ state: 'detached' });
await chain.getByText('Sau 15 phút').waitFor({ state: 'detached' });
assert.equal(await chain.locator('li').count(), 2);
await shot(tab, 'oncall');

// ---- one's own password: the present one is asked
const FRESH = 'mật khẩu mới toanh 3';
const change = async (present, fresh, again) => {
  await dialog.locator('[name=present]').fill(present);
  await dialog.locator('[name=fresh]').fill(fresh);
  await dialog.locator('[name=again]').fill(again);
  await dialog.last().getByRole('button', { name: 'Lưu' }).click();
};
await button('Tuỳ chọn').click();
await button('Đổi mật khẩu…').click();
await change('không phải mật khẩu', 'ngắn', 'ngắn');
await tab.getByText('Mật khẩu cần ít nhất 14 ký tự.').waitFor();
await change('không phải mật khẩu', FRESH, `${FRESH}!`);
await tab.getByText('Hai mật khẩu không giống nhau.').waitFor();
await change('không phải mật khẩu', FRESH, FRESH);
await tab.getByText('Mật khẩu hiện tại không đúng.').waitFor();
await shot(tab, 'password');
await change(process.env.CHIENG_PASSWORD, FRESH, FRESH);
await tab.getByText('Đã đổi mật khẩu.').waitFor();
await tab.keyboard.press('Escape');
await tab.keyboard.press('Escape');
await logOut();
await logIn('quantri', process.env.CHIENG_PASSWORD);
await tab.getByText('Sai tên đăng nhập hoặc mật khẩu.').waitFor();
await logIn('quantri', FRESH);
await tab.waitForURL(`${base}/`);

// ---- an administrator sets a new password and shuts an account
await tab.goto(`${base}/users`, { waitUntil: 'networkidle' });
await button('Sửa tài khoản lan').click();
await dialog.locator('[name=password]').fill('mật khẩu đặt lại 4');
await dialog.locator('[name=disabled]').check();
await button('Lưu', dialog).click();
await tab.getByText('Đã lưu lan.').waitFor();
assert.match(await tab.getByRole('row').filter({ hasText: 'Trần Thị Ngọc Lan' }).innerText(), /Đã khoá/);
await logOut();
await logIn('lan', 'mật khẩu đặt lại 4');
await tab.getByText('Sai tên đăng nhập hoặc mật khẩu.').waitFor();
await finish();
