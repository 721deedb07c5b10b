/**
 * The JSON the browser relies on, one type per answer of `/api/v1`.
 *
 * Conventions: snake_case; ids are text; times are RFC 3339 with `Z`; a score or share is a number 0…100 (percent, at most one
 * decimal); a count is an integer; an absent value is `null` or a missing key, never an empty string with a meaning.
 * Optional keys (`?`) may be missing: the page then leaves that part out. Nothing here is a class and nothing has behaviour.
 */

export type Time = string;
export type Level = 1 | 2 | 3 | 4 | 5;
export type Severity = 'informational' | 'low' | 'medium' | 'high' | 'critical';
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

// ---------------------------------------------------------------- errors, every 4xx and 5xx
export interface ApiErrorBody {
  error: {
    /** search_syntax | sql_syntax | sql_refused | unauthenticated | forbidden | csrf | not_found | conflict | invalid | too_many | limit | internal … */
    code: string;
    message: string;
    hint?: string | null;
    request_id?: string | null;
    /** search_syntax and sql_syntax: where in the text, in Unicode code points (not bytes), and how long (≥ 0). */
    offset?: number | null;
    length?: number | null;
    /** search_syntax: which kind of mistake (a stable code), and the message in Vietnamese. */
    problem?: string | null;
    message_vi?: string | null;
    /** invalid: which field of the form. */
    field?: string | null;
    /** too_many: seconds until the next try is accepted (login lock-out). */
    retry_after?: number | null;
  };
}

// ---------------------------------------------------------------- session and set-up
export type Role = 'admin' | 'analyst' | 'oncall' | 'auditor' | 'owner';

export interface User {
  name: string;
  display_name: string;
  role: Role;
  /** "all", or the ids of the systems in scope. */
  systems: 'all' | string[];
  language: 'vi' | 'en';
}

/** GET /session · POST /session {name, password} · POST /setup {token, name, password, display_name} — all answer this. */
export interface Session {
  user: User;
  csrf: string;
  version?: string;
}

/** GET /setup (no login needed) */
export interface SetupState {
  needed: boolean;
}

// ---------------------------------------------------------------- home
/** A score, or the reason why there is none. `value` null ⇔ "chưa đủ căn cứ". */
export interface Score {
  value: number | null;
  reason_vi?: string | null;
  reason_en?: string | null;
}

/** GET /home */
export interface Home {
  now: Time;
  systems: { total: number; by_level: Record<`${Level}`, number>; silent: number; scored: number };
  score: {
    /** Mean over the systems that have a number. Measured and attested are never added. */
    measured: Score;
    attested: Score;
    provisional: boolean;
    /** Requirement lines evaluated, of all lines due. */
    evaluated: number;
    of: number;
  };
  incidents: { open_by_severity: Record<Severity, number> };
  events: { last_24h: number; per_minute: { t: Time; n: number }[]; /** events/s over the last minute */ rate: number };
  sources: { active: number; silent: number; unknown_senders: number };
  /** Last 24 h. */
  ledger: Ledger;
  attention: Attention[];
}

export interface Ledger {
  received: number;
  parsed: number;
  quarantined: number;
  /** Total of refusals. */
  refused: number;
  unaccounted: number;
  merged?: number;
  events?: number;
}

export interface Attention {
  /** incident | silent_system | clock | retention | unknown_sender | blind_rule | rejected_rule | ledger | delivery | score … */
  kind: string;
  severity: Severity;
  text_vi: string;
  text_en: string;
  /** A route of this application, e.g. "/systems/dvc". */
  link?: string | null;
  at?: Time | null;
}

// ---------------------------------------------------------------- hunt
export type HuntMode = 'search' | 'sql';
/** One row: dotted ECS keys. The event time is `timestamp`; `event.id` is always present in search mode. */
export type Row = Record<string, Json>;

export interface Column {
  name: string;
  /** keyword | text | ip | long | double | boolean | date, or the Arrow type of a computed column. */
  type: string;
  label_vi?: string | null;
  label_en?: string | null;
}

/** POST /hunt — from/to RFC 3339, by event time (`timestamp`), from inclusive, to exclusive. In SQL mode they are sent, too. */
export interface HuntRequest {
  q: string;
  mode: HuntMode;
  from: Time;
  to: Time;
  limit: number;
  /** Opaque `next` of the answer before: the following page (older rows). */
  before?: string;
}

export interface Completion {
  /** In code points. */
  start: number;
  suggestions: { kind: string; text: string; detail: string; vi: string; en: string }[];
}
export interface HuntAnswer {
  sql: string;
  /** What commands after | made of the events; a chart's rows are spans of `span_ms`. */
  view?: 'events' | 'table' | 'chart';
  span_ms?: number | null;
  columns: Column[];
  /** Newest first. */
  rows: Row[];
  took_ms: number;
  scanned: { segments: number; segments_skipped: number; rows: number };
  /** false: the answer is partial, `reason` says why (time_limit | memory_limit | cancelled | text). */
  complete: boolean;
  reason?: string | null;
  /** Give it back as `before` for older rows; null when there are none. */
  next?: string | null;
}

/** POST /hunt/histogram {q, from, to, buckets, by?} — search mode only. Buckets without an event are listed with n = 0. */
export interface Histogram {
  interval_ms: number;
  buckets: { t: Time; n: number; parts?: Record<string, number> }[];
  total: number;
  complete?: boolean;
}

/** POST /hunt/facets {q, from, to, fields?} — search mode only; without `fields` the server chooses about ten. */
export interface Facets {
  facets: Facet[];
}
export interface Facet {
  field: string;
  label_vi?: string | null;
  label_en?: string | null;
  values: { value: Json; n: number }[];
  /** Events whose value is not listed. */
  other: number;
}

/** POST /hunt/paste {text, from, to} */
export type PasteStatus = 'hit' | 'none' | 'none_since' | 'not_searchable';
export interface PasteFinding {
  /** As it was pasted, and in the form that was looked for. */
  text: string;
  value: string;
  kind: 'address' | 'network' | 'domain' | 'url' | 'hash' | 'mail';
  status: PasteStatus;
  /** none_since: from here on it was looked for and not found. */
  since: Time | null;
  count: number;
  first: Time | null;
  last: Time | null;
  /** null: events of no system. */
  systems: { system: SystemRef | null; n: number }[];
  more_systems: boolean;
  fields: string[];
  /** The search text that shows its events. */
  q: string;
}
export interface PasteAnswer {
  indicators: PasteFinding[];
  unreadable: string[];
  unreadable_total: number;
  duplicates: number;
  /** Indicators beyond `most`. */
  dropped: number;
  most: number;
  coverage: { kind: PasteFinding['kind']; fields: string[]; hidden: string[]; since: Time | null; /** no field of its own when null */ field_since: Time | null }[];
  kept_since: Time | null;
  searched_from: Time;
  complete: boolean;
  reason: string | null;
  took_ms: number;
}

/** POST /hunt/explain {q, mode, from, to, limit?} */
export interface Explanation {
  sql: string;
  complete: boolean;
  sentences: { code: string; figures: number[]; about: string | null; vi: string; en: string }[];
}

/** POST /hunt/patterns {q, from, to, limit?, rarest?} */
export interface Patterns {
  patterns: { text: string; count: number; first: Time; last: Time; id: string; sample: string }[];
  distinct: number;
  rows: number;
  other: number;
  complete: boolean;
  reason: string | null;
  took_ms: number;
}

/** POST /hunt/compare {here, there} */
export interface Comparison {
  differences: { field: Column; value: string | null; here: number; there: number; score: number }[];
  here: number;
  there: number;
  fields: number;
  crowded: string[];
  complete: boolean;
  reason: string | null;
}

/** GET, POST /searches */
export interface SavedSearch {
  id: string;
  name: string;
  q: string;
  mode: HuntMode;
  from: string;
  to: string;
  columns: string[];
  shared: boolean;
  mine: boolean;
  owner: string;
  changed: Time;
}

/** GET /jobs/{id}, POST /jobs: a question in the background. */
export interface Job {
  id: string;
  q: string;
  mode: HuntMode;
  from: Time;
  to: Time;
  columns: string[];
  status: 'waiting' | 'running' | 'done' | 'failed' | 'interrupted';
  /** Of the time range, while it runs; null where nothing tells. */
  permille: number | null;
  rows: number;
  bytes: number;
  complete: boolean;
  reason: string | null;
  readable: boolean;
  created: Time;
  started: Time | null;
  ended: Time | null;
  expires: Time;
}

/** GET /jobs */
export interface Jobs {
  jobs: Job[];
  most: number;
  bytes: number;
  bytes_most: number;
  keep_days: number;
}

/** GET /jobs/{id}/rows */
export interface JobRows {
  view: 'events' | 'table';
  columns: Column[];
  rows: Row[];
  offset: number;
  total: number;
  next: number | null;
  complete: boolean;
  reason: string | null;
}

/** GET /events/{id}/around */
export interface Around {
  by: 'host' | 'sender';
  value: string;
  q: string;
  before: Row[];
  after: Row[];
}

/** GET /events/{id} */
export interface EventAnswer {
  event: Row;
  labels: Record<string, { vi: string; en: string }>;
  system?: SystemRef | null;
}

/** GET /fields */
export interface Field {
  name: string;
  type: string;
  label_vi: string;
  label_en: string;
  doc: string;
}

// ---------------------------------------------------------------- systems and score
export interface SystemRef {
  id: string;
  name: string;
  level: Level;
}

export type Verdict =
  | 'met'
  | 'partly'
  | 'breached'
  | 'blind'
  | 'expired'
  | 'accumulating'
  | 'not_yet_due'
  | 'not_applicable'
  | 'not_evaluated';

export type EvidenceKind = 'measured' | 'attested' | 'both';

export interface SystemRow extends SystemRef {
  unit: { id: string; name: string };
  /** chủ quản hệ thống thông tin */
  owner: string;
  /** đơn vị vận hành */
  operator: string;
  decision: { number: string; date: string /* yyyy-mm-dd */; body: string } | null;
  /** Is it heard: speaking = all expected sources speak, partly, silent = none, unknown = no source is expected. */
  status: 'speaking' | 'partly' | 'silent' | 'unknown';
  sources: { expected: number; speaking: number; silent: number };
  last_event: Time | null;
  events_24h: number;
  score: { measured: Score; attested: Score; evaluated: number; of: number; provisional: boolean; at?: Time | null };
  /** Worst verdict of each requirement group: one cell of the matrix. */
  groups: { group: string; group_vi: string; group_en: string; verdict: Verdict; evaluated: number; of: number }[];
  worst: { requirement: string; verdict: Verdict }[];
  framework: { id: string; name_vi: string; name_en: string };
}

/** GET /systems */
export type Systems = SystemRow[];

/** The framework that will bind a system, beside what it has today. */
export interface Upcoming {
  framework: string;
  name: string;
  due: string /* yyyy-mm-dd */;
  days_left: number;
  /** Mandatory lines; of these evaluated by telemetry; of these met. */
  of: number;
  evaluated: number;
  met: number;
  /** Evaluated and not met. */
  lines: { key: string; clause: string; title_vi: string; title_en: string; verdict: Verdict; reason_vi: string; reason_en: string; checks: string[]; sql: string | null }[];
}

/** GET /systems/{id} */
export interface SystemPage extends SystemRow {
  description?: string | null;
  assets: {
    id: string;
    name: string;
    kind: string;
    /** Addresses, ranges, host names. */
    addresses: string[];
    expected: boolean;
    last_event: Time | null;
    events_24h: number;
    /** speaking | silent | never | not_expected */
    status: string;
    dataset?: string | null;
  }[];
  requirements: Requirement[];
  /** The framework that will bind the system, and what is still missing for it; null when none is on its way. */
  upcoming: Upcoming | null;
  history: { date: string /* yyyy-mm-dd */; measured: number | null; attested?: number | null; provisional?: boolean }[];
  retention: {
    /** Whole days that are searchable without interruption up to now. */
    days: number;
    /** null: no minimum for this level. */
    minimum_days: number | null;
    since: Time | null;
    /** Stretches of received time with no event. */
    gaps: { from: Time; to: Time; reason_vi?: string | null; reason_en?: string | null }[];
  };
}

export interface Requirement {
  key: string;
  clause: string;
  title_vi: string;
  title_en: string;
  group: string;
  group_vi: string;
  group_en: string;
  binding: 'mandatory' | 'advised' | 'conflicting';
  /** yyyy-mm-dd from which it counts; null = already. */
  due: string | null;
  verdict: Verdict;
  kind: EvidenceKind;
  /** Measured share 0…100 where the verdict is partly. */
  share?: number | null;
  /** What was measured and what is asked, ready to print ("58 ngày", "90 ngày"). */
  value?: string | null;
  value_en?: string | null;
  threshold?: string | null;
  threshold_en?: string | null;
  reason_vi: string;
  reason_en: string;
  check: string | null;
  sql: string | null;
  evaluated_at: Time | null;
  /** accumulating: the date it will be enough. */
  enough_on?: string | null;
}

/** GET /systems/{id}/requirements/{key} */
export interface RequirementPage extends Requirement {
  rows: { columns: Column[]; rows: Row[]; truncated?: boolean };
  evidence?: { title_vi: string; title_en: string; by: string; at: Time; until: Time | null }[];
  /** What to type into Hunt (search language) to see the events behind it; the page links there. */
  hunt?: { q: string; mode: HuntMode; from: Time; to: Time } | null;
}

/** POST /register/import {kind, csv, dry_run} */
export interface ImportAnswer {
  accepted: number;
  errors: { line: number; column: string | null; message: string }[];
}

// ---------------------------------------------------------------- alerts and incidents
export type IncidentStatus = 'open' | 'acknowledged' | 'closed';
export type CloseVerdict = 'true_positive' | 'benign' | 'false_positive' | 'duplicate';

export interface IncidentRow {
  id: string;
  /** For people: "SC-2026-00017". */
  number: string;
  title_vi: string;
  title_en: string;
  severity: Severity;
  status: IncidentStatus;
  system: SystemRef | null;
  entity: { kind: string; value: string } | null;
  alerts: number;
  events: number;
  first_seen: Time;
  last_seen: Time;
  /** User name of the one who has it. */
  owner: string | null;
  paged: boolean;
}

/** GET /incidents?status=&severity=&system= — newest last_seen first. */
export type Incidents = IncidentRow[];

/** GET /incidents/{id} */
export interface Incident extends Omit<IncidentRow, 'alerts'> {
  alerts: Alert[];
  notifications: { at: Time; channel: string; person: string; result: 'queued' | 'sent' | 'failed' | 'acknowledged'; detail?: string | null }[];
  log: { at: Time; actor: string; action: string; note?: string | null }[];
  close_verdict?: CloseVerdict | null;
}

export interface Alert {
  id: string;
  incident?: string | null;
  rule: RuleCard;
  system?: SystemRef | null;
  group: Record<string, string>;
  count: number;
  first_seen: Time;
  last_seen: Time;
  evidence: { identifier: string; field: string; value: string }[];
  events: { id: string; timestamp: Time; summary: string; dataset?: string | null }[];
}

export interface RuleCard {
  id: string;
  title_vi: string;
  title_en: string;
  level: Severity;
  author?: string | null;
  tags?: string[];
  description_vi?: string | null;
  description_en?: string | null;
  falsepositives?: string[];
  references?: string[];
  response_vi?: string[];
  response_en?: string[];
}

/** GET /alerts?status=&severity=&system=&rule= — flat, with `incident` set. */
export type Alerts = Alert[];

// ---------------------------------------------------------------- rules
/** GET /rules */
export interface Rules {
  rules: (RuleCard & {
    status: string;
    logsource: { category?: string | null; product?: string | null; service?: string | null };
    path: string;
    matches: number;
    last_match: Time | null;
    /** Fields or datasets that the rule needs and that never arrive; null or [] = it can see. */
    blind: string[] | null;
  })[];
  rejected: { file: string; line: number | null; rule: string | null; reason: string }[];
}

// ---------------------------------------------------------------- sources
/** GET /sources */
export interface Sources {
  sources: {
    name: string;
    /** syslog_udp | syslog_tcp | http | file | … */
    kind: string;
    address?: string | null;
    senders: number;
    events_24h: number;
    last_event: Time | null;
    silent: boolean;
    parsers: string[];
    quarantined: number;
    refused: number;
    /** Median of timestamp − received, ms. */
    skew_ms: number | null;
    /** ok | silent | skewed | failing | idle */
    status: string;
    detail?: string | null;
  }[];
  unknown_senders: { address: string; source: string; first_seen: Time; last_seen: Time; events: number; sample: string }[];
  ledger: { source: string; received: number; parsed: number; quarantined: number; refused: Record<string, number>; events: number; unaccounted: number }[];
  quarantine: { id: string; time: Time; source: string; reason: string; line: string }[];
}

// GET /keeping, POST /holds, POST /holds/{id}/release
export interface Hold {
  id: number;
  /** null = all, or open. */
  system: string | null;
  class: string | null;
  from: Time | null;
  to: Time | null;
  reason: string;
  placed_by: string;
  placed_at: Time;
  released: { at: Time; by: string; reason: string } | null;
}

export interface Keeping {
  outlook: {
    at: Time;
    /** null = outside the scope. */
    budget_bytes: number | null;
    stored_bytes: number | null;
    bytes_per_day: number | null;
    full_on: string | null;
    days_left: number | null;
    warn_days: number;
    systems: {
      system: string;
      name: string | null;
      level: number | null;
      stored_bytes: number;
      bytes_per_day: number;
      keep_days: number | null;
      minimum_days: number | null;
      rule_short: boolean;
      oldest: string | null;
      breaks_on: string | null;
      days_left: number | null;
    }[];
  };
  holds: Hold[];
  deletions: { at: Time; system: string; class: string; rows: number; ingested_from: Time; ingested_to: Time; segment: string; checksum: string; actor: string; reason: string }[];
  deletions_total: number;
  may: { place: boolean; release: boolean };
}

// POST /sources/adopt {address, system, asset_name?, reason} → {moved, since}: past events that move with the sender

// ---------------------------------------------------------------- on-call
/** GET /oncall, and POST /oncall with the whole document (administrators). */
export interface OnCall {
  /** Changes with every change; sent back, it refuses what was made from an older plan (409). */
  revision: string;
  schedules: {
    id: string;
    name: string;
    timezone: string;
    members: string[];
    /** `every`: a turn lasts so many days or weeks. */
    rotation: { kind: 'daily' | 'weekly'; every?: number; handover: string /* HH:mm */; start: string /* yyyy-mm-dd */ };
    overrides: { from: Time; to: Time; user: string; reason?: string }[];
    /** Answer only: who is on duty. */
    now?: { user: string; display_name: string | null; until: Time | null } | null;
    next?: { user: string; display_name: string | null; from: Time }[];
  }[];
  escalation: Escalation;
}

/** Who is told next while nobody answers; the chain starts over `repeat` times. */
export interface Escalation {
  steps: Step[];
  repeat: number;
}
/** `target`: everyone, user:NAME or oncall:ID. */
export interface Step {
  wait_minutes: number;
  target: string;
}

/** GET /channels */
export type Channels = { id: string; kind: string; name: string; enabled: boolean; last_result?: string | null; last_at?: Time | null }[];

/** POST /channels/test {channel?} → one attempt per channel, after it was tried. */
export interface ChannelTest {
  attempts: { channel: string; person?: string | null; result: 'sent' | 'failed' | 'queued'; detail?: string | null; at: Time }[];
}

// ---------------------------------------------------------------- first hour
export type DeviceKind = 'rsyslog' | 'fortigate' | 'windows';

/** POST /setup/source {kind} */
export interface SetupSource {
  snippet: string;
  /** host:port the device must send to. */
  address: string;
  /** Name of the configured source; give it to /setup/waiting. */
  source: string;
  token?: string | null;
  /** Where the snippet goes on the device, e.g. "/etc/rsyslog.d/60-chieng.conf". */
  path?: string | null;
}

/** GET /setup/waiting?source=&since= */
export interface SetupWaiting {
  first_line?: { event: Row; sender: string; system?: SystemRef | null } | null;
}

/** POST /setup/test-alert {system} → the incident it made. */
export interface TestAlert {
  incident: string;
}

// ---------------------------------------------------------------- users (administrators)
export interface UserRow extends User {
  email: string | null;
  disabled: boolean;
  last_login: Time | null;
}
/** GET /users · POST /users → UserRow */
export type Users = UserRow[];
/** POST /users/{name}: what is absent stays as it is; an empty e-mail takes it away. */
export type UserChange = Partial<Pick<UserRow, 'display_name' | 'role' | 'systems' | 'language' | 'disabled'>> & { email?: string };

/** GET /incidents/{id}/people: who may be given it. */
export interface Assignee {
  name: string;
  display_name: string;
  role: Role;
}

/** GET /proof: the chain of proof, what was checked, packets of evidence. */
export interface ProofRoot {
  number: number;
  hash: string;
  hour: Time;
  signed_at: Time;
  blocks: number;
  rows: number;
  /** The signature is that of the key in the root. */
  signed: boolean;
  /** Receipts of this root or of a later one. */
  anchors: number;
}
export interface ProofReport {
  journals: number;
  blocks: number;
  roots: number;
  anchors: number;
  /** Compared with anchors that were given, not with the server's own word. */
  by_outside: boolean;
  files: number;
  files_bytes: number;
  leaves: number;
  rows: number;
  leaves_expired: number;
  leaves_partly_expired: number;
  leaves_unreadable: number;
  rows_unproven: number;
  unanchored: { from: number; to: number; since: Time } | null;
  unsigned: { from: number; to: number; what: string }[];
  remarks: string[];
  divergences: { kind: string; what: string; hour: string | null; from: number | null; to: number | null; system: string | null; dataset: string | null; files: string[]; events: string[] }[];
  divergences_total: number;
}
export interface ProofCheck {
  at: Time;
  ended: Time;
  by: string;
  outcome: 'intact' | 'not_intact' | 'cancelled' | 'failed';
  reason: string | null;
  files_only: boolean;
  from: Time | null;
  to: Time | null;
  with_key: boolean;
  with_anchors: boolean;
  report: ProofReport | null;
}
export interface ProofPacket {
  id: number;
  system: string;
  dataset: string | null;
  from: Time;
  to: Time;
  by: string;
  reason: string;
  made: Time;
  expires: Time;
  rows: number;
  leaves: number;
  unsigned: number;
  incomplete: number;
}
export interface Proof {
  chain: {
    node: string;
    /** Public key, hexadecimal. */
    key: string;
    root: number;
    line: string | null;
    signed_at: Time | null;
    signed_through: number;
    through: number;
    anchored: number;
    anchored_at: Time | null;
    unanchored_since: Time | null;
    broken: string | null;
    journals: { file: string; day: string; bytes: number; blocks: number; rows: number; roots: number; anchors: number; deletions: number; damage: string | null }[];
    journals_total: number;
    roots: ProofRoot[];
    targets: { target: string; root: number; taken_at: Time | null; tried_at: Time | null; failures: number; detail: string }[];
    attempts: { root: number; target: string; at: Time; taken: boolean; detail: string }[];
  };
  running: { kind: 'check' | 'packet'; system: string | null; by: string; since: Time; step: string; permille: number | null; stopping: boolean } | null;
  checked: ProofCheck | null;
  packets: ProofPacket[];
  packet_failed: { at: Time; reason: string } | null;
  may: { check: boolean; pack: boolean };
}

/** GET /events/{id}/proof */
export interface EventProof {
  event: string;
  ingested: Time;
  system: string;
  dataset: string;
  state: 'signed' | 'waiting' | 'unproven' | 'damaged';
  reason: string | null;
  journal: string | null;
  leaf: { system: string; dataset: string; skewed: boolean; rows: number; content: string; hash: string } | null;
  rows: 'fits' | 'differs' | 'not_checked';
  block: { after: number; through: number; from: Time; to: Time; unplaced: number; leaves: string[]; place: number; hash: string } | null;
  chain: { before: string; steps: string[]; end: string; fits: boolean } | null;
  root: { number: number; hash: string; statement: string; signature: string; key: string; signed: boolean; line: string } | null;
  anchors: { root: number; target: string; at: Time; answer: string }[];
}
