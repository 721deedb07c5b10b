// The mock of /api/v1 for development and screenshots: answers as src/lib/types.ts says. Never shipped.
import { brief, channels, events, fields, incidents, iso, keeping, LABELS, oncall, proof, rules, session, sources, systems, users } from './data.mjs';

let loggedIn = true;
let setupNeeded = false;
const waits = new Map();
const job = (id, q, more) => ({ id, q, mode: 'search', from: iso(Date.now() - 30 * 864e5), to: iso(Date.now() - 864e5), columns: [], status: 'done', permille: null, rows: 1204, bytes: 412_000, complete: true, reason: null, readable: true, created: iso(Date.now() - 5e7), started: iso(Date.now() - 5e7), ended: iso(Date.now() - 4.9e7), expires: iso(Date.now() + 6 * 864e5), ...more });
const jobs = [job('3', 'Failed', {}), job('2', 'GET | stats count() by source.ip <img src=x onerror=alert(1)>', { complete: false, reason: 'more than 256 MiB' }), job('1', 'SELECT * FROM events', { mode: 'sql', status: 'interrupted', readable: false, complete: false, rows: 0 })];
const searches = [{ id: '1', name: 'Đăng nhập hỏng <img src=x>', q: 'Failed password', mode: 'search', from: '-7d', to: 'now', columns: ['user.name', 'source.ip', 'message'], shared: true, mine: false, owner: 'lan.tran', changed: '2026-11-01T00:00:00Z' }];
const fail = (status, code, message, more = {}) => ({ status, body: { error: { code, message, request_id: 'req-7f3a19', ...more } } });
const missing = () => fail(404, 'not_found', 'no such thing');

function search(q, from, to) {
  const words = q.match(/(?:not\s+)?[\w.@-]+:"(?:\\.|[^"])*"|(?:not\s+)?[^\s]+/g)?.filter((w) => !/^(and|\*)$/i.test(w)) ?? [];
  const tests = words.map((word) => {
    const out = /^not\s+/.test(word), found = /^([\w.@-]+):"?(.*?)"?$/s.exec(word.replace(/^not\s+/, ''));
    const test = found && LABELS[found[1]] ? (e) => [e[found[1]]].flat().some((v) => v !== undefined && (found[2] === '*' || String(v) === found[2].replace(/\\(.)/g, '$1'))) : (e) => e.message.toLowerCase().includes(word.replace(/^not\s+/, '').replace(/"/g, '').toLowerCase());
    return out ? (e) => !test(e) : test;
  });
  return events.filter((e) => e.timestamp >= from && e.timestamp < to && tests.every((test) => test(e)));
}
const sqlOf = (q, b) => `SELECT * FROM events\nWHERE timestamp >= '${b.from}' AND timestamp < '${b.to}'${q ? `\n  AND match('${q.replace(/'/g, "''")}')` : ''}\nORDER BY timestamp DESC LIMIT ${b.limit ?? 500}`;
const label = (name) => ({ name, type: 'keyword', label_vi: LABELS[name]?.[0] ?? null, label_en: LABELS[name]?.[1] ?? null });

const routes = {
  'GET /setup': () => ({ needed: setupNeeded }),
  'POST /setup': () => ((setupNeeded = false), (loggedIn = true), session),
  'GET /session': () => (loggedIn ? session : fail(401, 'unauthenticated', 'log in first')),
  'POST /session': (b) => (b.password === 'sai' ? fail(401, 'unauthenticated', 'wrong') : b.password === 'khoa' ? fail(429, 'too_many', 'too many', { retry_after: 40 }) : ((loggedIn = true), session)),
  'DELETE /session': () => ((loggedIn = false), {}),
  'GET /home': () => {
    const now = Date.now(), minute = Math.floor(now / 60_000) * 60_000, counts = { critical: 0, high: 0, medium: 0, low: 0, informational: 0 };
    incidents.filter((i) => i.status !== 'closed').forEach((i) => (counts[i.severity] += 1));
    const scored = systems.filter((s) => s.score.measured.value !== null), by = { 1: 0, 2: 0, 3: 0, 4: 0, 5: 0 };
    systems.forEach((s) => (by[s.level] += 1));
    return {
      now: iso(now), systems: { total: systems.length, by_level: by, silent: 1, scored: scored.length },
      score: { measured: { value: Math.round((scored.reduce((n, s) => n + s.score.measured.value, 0) / scored.length) * 10) / 10 }, attested: { value: null, reason_vi: 'Mới 12 trên 35 hệ thống nộp hồ sơ.', reason_en: 'Only 12 of 35 systems have documents.' }, provisional: true, evaluated: 1684, of: 5120 },
      incidents: { open_by_severity: counts }, events: { last_24h: 326_013, rate: 61.4, per_minute: Array.from({ length: 180 }, (_, i) => ({ t: iso(minute - (179 - i) * 60_000), n: Math.round(2200 + 900 * Math.sin(i / 22) + ((i * 7919) % 400) + (i > 120 && i < 128 ? 3100 : 0)) })) },
      sources: { active: 84, silent: 3, unknown_senders: 2 }, ledger: { received: 326_013, parsed: 325_961, quarantined: 36, refused: 16, unaccounted: 0 },
      attention: [
        { kind: 'incident', severity: 'critical', text_vi: 'Web shell được gọi qua cổng dịch vụ công, chưa ai nhận việc', text_en: 'Web shell called on the portal, nobody has it yet', link: '/incidents/i2', at: iso(now - 6.6 * 3.6e6) }, { kind: 'silent_system', severity: 'high', text_vi: 'Phản ánh hiện trường im lặng 31 giờ', text_en: 'Phản ánh hiện trường silent for 31 hours', link: '/systems/phananh', at: iso(now - 31 * 3.6e6) },
        { kind: 'clock', severity: 'medium', text_vi: 'Quan trắc môi trường tự động chạy chậm 26 giờ', text_en: 'Quan trắc môi trường tự động is 26 hours slow', link: '/systems/moitruong', at: null }, { kind: 'retention', severity: 'medium', text_vi: 'Quản lý tài chính – ngân sách thiếu log 3 ngày đầu tháng 10', text_en: 'Quản lý tài chính – ngân sách lacks 3 days of logs in October', link: '/systems/taichinh', at: null },
        { kind: 'unknown_sender', severity: 'low', text_vi: '2 máy gửi lạ chờ nhận vào hệ thống', text_en: '2 unknown senders wait to be adopted', link: '/sources', at: null },
      ],
    };
  },
  'POST /hunt': (b) => {
    const bad = /\((?![^)]*\))/.exec(b.q);
    if (bad && b.mode === 'search') return fail(400, 'search_syntax', 'the bracket is never closed', { offset: [...b.q.slice(0, bad.index)].length, length: 1, hint: 'write ) or put the text in quotes' });
    if (b.q.includes('hỏng')) return fail(503, 'internal', 'query failed: memory pool exhausted', { hint: 'narrow the time range' });
    if (b.mode === 'sql') {
      if (!/^select/i.test(b.q.trim())) return fail(400, 'sql_refused', 'only SELECT is allowed here', { offset: 0, length: b.q.trim().split(/\s/)[0].length });
      const by = new Map();
      search('', b.from, b.to).forEach((e) => by.set(e['source.ip'], (by.get(e['source.ip']) ?? 0) + 1));
      return { sql: b.q, columns: [label('source.ip'), { name: 'count(*)', type: 'long' }], rows: [...by].map(([ip, n]) => ({ 'source.ip': ip, 'count(*)': n })), took_ms: 41, scanned: { segments: 12, segments_skipped: 400, rows: 9000 }, complete: true, next: null };
    }
    if (/\|\s*timechart/.test(b.q)) {
      const names = ['sshd.auth', 'nginx.access', 'fortigate.traffic', 'windows.security', '<b onmouseover=alert(1)>', 'oracle.audit', 'mssql.audit', 'dns.query', 'dhcp.lease', 'vpn.session'], start = Math.floor(Date.parse(b.from) / 36e5) * 36e5;
      const rows = Array.from({ length: 24 }, (_, h) => [...names, null, 'OTHER'].map((name, i) => ({ timestamp: iso(start + h * 36e5), 'event.dataset': name, count: Math.round((1200 / (i + 1)) * (1.4 + Math.sin(h / 4 + i))) }))).flat();
      return { sql: 'SELECT date_bin(INTERVAL \'1 hours\', timestamp) AS "timestamp", event.dataset, count(*) AS "count" FROM events GROUP BY 1, 2', view: 'chart', span_ms: 36e5, columns: [{ name: 'timestamp', type: 'date' }, { name: 'event.dataset', type: 'keyword' }, { name: 'count', type: 'long' }].map((c) => ({ label_vi: null, label_en: null, ...c })), rows, took_ms: 61, scanned: { segments: 12, segments_skipped: 3, rows: 326_013 }, complete: true, reason: null, next: null };
    }
    if (/\|\s*stats count\(\) by source\.ip/.test(b.q)) {
      const by = new Map();
      search(b.q.split('|')[0].trim(), b.from, b.to).forEach((e) => by.set(e['source.ip'], (by.get(e['source.ip']) ?? 0) + 1));
      return { sql: 'SELECT source.ip, count(*) AS "count"\nFROM events\nGROUP BY source.ip', view: 'table', span_ms: null, columns: [label('source.ip'), { name: 'count', type: 'long' }], rows: [...by].map(([ip, n]) => ({ 'source.ip': ip, count: n })), took_ms: 41, scanned: { segments: 12, segments_skipped: 400, rows: 9000 }, complete: true, next: null };
    }
    const found = search(b.q, b.from, b.to), start = Number(b.before ?? 0), rows = found.slice(start, start + b.limit);
    return { sql: sqlOf(b.q, b), columns: [...new Set(rows.slice(0, 50).flatMap(Object.keys))].map(label), rows, took_ms: 37, scanned: { segments: 14, segments_skipped: 1203, rows: found.length * 3 }, complete: !b.q.includes('chậm') && !b.q.includes('GET'), reason: b.q.includes('GET') ? 'time_limit' : null, next: start + b.limit < found.length ? String(start + b.limit) : null };
  },
  'POST /hunt/explain': (b) => ({ sql: b.q, complete: true, sentences: [
    { code: 'segments', figures: [1217], about: null, vi: 'Sổ mục lục có 1.217 tệp trong phạm vi của bạn.', en: 'The catalogue has 1,217 files in your scope.' },
    { code: 'skipped', figures: [1203], about: null, vi: '1.203 tệp không phải mở: khoảng thời gian của chúng nằm ngoài.', en: '1,203 files were not opened: they lie outside the time range.' },
  ] }),
  'POST /hunt/complete': (b) => {
    const typed = /[\p{L}\p{N}_.]*$/u.exec([...b.q].slice(0, b.caret).join(''))[0];
    const commands = [['stats', 'Đếm và tính tổng, mỗi nhóm một dòng', 'Counts and sums, one row per group'], ['sort', 'Sắp xếp', 'Orders the rows']];
    return { start: b.caret - [...typed].length, suggestions: commands.filter(([name]) => name.startsWith(typed)).map(([text, vi, en]) => ({ kind: 'command', text, detail: '', vi, en })) };
  },
  'POST /hunt/histogram': (b) => {
    const from = Date.parse(b.from), to = Date.parse(b.to), step = [1e3, 5e3, 15e3, 6e4, 3e5, 9e5, 36e5, 108e5, 864e5].find((s) => (to - from) / s <= b.buckets) ?? 864e5, found = search(b.q, b.from, b.to), counts = new Map();
    found.forEach((e) => { const t = Math.floor(Date.parse(e.timestamp) / step) * step; counts.set(t, (counts.get(t) ?? 0) + 1); });
    const buckets = [];
    for (let t = Math.floor(from / step) * step; t < to; t += step) buckets.push({ t: iso(t), n: counts.get(t) ?? 0 });
    return { interval_ms: step, buckets, total: found.length };
  },
  'POST /hunt/facets': (b) => {
    const found = search(b.q, b.from, b.to);
    return { facets: (b.fields ?? ['event.dataset', 'system.id', 'host.name', 'source.ip', 'user.name', 'event.outcome', 'http.response.status_code', 'event.action']).map((field) => {
      const by = new Map();
      found.forEach((e) => e[field] !== undefined && by.set(e[field], (by.get(e[field]) ?? 0) + 1));
      const all = [...by].sort((x, y) => y[1] - x[1]), values = all.slice(0, 6).map(([value, n]) => ({ value, n }));
      return { field, label_vi: LABELS[field]?.[0], label_en: LABELS[field]?.[1], values, other: all.slice(6).reduce((n, [, c]) => n + c, 0) };
    }).filter((f) => f.values.length) };
  },
  'POST /hunt/patterns': (b) => {
    const found = search(b.q, b.from, b.to), by = new Map();
    found.forEach((e) => { const text = e.message.replace(/\S*\d\S*/g, '*'), one = by.get(text) ?? { text, count: 0, last: e.timestamp, id: e['event.id'], sample: e.message }; one.count += 1; one.first = e.timestamp; by.set(text, one); });
    const all = [...by.values()].sort((x, y) => (b.rarest ? x.count - y.count : y.count - x.count));
    return { patterns: all.slice(0, b.limit), distinct: all.length, rows: found.length, other: all.slice(b.limit).reduce((n, one) => n + one.count, 0), complete: true, reason: null, took_ms: 61 };
  },
  'POST /hunt/compare': (b) => {
    const here = search(b.here.q, b.here.from, b.here.to), there = here.filter((e) => e['source.ip'] !== '10.20.3.44').slice(0, 800), count = (list, field, value) => list.filter((e) => (e[field] ?? null) === value).length;
    const differences = ['source.ip', 'user.name', 'event.dataset', 'system.id', 'host.name'].flatMap((field) => [...new Set(here.map((e) => e[field] ?? null))].slice(0, 12).map((value) => ({ field: label(field), value: value === null ? null : String(value), here: count(here, field, value), there: count(there, field, value) })))
      .map((one) => ({ ...one, score: Math.abs(one.here / here.length - one.there / Math.max(1, there.length)) })).sort((x, y) => y.score - x.score).slice(0, 30);
    return { differences, here: here.length, there: there.length, fields: 64, crowded: ['source.port'], complete: true, reason: null };
  },
  'GET /jobs': () => { for (const job of jobs) if (job.status === 'running') Object.assign(job, job.permille < 900 ? { permille: job.permille + 300, rows: job.rows + 1200 } : { status: 'done', permille: null, complete: true, readable: true, ended: iso(Date.now()) }); return { jobs, most: 20, bytes: 4096, bytes_most: 1 << 30, keep_days: 7 }; },
  'POST /jobs': (b) => { const job = { columns: [], ...b, id: String(jobs.length + 1), status: 'running', permille: 0, rows: 0, bytes: 0, complete: false, reason: null, readable: false, created: iso(Date.now()), started: iso(Date.now()), ended: null, expires: iso(Date.now() + 7 * 864e5) }; jobs.unshift(job); return job; },
  'DELETE /jobs/:id': (_, { id }) => (jobs.splice(jobs.findIndex((one) => one.id === id), 1), {}),
  'GET /jobs/:id/rows': (_, { id }, p) => { const found = search(jobs.find((one) => one.id === id)?.q ?? '', '2000', '2100'), at = Number(p.get('offset') ?? 0), rows = found.slice(at, at + 100); return { view: 'events', columns: ['timestamp', 'system.id', 'host.name', 'event.dataset', 'message'].map(label), rows, offset: at, total: found.length, next: at + 100 < found.length ? at + 100 : null, complete: id !== '2', reason: id === '2' ? 'more than 256 MiB' : null }; },
  'GET /searches': () => searches,
  'POST /searches': (b) => { const one = { ...b, id: String(searches.length + 1), mine: true, owner: 'admin', changed: iso(Date.now()) }; searches.push(one); return one; },
  'DELETE /searches/:id': (_, { id }) => (searches.splice(searches.findIndex((one) => one.id === id), 1), {}),
  'GET /events/:id/around': (_, { id }) => {
    const at = events.findIndex((e) => e['event.id'] === id), e = events[at], same = (list) => list.filter((x) => x['host.name'] === e['host.name']);
    return e ? { by: 'host', value: e['host.name'], q: `host.name:"${e['host.name']}"`, before: same(events.slice(at + 1)).slice(0, 8).reverse(), after: same(events.slice(0, at)).slice(-8) } : missing();
  },
  'POST /hunt/paste': (b) => {
    const words = [...new Set(b.text.replace(/hxxp/gi, 'http').replace(/[[({](\.|dot)[\])}]/gi, '.').replace(/[[({](at)[\])}]/gi, '@').split(/[\s,;]+/).filter(Boolean))];
    const kindOf = (w) => (/^[\d.]+\/\d+$/.test(w) ? 'network' : /^(\d+\.){3}\d+$/.test(w) ? 'address' : /@/.test(w) ? 'mail' : /:\/\//.test(w) ? 'url' : /^[0-9a-f]{32,128}$/i.test(w) ? 'hash' : /\w\.\w{2}/.test(w) ? 'domain' : null);
    const good = words.filter(kindOf), bad = words.filter((w) => !kindOf(w)), since = iso(Date.now() - 12 * 864e5);
    if (good.length === 0) return fail(400, 'invalid', 'there is no indicator in the text: no address, network, domain, URL, hash or mail address');
    const indicators = good.map((value) => {
      const kind = kindOf(value), found = events.filter((e) => e['source.ip'] === value || e.message.includes(value)), by = new Map();
      found.forEach((e) => by.set(e['system.id'], (by.get(e['system.id']) ?? 0) + 1));
      return { text: value, value, kind, status: found.length ? 'hit' : kind === 'hash' ? 'not_searchable' : kind === 'url' ? 'none' : 'none_since', since: found.length || kind === 'hash' || kind === 'url' ? null : since, count: found.length, first: found.at(-1)?.timestamp ?? null, last: found[0]?.timestamp ?? null, systems: [...by].map(([id, n]) => { const s = systems.find((x) => x.id === id); return { system: s ? { id: s.id, name: s.name, level: s.level } : null, n }; }), more_systems: false, fields: found.length ? ['event.original', 'source.ip', 'related.ip'] : [], q: `"${value}"` };
    });
    return { indicators, unreadable: bad, unreadable_total: bad.length, duplicates: 2, dropped: 0, most: 10000, coverage: [{ kind: 'hash', fields: [], hidden: ['event.original'], since: null, field_since: null }, { kind: 'domain', fields: ['event.original'], hidden: [], since, field_since: null }], kept_since: since, searched_from: b.from, complete: !b.text.includes('chậm'), reason: b.text.includes('chậm') ? 'the time limit of 120 s was reached' : null, took_ms: 84 };
  },
  'GET /events/:id': (_, { id }) => {
    const event = events.find((e) => e['event.id'] === id), s = systems.find((x) => x.id === event?.['system.id']);
    return event ? { event, labels: Object.fromEntries(Object.keys(event).map((k) => [k, { vi: LABELS[k]?.[0] ?? k, en: LABELS[k]?.[1] ?? k }])), system: s ? { id: s.id, name: s.name, level: s.level } : null } : missing();
  },
  'GET /fields': () => fields,
  'GET /systems': () => systems.map(brief),
  'GET /systems/:id': (_, { id }) => systems.find((s) => s.id === id) ?? missing(),
  'GET /systems/:id/requirements/:key': (_, { id, key }) => {
    const q = systems.find((s) => s.id === id)?.requirements.find((r) => r.key === key);
    const columns = [{ name: 'source', type: 'keyword', label_vi: 'Nguồn', label_en: 'Source' }, { name: 'first', type: 'date', label_vi: 'Đầu', label_en: 'First' }, { name: 'received', type: 'long', label_vi: 'Nhận vào', label_en: 'Received' }];
    return q ? { ...q, rows: { columns, rows: q.verdict === 'blind' ? [] : [1, 2, 3].map((n) => ({ source: `${id}-app0${n}`, first: iso(Date.now() - n * 864e5 * 40), received: 12345 * n })) }, evidence: q.kind === 'measured' ? [] : [{ title_vi: 'Biên bản rà soát nhật ký', title_en: 'Log review record', by: 'lan.tran', at: iso(Date.now() - 864e5 * 80), until: null }], hunt: { q: `system.id:${id}`, mode: 'search', from: iso(Date.now() - 864e5), to: iso(Date.now()) } } : missing();
  },
  'POST /register/import': (b) => ({ changed: 0, accepted: b.csv.split('\n').length - 2, errors: [{ line: 3, column: 'level', message: 'cấp độ phải từ 1 đến 5, gặp "6"' }] }),
  'GET /incidents': (_, __, p) => incidents.filter((i) => (!p.get('status') || p.get('status').split(',').includes(i.status)) && (!p.get('severity') || i.severity === p.get('severity')) && (!p.get('system') || i.system.id === p.get('system'))).map(({ notifications, log, close_verdict, ...i }) => ({ ...i, alerts: i.alerts.length })),
  'GET /incidents/:id': (_, { id }) => incidents.find((i) => i.id === id) ?? missing(),
  'POST /incidents/:id/:act': (b, { id, act }) => {
    const i = incidents.find((x) => x.id === id);
    if (act === 'ack') Object.assign(i, { status: 'acknowledged', owner: 'admin' });
    if (act === 'assign') i.owner = b.user;
    if (act === 'close') Object.assign(i, { status: 'closed', close_verdict: b.verdict });
    i.log.push({ at: iso(Date.now()), actor: 'admin', action: act, note: b.note ?? b.text ?? b.user ?? null });
    return {};
  },
  'GET /incidents/:id/people': () => users.filter((u) => !u.disabled && ['admin', 'analyst', 'oncall'].includes(u.role)).map(({ name, display_name, role }) => ({ name, display_name, role })),
  'GET /alerts': () => incidents.flatMap((i) => i.alerts),
  'GET /rules': () => rules,
  'GET /sources': () => sources,
  'GET /keeping': () => keeping,
  'POST /holds': (b) => (keeping.holds.push({ ...b, id: keeping.holds.length + 1, placed_by: 'lan.tran', placed_at: iso(Date.now()), released: null }), keeping.holds.at(-1)),
  'POST /holds/:id/release': (b, { id }) => {
    const hold = keeping.holds.find((one) => String(one.id) === id && !one.released);
    return hold ? Object.assign(hold, { released: { at: iso(Date.now()), by: 'lan.tran', reason: b.reason } }) : missing();
  },
  'GET /proof': () => proof,
  'POST /proof/check': () => ((proof.running = { kind: 'check', system: null, by: 'admin', since: iso(Date.now()), step: 'rows', permille: 420, stopping: false }), proof),
  'DELETE /proof/check': () => ((proof.running = null), {}),
  'POST /proof/packets': (b) => (proof.packets.unshift({ ...b, id: proof.packets.length + 1, by: 'admin', made: iso(Date.now()), expires: iso(Date.now() + 3 * 864e5), rows: 1204, leaves: 12, unsigned: 1, incomplete: 0 }), { id: proof.packets.length }),
  'DELETE /proof/packets/:id': (_, { id }) => (proof.packets.splice(proof.packets.findIndex((one) => String(one.id) === id), 1), {}),
  'GET /events/:id/proof': (_, { id }) => ({
    event: id, ingested: iso(Date.now() - 7.2e6), system: 'dvc', dataset: 'sshd.auth', state: 'signed', reason: null, journal: '2026-11-23.proof', rows: 'fits',
    leaf: { system: 'dvc', dataset: 'sshd.auth', skewed: false, rows: 412, content: 'c1'.repeat(32), hash: '77d05f3a09c12b1e'.repeat(4) },
    block: { after: 1200, through: 1262, from: iso(Date.now() - 7.26e6), to: iso(Date.now() - 7.2e6), unplaced: 0, leaves: Array.from({ length: 7 }, (_, i) => `${i}0`.repeat(32)), place: 3, hash: '41f07be290abc3d4'.repeat(4) },
    chain: { before: 'aa'.repeat(32), steps: Array.from({ length: 38 }, () => 'bb'.repeat(32)), end: '90abc3d441f07be2'.repeat(4), fits: true },
    root: { number: 41, hash: '5f3a09c177d02b1e'.repeat(4), statement: '{}', signature: 'ef'.repeat(64), key: 'cd'.repeat(32), signed: true, line: 'CHIENG-ROOT n1 41 5f3a-09c1-77d0-2b1e-5f3a-09c1-77d0-2b1e 9d04' },
    anchors: [{ root: 41, target: 'syslog tcp 192.0.2.1:514', at: iso(Date.now() - 3.5e6), answer: '114 bytes sent' }],
  }),
  'POST /sources/adopt': (b) => ((sources.unknown_senders = sources.unknown_senders.filter((s) => s.address !== b.address)), { moved: 1753, since: '2026-11-22T00:00:00Z' }),
  'GET /oncall': () => oncall,
  'POST /oncall': (b) => Object.assign(oncall, b),
  'GET /channels': () => channels,
  'POST /channels': () => ({}),
  'POST /channels/test': () => ({ attempts: [{ channel: 'Thư công vụ', person: 'Trần Thị Lan', result: 'sent', detail: '250 2.0.0 Ok: queued as 4bXy', at: iso(Date.now()) }, { channel: 'Cổng tin nhắn', result: 'failed', detail: 'connect timed out after 5 s', at: iso(Date.now()) }] }),
  'POST /setup/source': (b) => ({ source: b.kind, address: '10.20.0.5:601', token: b.kind === 'windows' ? 'cg_9f2Lw0aVbWq3' : null, path: { rsyslog: '/etc/rsyslog.d/60-chieng.conf', fortigate: null, windows: 'C:\\Program Files\\Winlogbeat\\winlogbeat.yml' }[b.kind], snippet: { rsyslog: '*.* action(type="omfwd" target="10.20.0.5" port="601" protocol="tcp"\n    TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"\n    queue.type="LinkedList" queue.filename="chieng" queue.saveOnShutdown="on"\n    action.resumeRetryCount="-1")', fortigate: 'config log syslogd setting\n    set status enable\n    set server "10.20.0.5"\n    set mode reliable\n    set port 601\n    set format default\nend', windows: 'winlogbeat.event_logs:\n  - name: Security\n  - name: System\noutput.http:\n  url: "https://10.20.0.5:8443/ingest/v1/windows"' }[b.kind] }),
  'GET /setup/waiting': (_, __, p) => {
    const key = p.get('source') + p.get('since');
    waits.set(key, (waits.get(key) ?? 0) + 1);
    return { first_line: waits.get(key) > 2 ? { event: events[0], sender: '10.44.7.19', system: null } : null };
  },
  'POST /setup/test-alert': () => ({ incident: 'i0' }),
  'GET /users': () => users,
  'POST /users': (b) => (users.push({ ...b, disabled: false, last_login: null }), b),
  'POST /users/:id': (b, { id }) => Object.assign(users.find((u) => u.name === id), b),
  'POST /users/:id/password': () => ({}),
  'POST /session/password': (b) => (b.present === 'sai' ? fail(400, 'wrong_password', 'the present password is wrong', { field: 'present' }) : {}),
};

function find(method, path) {
  for (const [key, act] of Object.entries(routes)) {
    const [verb, pattern] = key.split(' '), want = pattern.split('/'), have = path.split('/'), params = {};
    if (verb === method && want.length === have.length && want.every((w, i) => (w.startsWith(':') ? ((params[w.slice(1)] = decodeURIComponent(have[i])), true) : w === have[i]))) return { act, params };
  }
  return null;
}

/** Answers `/api/v1/…` and returns true; anything else is left alone. `?mock=out|setup` on POST /api/mock sets the state. */
export function mockApi(req, res) {
  const url = new URL(req.url, 'http://mock');
  if (url.pathname === '/api/mock') {
    loggedIn = url.searchParams.get('in') === '1';
    setupNeeded = url.searchParams.get('setup') === '1';
    res.end('ok');
    return true;
  }
  if (!url.pathname.startsWith('/api/v1/')) return false;
  if (url.pathname === '/api/v1/hunt/tail') {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    let at = 0;
    const tell = () => res.write(`event: rows\ndata: ${JSON.stringify({ rows: events.slice(at, (at += 3)).reverse(), missed: at === 6 ? 12 : 0 })}\n\n`);
    tell();
    const timer = setInterval(() => at < 60 && tell(), 150);
    req.on('close', () => clearInterval(timer));
    return true;
  }
  let text = '';
  req.on('data', (part) => (text += part));
  req.on('end', async () => {
    const hit = find(req.method, url.pathname.slice('/api/v1'.length));
    const body = text ? JSON.parse(text) : {};
    const csrfMissing = req.method !== 'GET' && !/\/(session|setup)$/.test(url.pathname) && req.headers['x-chieng-csrf'] !== session.csrf;
    const answer = csrfMissing ? fail(403, 'csrf', 'csrf') : hit ? hit.act(body, hit.params, url.searchParams) : missing();
    const delay = body?.q?.includes?.('chậm') ? 60_000 : Number(process.env.MOCK_DELAY ?? 20);
    await new Promise((done) => setTimeout(done, delay));
    res.statusCode = answer?.body?.error ? answer.status : 200;
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify(answer?.body?.error ? answer.body : answer));
  });
  return true;
}
