// The first hour, from a one-time token to a first score, on a fresh server: exactly what a new operator does.
import { createSocket } from 'node:dgram';

import { base, finish, open, shot, udp } from './harness.mjs';

const tab = await open();
await tab.goto(`${base}/`, { waitUntil: 'networkidle' });
await tab.waitForURL('**/setup**');
await shot(tab, 'setup');
await tab.fill('input.mono', process.env.CHIENG_TOKEN);
await tab.fill('input[autocomplete=name]', 'Người quản trị');
await tab.fill('input[autocomplete=username]', 'quantri');
for (const field of await tab.locator('input[type=password]').all()) await field.fill('mật khẩu rất dài 1');
await tab.keyboard.press('Enter');
await tab.waitForFunction(() => !location.pathname.startsWith('/setup'));

// The register, by the page's own import.
await tab.goto(`${base}/first-hour`, { waitUntil: 'networkidle' });
const imported = await tab.evaluate(async () => {
  const session = await (await fetch('/api/v1/session')).json();
  const csv = 'id,name,level,owner,operator,decision_number,decision_date\ndvc,Cổng dịch vụ công,3,UBND tỉnh,Trung tâm dữ liệu,12/QĐ-UBND,01/02/2024\n';
  const answer = await fetch('/api/v1/register/import', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-chieng-csrf': session.csrf },
    body: JSON.stringify({ kind: 'systems', csv, dry_run: false }),
  });
  return answer.json();
});
if (imported.accepted !== 1) throw new Error(`import: ${JSON.stringify(imported)}`);

await tab.goto(`${base}/first-hour`, { waitUntil: 'networkidle' });
await tab.locator('[data-device=rsyslog]').click();
await tab.getByText('omfwd').waitFor();
await shot(tab, 'first-hour-snippet');
await tab.getByRole('button', { name: 'Đã dán xong' }).click();
await tab.getByText('Đang chờ dòng log đầu tiên').waitFor();
const [host, port] = udp.split(':');
const socket = createSocket('udp4');
const line = '<38>Nov 23 08:00:01 web01 sshd[812]: Failed password for root from 203.0.113.9 port 40022 ssh2';
await new Promise((done, fail) => socket.send(line, Number(port), host, (error) => (error ? fail(error) : done())));
socket.close();
await tab.getByText('Đã nhận và đọc được').waitFor({ timeout: 60_000 });
await shot(tab, 'first-hour-line');
await tab.getByRole('button', { name: 'Tiếp tục' }).click();
await tab.locator('select').selectOption('dvc');
await tab.getByLabel('Căn cứ').fill('Hồ sơ đề xuất cấp độ');
await tab.getByRole('button', { name: 'Nhận vào hệ thống' }).click();
await tab.getByRole('button', { name: 'Tạo cảnh báo thử' }).click();
await tab.getByRole('button', { name: 'Tiếp tục' }).click();
await tab.getByLabel('Địa chỉ', { exact: true }).fill('quantri@tinh.example');
await tab.getByRole('button', { name: 'Thêm kênh' }).click();
await tab.getByRole('button', { name: 'Gửi thử' }).click();
await tab.getByText('Kết quả gửi thử').waitFor();
await tab.getByRole('button', { name: 'Tiếp tục' }).click();
await tab.getByText('Cổng dịch vụ công').first().waitFor();
await tab.getByText('Máy chủ đã nghe thấy hệ thống đầu tiên').waitFor();
await shot(tab, 'first-hour-score');
await finish();
