// Sample data of a province that does not exist, the same on every start, with the lines that attackers write. Never shipped.
export const NOW = Date.now();
const MIN = 60_000, HOUR = 3_600_000, DAY = 86_400_000;
let seed = 20260701;
export const rnd = () => ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff);
export const of = (list) => list[Math.floor(rnd() * list.length)];
export const iso = (ms) => new Date(ms).toISOString();
const day = (ms) => new Date(ms + 7 * HOUR).toISOString().slice(0, 10);

const NAMES = [
  ['dvc', 'Hệ thống thông tin giải quyết thủ tục hành chính', 3, 'Văn phòng UBND tỉnh'], ['lgsp', 'Nền tảng tích hợp, chia sẻ dữ liệu (LGSP)', 3, 'Sở Khoa học và Công nghệ'],
  ['truc-vb', 'Trục liên thông văn bản', 3, 'Sở Khoa học và Công nghệ'], ['ioffice', 'Quản lý văn bản và điều hành iOffice', 3, 'Văn phòng UBND tỉnh'], ['mail', 'Thư điện tử công vụ', 3, 'Sở Khoa học và Công nghệ'],
  ['baocao', 'Hệ thống thông tin báo cáo', 2, 'Văn phòng UBND tỉnh'], ['taichinh', 'Quản lý tài chính – ngân sách', 3, 'Sở Tài chính'], ['xahoi', 'Cơ sở dữ liệu bảo trợ xã hội', 2, 'Sở Y tế'],
  ['congthuong', 'Cơ sở dữ liệu ngành công thương', 2, 'Sở Công Thương'], ['khcn', 'Quản lý nhiệm vụ khoa học và công nghệ', 2, 'Sở Khoa học và Công nghệ'], ['moitruong', 'Quan trắc môi trường tự động', 3, 'Sở Nông nghiệp và Môi trường'],
  ['smas', 'Quản lý trường học SMAS', 2, 'Sở Giáo dục và Đào tạo'], ['hop', 'Hội nghị truyền hình trực tuyến', 2, 'Sở Khoa học và Công nghệ'], ['ttdl', 'Trung tâm dữ liệu tỉnh', 4, 'Sở Khoa học và Công nghệ'],
  ['chieng', 'Chiêng – giám sát an ninh mạng', 3, 'Sở Khoa học và Công nghệ'], ['cong', 'Cổng thông tin điện tử tỉnh', 3, 'Văn phòng UBND tỉnh'], ['datdai', 'Cơ sở dữ liệu đất đai', 3, 'Sở Nông nghiệp và Môi trường'],
  ['yte', 'Hồ sơ sức khoẻ điện tử', 3, 'Sở Y tế'], ['ioc', 'Trung tâm điều hành thông minh IOC', 3, 'Sở Khoa học và Công nghệ'], ['camera', 'Giám sát giao thông bằng camera', 3, 'Công an tỉnh'],
  ['web-so', 'Trang thông tin các sở, ban, ngành', 2, 'Sở Khoa học và Công nghệ'], ['web-xa', 'Trang thông tin các xã, phường', 1, 'Sở Khoa học và Công nghệ'], ['hotich', 'Hộ tịch điện tử', 2, 'Sở Tư pháp'],
  ['laodong', 'Thị trường lao động', 1, 'Sở Nội vụ'], ['cbccvc', 'Cơ sở dữ liệu cán bộ, công chức, viên chức', 2, 'Sở Nội vụ'], ['thuvien', 'Thư viện số', 1, 'Sở Văn hoá, Thể thao và Du lịch'],
  ['dulich', 'Cổng du lịch thông minh', 1, 'Sở Văn hoá, Thể thao và Du lịch'], ['dautu', 'Giám sát đầu tư công', 2, 'Sở Tài chính'], ['wan', 'Mạng diện rộng WAN của tỉnh', 3, 'Sở Khoa học và Công nghệ'],
  ['sxd', 'Quy hoạch xây dựng', 2, 'Sở Xây dựng'], ['phananh', 'Phản ánh hiện trường', 2, 'Văn phòng UBND tỉnh'], ['kntc', 'Khiếu nại, tố cáo', 2, 'Thanh tra tỉnh'],
  ['datsan', 'Kho dữ liệu dùng chung', 3, 'Sở Khoa học và Công nghệ'], ['scada', 'Điều khiển trạm bơm, cống thuỷ lợi', 3, 'Sở Nông nghiệp và Môi trường'], ['thidua', 'Thi đua – khen thưởng <b>2026</b>', 1, 'Sở Nội vụ'],
];
export const GROUPS = [
  ['log', 'Nhật ký hệ thống', 'System logs'], ['time', 'Đồng bộ thời gian', 'Time'], ['monitor', 'Giám sát an ninh', 'Monitoring'], ['malware', 'Phòng chống mã độc', 'Anti-malware'],
  ['access', 'Quản lý truy cập', 'Access control'], ['vuln', 'Lỗ hổng, bản vá', 'Vulnerabilities'], ['backup', 'Sao lưu', 'Backup'], ['incident', 'Ứng cứu sự cố', 'Incident response'],
];
const ORDER = ['breached', 'blind', 'expired', 'partly', 'accumulating', 'not_evaluated', 'not_yet_due', 'met', 'not_applicable'];
const REQS = [
  ['log-sources', 'log', '5.8.2.1 a', 'Nguồn nhật ký bắt buộc đều gửi về hệ thống quản lý tập trung', 'Mandatory log sources send to central log management', 'measured'],
  ['log-retention', 'log', '5.8.2.1 a', 'Lưu trữ nhật ký liên tục tối thiểu 3 tháng', 'Logs kept without a gap for at least 3 months', 'measured'],
  ['log-types', 'log', '5.8.2.1 a', 'Đủ loại nhật ký: truy cập, ứng dụng, cảnh báo, tiến trình', 'All log types: access, application, alerts, processes', 'measured'],
  ['log-review', 'log', '5.8.2.1 c', 'Rà soát nhật ký 6 tháng một lần', 'Logs reviewed every 6 months', 'both'],
  ['clock', 'time', '5.8.2.1 a', 'Đồng bộ thời gian với nguồn chuẩn', 'Clocks follow a reference', 'measured'],
  ['siem', 'monitor', '5.13.2.1 a', 'Giám sát thiết bị, máy chủ, ứng dụng, dịch vụ', 'Devices, servers, applications and services are watched', 'measured'],
  ['correlation', 'monitor', '5.13.2.1 b', 'Phân tích tương quan theo hướng dẫn', 'Correlation per guidance', 'measured'],
  ['av-coverage', 'malware', '5.10.2.1', 'Phần mềm phòng chống mã độc trên mọi máy', 'Anti-malware on every machine', 'measured'],
  ['av-age', 'malware', '5.10.2.1', 'Mẫu nhận diện mã độc được cập nhật', 'Signatures are fresh', 'measured'],
  ['mfa', 'access', '5.6.2.4', 'Xác thực đa yếu tố khi quản trị và truy cập từ ngoài', 'Multi-factor for administration and outside access', 'measured'],
  ['idle', 'access', '5.6.2.3', 'Vô hiệu hoá tài khoản không dùng quá 45 ngày', 'Accounts idle over 45 days are disabled', 'measured'],
  ['scan', 'vuln', '5.7.2.1', 'Quét lỗ hổng 6 tháng một lần', 'Vulnerability scan every 6 months', 'both'],
  ['backup', 'backup', '5.11.2.2', 'Sao lưu tự động theo 3-2-1', 'Automatic 3-2-1 backup', 'both'],
  ['drill', 'incident', '5.16.1', 'Diễn tập ứng cứu sự cố', 'Incident drill', 'attested'],
];
const REASON = {
  met: ['8 trên 8 nguồn gửi log đều, khối lượng trong mức thường.', '8 of 8 sources send at their usual volume.', '8/8', '8/8'], partly: ['5 trên 8 nguồn gửi log; 3 nguồn im lặng từ 21/11/2026.', '5 of 8 sources send; 3 silent since 21/11/2026.', '5/8', '8/8'],
  breached: ['Lưu trữ liên tục 58 ngày, cần 90 ngày; thiếu từ 02/10/2026 tới 05/10/2026.', '58 days without a gap, 90 needed; 02/10/2026 to 05/10/2026 is missing.', '58 ngày', '90 ngày'], blind: ['Không có sự kiện tiến trình nào từ các máy chủ nên không thể kết luận.', 'No process events arrive, so nothing can be concluded.', '—', '—'],
  expired: ['Biên bản rà soát ngày 12/03/2026 đã hết hạn 12/09/2026.', 'The review record of 12/03/2026 expired on 12/09/2026.', '12/03/2026', '6 tháng'], accumulating: ['Bắt đầu nhận log ngày 01/10/2026; đủ 90 ngày vào 30/12/2026.', 'Logs since 01/10/2026; 90 days reached on 30/12/2026.', '53 ngày', '90 ngày'],
  not_yet_due: ['Yêu cầu mới của TCVN 14423:2026; đến hạn 01/07/2027.', 'New in TCVN 14423:2026; due on 01/07/2027.', '—', '—'], not_applicable: ['Hệ thống không có máy trạm. Người duyệt thứ hai: hung.le.', 'The system has no PCs. Second person: hung.le.', '—', '—'], not_evaluated: ['Chưa có phép kiểm cho dòng này.', 'There is no check for this line yet.', '—', '—'],
};
export const systems = NAMES.map(([id, name, level, unit], i) => {
  const r = rnd();
  const silent = id === 'phananh', skewed = id === 'moitruong', hole = id === 'taichinh', young = id === 'datsan';
  const expected = 2 + Math.floor(rnd() * 10), speaking = silent ? 0 : r < 0.25 ? Math.max(1, expected - 1 - Math.floor(rnd() * 2)) : expected;
  const requirements = REQS.map(([key, group, clause, vi, en, kind]) => {
    let verdict = ['met', 'met', 'met', 'met', 'partly', 'not_evaluated', 'met', 'not_yet_due', 'breached', 'blind'][Math.floor(rnd() * 10)];
    if (kind === 'both' || kind === 'attested') verdict = of(['met', 'met', 'expired', 'not_evaluated', 'not_evaluated']);
    if (level <= 1 && group !== 'log') verdict = of(['not_evaluated', 'not_applicable', 'met', 'not_evaluated']);
    if (key === 'log-sources') verdict = silent ? 'blind' : speaking < expected ? 'partly' : 'met';
    if (key === 'log-retention') verdict = silent ? 'blind' : hole ? 'breached' : young ? 'accumulating' : 'met';
    if (key === 'clock') verdict = silent ? 'blind' : skewed ? 'breached' : 'met';
    const g = GROUPS.find(([k]) => k === group), why = REASON[verdict];
    return { key, clause: clause.replace(/^5/, String(level + 2)), title_vi: vi, title_en: en, group, group_vi: g[1], group_en: g[2], binding: level < 3 && group === 'monitor' ? 'advised' : 'mandatory', due: verdict === 'not_yet_due' ? '2027-07-01' : null, verdict, kind,
      share: verdict === 'partly' ? 62.5 : null, value: why[2], threshold: why[3], reason_vi: why[0], reason_en: why[1], check: verdict === 'not_evaluated' ? null : key.replace('-', '_'),
      sql: verdict === 'not_evaluated' ? null : `SELECT source, min(minute) AS first, max(minute) AS last, sum(received) AS received\nFROM ledger\nWHERE system.id = '${id}' AND minute >= now() - INTERVAL '90 days'\nGROUP BY source ORDER BY received`, evaluated_at: verdict === 'not_evaluated' ? null : iso(NOW - 12 * MIN), enough_on: verdict === 'accumulating' ? '2026-12-30' : null };
  });
  const worstOf = (list) => ORDER.find((v) => list.some((q) => q.verdict === v)) ?? 'not_evaluated';
  const evaluated = requirements.filter((q) => !['not_evaluated'].includes(q.verdict)).length * 6, ofAll = [0, 111, 131, 195, 273, 288][level];
  const none = silent || level === 1;
  return {
    id, name, level, unit: { id: 'u' + (i % 14), name: unit }, owner: 'UBND tỉnh', operator: unit, description: i === 0 ? 'Tiếp nhận và trả kết quả 1.753 thủ tục hành chính cho người dân, doanh nghiệp.' : null,
    decision: i % 9 === 7 ? null : { number: `${120 + i * 13}/QĐ-UBND`, date: `2025-${String(1 + (i % 9)).padStart(2, '0')}-17`, body: 'UBND tỉnh' },
    status: expected === 0 ? 'unknown' : silent ? 'silent' : speaking < expected ? 'partly' : 'speaking', sources: { expected, speaking, silent: expected - speaking },
    last_event: silent ? iso(NOW - 31 * HOUR) : iso(NOW - Math.floor(rnd() * 90_000)), events_24h: silent ? 0 : Math.floor(rnd() * 60_000),
    score: { measured: none ? { value: null, reason_vi: 'Mới đánh giá 21 % trọng số.', reason_en: 'Only 21 % of the weight is evaluated.' } : { value: Math.round(500 + rnd() * 480) / 10 }, attested: i % 3 ? { value: null, reason_vi: 'Chưa nộp hồ sơ.', reason_en: 'No documents yet.' } : { value: Math.round(400 + rnd() * 500) / 10 }, evaluated: Math.min(evaluated, ofAll), of: ofAll, provisional: true, at: iso(NOW - 12 * MIN) },
    groups: GROUPS.map(([group, vi, en]) => { const list = requirements.filter((q) => q.group === group); return { group, group_vi: vi, group_en: en, verdict: worstOf(list), evaluated: list.filter((q) => q.verdict !== 'not_evaluated').length, of: list.length }; }),
    worst: requirements.filter((q) => ['breached', 'blind', 'expired'].includes(q.verdict)).slice(0, 3).map((q) => ({ requirement: q.key, verdict: q.verdict })),
    framework: level >= 3 ? { id: 'tcvn-14423', name_vi: 'TCVN 14423:2026, Nghị định 331/2026/NĐ-CP', name_en: 'TCVN 14423:2026, Decree 331/2026' } : { id: 'tcvn-11930', name_vi: 'TCVN 11930:2017, Thông tư 12/2022/TT-BTTTT', name_en: 'TCVN 11930:2017, Circular 12/2022' },
    requirements,
    assets: Array.from({ length: expected }, (_, a) => ({ id: `${id}-a${a}`, name: `${id}-${of(['web', 'app', 'db', 'fw', 'dc'])}${String(a + 1).padStart(2, '0')}`, kind: of(['server', 'firewall', 'application', 'database']), addresses: [`10.20.${i}.${10 + a}`], expected: true, last_event: a < speaking ? iso(NOW - Math.floor(rnd() * 200_000)) : a % 2 ? null : iso(NOW - 31 * HOUR), events_24h: a < speaking ? Math.floor(rnd() * 9000) : 0, status: a < speaking ? 'speaking' : a % 2 ? 'never' : 'silent', dataset: of(['sshd.auth', 'nginx.access', 'fortinet.traffic', 'windows.security']) })),
    history: Array.from({ length: 60 }, (_, d) => ({ date: day(NOW - (60 - d) * DAY), measured: none || (d > 20 && d < 24) ? null : Math.round(620 + 180 * Math.sin(d / 13 + i) + rnd() * 40) / 10, attested: i % 3 ? null : 71.5, provisional: d === 59 })),
    retention: { days: hole ? 58 : young ? 53 : silent ? 0 : 121, minimum_days: [0, null, 30, 90, 180, 365][level], since: iso(NOW - 121 * DAY), gaps: hole ? [{ from: iso(NOW - 61 * DAY), to: iso(NOW - 58 * DAY), reason_vi: 'Tường lửa thay ổ đĩa', reason_en: 'Firewall disk replaced' }] : silent ? [{ from: iso(NOW - 31 * HOUR), to: iso(NOW), reason_vi: null, reason_en: null }] : [] },
  };
});
export const brief = ({ requirements, assets, history, retention, description, ...row }) => row;

// ---------------------------------------------------------------- events
const HOSTILE = [
  '<img src=x onerror="document.title=\'owned\'"> <script>alert(1)</script> GET /search?q=%3Csvg/onload=alert(1)%3E', 'Failed password for invalid user \u202Etxt.exe\u202C from 203.0.113.66 port 4444 ssh2', '\u001b[2J\u001b[31mroot\u001b[0m logged in \u0007\u0000 from console',
  'GET /tim-kiem?q=' + 'A'.repeat(10_000) + ' HTTP/1.1', '=HYPERLINK("http://198.51.100.9/x","Bấm vào đây") uploaded by nguyễn.văn.an', 'Zal̴̡̢̧̛̯̝̺̙͖͎̫̾͗͋g̷̨o \u2066isolate\u2069 zero\u200bwidth bộ lọc "ngoặc kép" \\ gạch chéo',
];
const USERS = ['root', 'admin', 'nguyen.van.an', 'lan.tran', 'hung.le', 'oracle', 'postgres', 'đặng.thị.mỹ'];
export const events = [];
for (let i = 0; i < 9000; i += 1) {
  const s = of(systems.slice(0, 32)), kind = rnd(), at = NOW - Math.floor((rnd() ** 1.4) * DAY) - 500, ip = of(['203.0.113.66', '198.51.100.23', '192.0.2.77', '10.20.3.44', '10.8.1.9', '2001:db8::5']), user = of(USERS);
  const row = { timestamp: iso(at), 'event.id': `n1-${70000 + i}-0`, 'event.created': iso(at + 210), 'event.ingested': iso(at + 220), 'system.id': s.id, 'system.level': s.level, 'organization.id': s.unit.id, 'host.name': `${s.id}-${of(['web', 'app', 'db', 'fw'])}01`, 'log.source.address': '10.20.1.7', 'chieng.source': 'syslog-tcp', 'chieng.attribution': 'sender', 'source.ip': ip, 'related.ip': [ip] };
  if (kind < 0.4) Object.assign(row, { 'event.dataset': 'sshd.auth', 'event.category': ['authentication'], 'event.outcome': rnd() < 0.7 ? 'failure' : 'success', 'user.name': user, 'source.port': 40000 + i, 'process.name': 'sshd', 'process.pid': 900 + i, 'chieng.parser': 'sshd', message: `Failed password for ${user} from ${ip} port ${40000 + i} ssh2` });
  else if (kind < 0.75) Object.assign(row, { 'event.dataset': 'nginx.access', 'event.category': ['web'], 'http.request.method': of(['GET', 'POST']), 'http.response.status_code': of([200, 200, 304, 404, 500]), 'url.path': of(['/', '/dich-vu-cong/nop-ho-so', '/api/thu-tuc?ma=1.004227', '/wp-login.php']), 'user_agent.original': 'Mozilla/5.0', 'chieng.parser': 'nginx_access', message: `${ip} - - "GET ${of(['/', '/dich-vu-cong/nop-ho-so', '/wp-login.php'])} HTTP/1.1" ${of([200, 404, 500])} 5124` });
  else Object.assign(row, { 'event.dataset': 'fortinet.traffic', 'event.category': ['network'], 'event.action': of(['accept', 'deny', 'timeout']), 'destination.ip': '10.20.9.5', 'destination.port': of([443, 22, 3389, 53]), 'network.bytes': Math.floor(rnd() * 90_000), 'observer.vendor': 'Fortinet', 'chieng.parser': 'fortigate', message: `type="traffic" subtype="forward" srcip=${ip} dstip=10.20.9.5 action="deny" policyid=12` });
  if (i % 400 === 7) row.message = HOSTILE[(i / 400 | 0) % HOSTILE.length];
  if (i % 777 === 3) Object.assign(row, { tags: ['clock_skew'], 'chieng.clock_skew': -93_600_000 });
  row['event.original'] = `<86>Nov 23 16:58:01 ${row['host.name']} ${row['process.name'] ?? 'app'}[${900 + i}]: ${row.message}`;
  events.push(row);
}
events.sort((a, b) => (a.timestamp < b.timestamp ? 1 : -1));
HOSTILE.forEach((text, i) => { events[2 + i * 2].message = text; events[2 + i * 2]['event.original'] = `<86>Nov 23 16:58:01 ${events[2 + i * 2]['host.name']} app: ${text}`; });
export const LABELS = { timestamp: ['Thời điểm (thiết bị)', 'Time (claimed)'], message: ['Nội dung', 'Message'], 'event.id': ['Mã sự kiện', 'Event id'], 'event.created': ['Lúc nhận', 'Received'], 'event.ingested': ['Lúc ghi', 'Ingested'], 'event.dataset': ['Tập dữ liệu', 'Dataset'], 'event.category': ['Nhóm', 'Category'], 'event.outcome': ['Kết quả', 'Outcome'], 'event.action': ['Hành động', 'Action'], 'event.original': ['Dòng gốc', 'Original line'], 'system.id': ['Hệ thống', 'System'], 'system.level': ['Cấp độ', 'Level'], 'organization.id': ['Đơn vị', 'Organisation'], 'host.name': ['Máy', 'Host'], 'source.ip': ['IP nguồn', 'Source IP'], 'source.port': ['Cổng nguồn', 'Source port'], 'destination.ip': ['IP đích', 'Destination IP'], 'destination.port': ['Cổng đích', 'Destination port'], 'user.name': ['Tài khoản', 'User'], 'process.name': ['Tiến trình', 'Process'], 'process.pid': ['PID', 'PID'], 'http.request.method': ['Phương thức HTTP', 'HTTP method'], 'http.response.status_code': ['Mã HTTP', 'HTTP status'], 'url.path': ['Đường dẫn URL', 'URL path'], 'network.bytes': ['Tổng byte', 'Bytes'], 'observer.vendor': ['Hãng', 'Vendor'], 'chieng.parser': ['Bộ đọc', 'Parser'], 'chieng.source': ['Nguồn thu', 'Source'], 'chieng.attribution': ['Cách gán', 'Attribution'], 'log.source.address': ['Địa chỉ gửi', 'Sender'], 'related.ip': ['IP liên quan', 'Related IPs'], tags: ['Nhãn', 'Tags'], 'chieng.clock_skew': ['Lệch giờ (ms)', 'Clock skew (ms)'], 'user_agent.original': ['Trình duyệt', 'User agent'] };
export const fields = Object.entries(LABELS).map(([name, [label_vi, label_en]]) => ({ name, type: name.endsWith('.ip') ? 'ip' : 'keyword', label_vi, label_en, doc: label_en }));

// ---------------------------------------------------------------- incidents, rules, sources …
const RULES = [
  ['Dò mật khẩu SSH nhiều lần từ một địa chỉ', 'SSH password guessing from one address', 'high', 'linux/sshd'], ['Đăng nhập root từ Internet', 'Root login from the Internet', 'critical', 'linux/sshd'], ['Web shell được gọi qua cổng dịch vụ công', 'Web shell called on the portal', 'critical', 'webserver'],
  ['Quét trang quản trị WordPress', 'WordPress admin scan', 'low', 'webserver'], ['Tạo tài khoản ngoài giờ', 'Account made outside office hours', 'medium', 'linux/useradd'], ['Tường lửa: kết nối RDP từ ngoài vào', 'RDP from outside', 'high', 'firewall'], ['Xoá nhật ký bảo mật Windows', 'Windows security log cleared', 'high', 'windows/security'], ['Chạy PowerShell mã hoá', 'Encoded PowerShell', 'medium', 'windows/process_creation'],
];
export const rules = { rules: RULES.map(([vi, en, level, src], i) => ({ id: `5f0c1d${i}e-0000-4000-8000-00000000000${i}`, title_vi: vi, title_en: en, level, status: of(['stable', 'test', 'experimental']), logsource: { product: src.split('/')[0], service: src.split('/')[1] ?? null }, author: 'Chiêng', path: `rules/${src}/r${i}.yml`, tags: ['attack.t1110', 'attack.credential_access'], matches: i === 7 ? 0 : Math.floor(rnd() * 4000), last_match: i === 7 ? null : iso(NOW - i * HOUR * 2.3), blind: src.startsWith('windows/process') ? ['process.command_line', 'windows.sysmon'] : [], description_vi: 'Nhiều lần sai mật khẩu liên tiếp từ cùng một địa chỉ trong thời gian ngắn.', description_en: 'Many failures from one address in a short time.', falsepositives: ['Tài khoản dịch vụ đổi mật khẩu mà chưa cập nhật cấu hình'], references: ['https://attack.mitre.org/techniques/T1110/'], response_vi: ['Kiểm tra có lần đăng nhập thành công nào sau đó không.', 'Chặn địa chỉ tại tường lửa biên.', 'Đổi mật khẩu tài khoản bị dò.'], response_en: ['Look for a success afterwards.', 'Block the address at the edge.', 'Change the password.'] })),
  rejected: [{ file: 'sigma/rules/windows/process_creation/proc_creation_win_x.yml', line: 23, rule: 'Suspicious X', reason: 'modifier "fieldref" is not supported yet' }, { file: 'rules/bad.yml', line: 4, rule: null, reason: 'detection: expected a mapping, found a list' }] };
export const incidents = Array.from({ length: 17 }, (_, i) => {
  const rule = rules.rules[i % rules.rules.length], s = systems[(i * 5) % 20], status = i < 6 ? 'open' : i < 10 ? 'acknowledged' : 'closed', first = NOW - (i + 1) * 2.2 * HOUR, rows = events.filter((e) => e['system.id'] === s.id).slice(0, 6);
  const system = { id: s.id, name: s.name, level: s.level };
  const entity = i === 2 ? { kind: 'user.name', value: '<b onmouseover=alert(1)>\u202Egnp.exe' } : { kind: i % 2 ? 'user.name' : 'source.ip', value: i % 2 ? of(USERS) : '203.0.113.66' };
  const alerts = Array.from({ length: 1 + (i % 3) }, (_, a) => ({ id: `a${i}-${a}`, incident: `i${i}`, rule, system, group: { [entity.kind]: entity.value }, count: 12 + i * 31, first_seen: iso(first + a * 6 * MIN), last_seen: iso(first + (a + 3) * 11 * MIN), evidence: [{ identifier: 'selection', field: 'message', value: 'Failed password' }, { identifier: 'selection', field: 'source.ip', value: '203.0.113.66' }], events: rows.map((e) => ({ id: e['event.id'], timestamp: e.timestamp, summary: e.message.slice(0, 300), dataset: e['event.dataset'] })) }));
  return { id: `i${i}`, number: `SC-2026-${String(118 - i).padStart(5, '0')}`, title_vi: rule.title_vi, title_en: rule.title_en, severity: rule.level, status, system, entity, alerts, events: alerts.reduce((n, a) => n + a.count, 0), first_seen: iso(first), last_seen: iso(first + 40 * MIN), owner: status === 'open' ? null : 'lan.tran', paged: ['high', 'critical'].includes(rule.level) && s.level >= 3,
    notifications: ['high', 'critical'].includes(rule.level) ? [{ at: iso(first + MIN), channel: 'mail', person: 'Trần Thị Lan', result: 'sent', detail: '250 2.0.0 Ok' }, { at: iso(first + 2 * MIN), channel: 'webhook', person: 'Trực ca', result: 'failed', detail: 'connect timed out after 5 s' }] : [],
    log: [{ at: iso(first), actor: 'chieng', action: 'created', note: null }, ...(status !== 'open' ? [{ at: iso(first + 9 * MIN), actor: 'lan.tran', action: 'ack', note: 'Đang kiểm tra máy chủ.' }] : []), ...(status === 'closed' ? [{ at: iso(first + 80 * MIN), actor: 'lan.tran', action: 'close', note: 'Đã chặn địa chỉ, không có lần đăng nhập nào thành công.' }] : [])], close_verdict: status === 'closed' ? 'true_positive' : null };
});
export const keeping = {
  outlook: {
    at: iso(NOW), budget_bytes: 400e9, stored_bytes: 212e9, bytes_per_day: 2.6e9, full_on: '2027-02-04', days_left: 73, warn_days: 60,
    systems: [['dvc', 3, 92e9, 1.1e9, 93, 93, '2026-08-22', null, null], ['taichinh', 4, 71e9, 0.9e9, 186, 186, '2026-06-01', '2027-01-12', 50], ['unassigned', null, 2e9, 0.02e9, 372, null, '2026-10-01', null, null]].map(([system, level, stored_bytes, bytes_per_day, keep_days, minimum_days, oldest, breaks_on, days_left]) => ({ system, name: systems.find((s) => s.id === system)?.name ?? null, level, stored_bytes, bytes_per_day, keep_days, minimum_days, rule_short: false, oldest, breaks_on, days_left })),
  },
  holds: [{ id: 1, system: 'dvc', class: null, from: iso(NOW - 40 * 24 * HOUR), to: null, reason: 'Công văn 112/CAT-ANM, vụ việc SC-12', placed_by: 'lan.tran', placed_at: iso(NOW - 5 * 24 * HOUR), released: null }],
  deletions: [{ at: iso(NOW - 3 * HOUR), system: 'dvc', class: 'nginx.access', rows: 181_204, ingested_from: iso(NOW - 94 * 24 * HOUR), ingested_to: iso(NOW - 93.96 * 24 * HOUR), segment: '20260821T03-1-2-l1', checksum: '9f'.repeat(32), actor: 'chieng:retention', reason: 'outlived the longest rule of its systems (months by level 1–5: 1, 1, 3, 6, 12)' }],
  deletions_total: 1, may: { place: true, release: true },
};

const hex = (i) => Array.from({ length: 8 }, (_, k) => ((i * 2654435761 + k * 40503 + 0x1234567) >>> 0).toString(16).padStart(8, '0')).join('');
export const proof = {
  chain: {
    node: 'n1', key: hex(7), root: 42, line: 'CHIENG-ROOT n1 42 5f3a-09c1-77d0-2b1e-90ab-c3d4-41f0-7be2 9d04', signed_at: iso(NOW - 41 * MIN), signed_through: 180_244, through: 181_002, anchored: 41, anchored_at: iso(NOW - 62 * MIN), unanchored_since: iso(NOW - 41 * MIN), broken: null,
    journals: [0, 1, 2].map((i) => ({ file: `${iso(NOW - i * DAY).slice(0, 10)}.proof`, day: iso(NOW - i * DAY).slice(0, 10), bytes: 412_000 + i * 90_000, blocks: 1_204, rows: 4_100_233, roots: i === 0 ? 10 : 24, anchors: i === 0 ? 19 : 48, deletions: i, damage: null })),
    journals_total: 212,
    roots: Array.from({ length: 40 }, (_, i) => ({ number: 42 - i, hash: hex(42 - i), hour: iso(Math.floor(NOW / HOUR) * HOUR - (i + 1) * HOUR), signed_at: iso(Math.floor(NOW / HOUR) * HOUR - i * HOUR + 2 * MIN), blocks: 51, rows: 171_022 + i * 93, signed: true, anchors: i === 0 ? 0 : 2 })),
    targets: [{ target: 'syslog tcp 192.0.2.1:514', root: 41, taken_at: iso(NOW - 62 * MIN), tried_at: iso(NOW - 2 * MIN), failures: 3, detail: 'no connection in time' }, { target: 'mail kiemtoan@tinh.example', root: 30, taken_at: iso(NOW - 13 * HOUR), tried_at: iso(NOW - 13 * HOUR), failures: 0, detail: '250 2.0.0 Ok' }],
    attempts: [{ root: 42, target: 'syslog tcp 192.0.2.1:514', at: iso(NOW - 2 * MIN), taken: false, detail: 'no connection in time' }, { root: 41, target: 'syslog tcp 192.0.2.1:514', at: iso(NOW - 62 * MIN), taken: true, detail: '114 bytes sent' }],
  },
  running: null,
  checked: {
    at: iso(NOW - 26 * HOUR), ended: iso(NOW - 25.6 * HOUR), by: 'kiemtoan', outcome: 'not_intact', reason: null, files_only: false, from: null, to: null, with_key: true, with_anchors: false,
    report: { journals: 211, blocks: 250_113, roots: 5_061, anchors: 4_920, by_outside: false, files: 812, files_bytes: 212e9, leaves: 1_940_220, rows: 861_004_112, leaves_expired: 4_100, leaves_partly_expired: 0, leaves_unreadable: 1, rows_unproven: 0, unanchored: { from: 41, to: 42, since: iso(NOW - 41 * MIN) }, unsigned: [{ from: 180_245, to: 181_002, what: 'no root is signed yet' }], remarks: [], divergences: [{ kind: 'rows_changed', what: 'one or more of 412 rows were changed', hour: '2026-11-21T09Z', from: 1_201, to: 1_262, system: 'dvc', dataset: 'sshd.auth', files: ['20261121T09-1201-1262-l1.parquet'], events: ['n1-1204-3'] }, { kind: 'file', what: 'checksum 9f… found, 41… expected', hour: '2026-11-21T09Z', from: 1_201, to: 1_262, system: null, dataset: null, files: ['20261121T09-1201-1262-l1.parquet'], events: [] }], divergences_total: 2 },
  },
  packets: [{ id: 1, system: 'dvc', dataset: null, from: iso(NOW - 30 * DAY), to: iso(NOW - 2 * DAY), by: 'kiemtoan', reason: 'Công văn 112/CAT-ANM, vụ việc SC-12 <img src=x>', made: iso(NOW - 3 * HOUR), expires: iso(NOW + 2.8 * DAY), rows: 181_204, leaves: 1_204, unsigned: 2, incomplete: 0 }],
  packet_failed: null, may: { check: true, pack: true },
};

export const sources = {
  sources: [['syslog-udp', 'syslog_udp', '0.0.0.0:514', 41, 'ok', 12], ['syslog-tcp', 'syslog_tcp', '0.0.0.0:601', 18, 'ok', -40], ['http-winlogbeat', 'http', '/ingest/v1/winlogbeat', 23, 'ok', 800], ['quan-trac', 'syslog_udp', '0.0.0.0:5514', 2, 'skewed', -93_600_000], ['phananh', 'http', '/ingest/v1/phananh', 1, 'silent', null]].map(([name, kind, address, senders, status, skew]) => ({ name, kind, address, senders, events_24h: status === 'silent' ? 0 : 12_000 + senders * 5137, last_event: status === 'silent' ? iso(NOW - 31 * HOUR) : iso(NOW - 2000), silent: status === 'silent', parsers: kind === 'http' ? ['winlogbeat'] : ['sshd', 'nginx_access', 'fortigate'], quarantined: Math.floor(rnd() * 60), refused: Math.floor(rnd() * 9), skew_ms: skew, status, detail: null })),
  unknown_senders: [{ address: '10.44.7.19', source: 'syslog-udp', first_seen: iso(NOW - 5 * HOUR), last_seen: iso(NOW - MIN), events: 1842, sample: '<134>Nov 23 16:44:02 KHO-SW01 %LINK-3-UPDOWN: Interface Gi1/0/3, changed state to down' }, { address: '203.0.113.200', source: 'syslog-udp', first_seen: iso(NOW - 2 * HOUR), last_seen: iso(NOW - 20 * MIN), events: 7, sample: HOSTILE[0] }],
  ledger: [['syslog-udp', 212004], ['syslog-tcp', 80122], ['http-winlogbeat', 31007], ['quan-trac', 2880], ['phananh', 0]].map(([source, received]) => ({ source, received, parsed: received - (received ? 13 : 0), quarantined: received ? 9 : 0, refused: received ? { oversized: 3, rate: 1 } : {}, events: received, unaccounted: 0 })),
  quarantine: HOSTILE.map((line, i) => ({ id: `n1-q${i}-0`, time: iso(NOW - i * 17 * MIN), source: 'syslog-udp', reason: i % 2 ? 'no parser recognised the line' : 'invalid UTF-8 at byte 12', line })),
};
export const users = [['admin', 'Nguyễn Văn Bình', 'admin'], ['lan.tran', 'Trần Thị Lan', 'oncall'], ['hung.le', 'Lê Quốc Hùng', 'analyst'], ['kiemtoan', 'Phạm Thu Hà', 'auditor'], ['stc', 'Sở Tài chính', 'owner']].map(([name, display_name, role], i) => ({ name, display_name, role, systems: role === 'owner' ? ['taichinh', 'dautu'] : 'all', language: 'vi', email: `${name}@tinh.example`, disabled: i === 3, last_login: i === 4 ? null : iso(NOW - i * HOUR) }));
export const oncall = { schedules: [{ id: 'chinh', name: 'Trực an ninh mạng', timezone: 'Asia/Ho_Chi_Minh', members: ['lan.tran', 'hung.le', 'admin'], rotation: { kind: 'weekly', handover: '08:00', start: '2026-11-02' }, overrides: [{ from: iso(NOW + DAY), to: iso(NOW + 2 * DAY), user: 'admin' }], now: { user: 'lan.tran', display_name: 'Trần Thị Lan', until: iso(NOW + 3 * DAY) }, next: [{ user: 'hung.le', display_name: 'Lê Quốc Hùng', from: iso(NOW + 3 * DAY) }] }], escalation: { steps: [{ wait_minutes: 0, target: 'oncall:chinh' }, { wait_minutes: 10, target: 'user:hung.le' }, { wait_minutes: 20, target: 'everyone' }], repeat: 2 } };
export const channels = [{ id: 'mail', kind: 'smtp', name: 'Thư công vụ', enabled: true, last_result: 'sent', last_at: iso(NOW - HOUR) }, { id: 'zalo', kind: 'webhook', name: 'Cổng tin nhắn', enabled: true, last_result: 'failed', last_at: iso(NOW - 2 * HOUR) }];
export const session = { user: { name: 'admin', display_name: 'Nguyễn Văn Bình', role: 'admin', systems: 'all', language: 'vi' }, csrf: 'mock-csrf', version: '0.1.0' };
