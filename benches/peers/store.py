#!/usr/bin/env python3
"""The store beside its peers, on one file of lines, in one run: ingest, compaction, bytes, questions.

  store.py --chieng PATH/TO/chieng --lines FILE.syslog [--rules DIR] [--ndjson FILE.ndjson --peers FOLDER] [--out benches/runs/NAME.jsonl]

chieng: lines over one TCP connection, CPU from /proc (threads included) until every line is visible, then until no small file waits for
compaction; bytes by kind of file; then each question 1 time after the page cache was dropped (root only) and 7 times warm, asked over the
control socket of the running server, time taken at the client. Peers (DuckDB, chDB with and without text index): the scripts in FOLDER, each
step in a process of its own. rsyslog: see ingest.py.
"""
import argparse, http.client, json, os, shutil, signal, socket, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ingest import cpu, peak_mib, rsyslog, send, wait

# The questions of the peers, in our words. Answers are compared with what every engine agrees on.
QUESTIONS = {
    "q1": ("SELECT timestamp, host.name, message FROM events WHERE match('203.0.113.77') ORDER BY timestamp", 7),
    "q1b": ("SELECT timestamp, host.name, message FROM events WHERE match('203fa0fd3ec4318f')", 1),
    "q2": ("SELECT source.ip, count(*) AS n FROM events GROUP BY source.ip ORDER BY n DESC LIMIT 10", 10),
    "q3": ("SELECT date_bin(INTERVAL '5 minutes', timestamp) AS b, count(*) FROM events WHERE event.dataset = 'sshd.auth' AND match('\"Failed password\"') GROUP BY b ORDER BY b", 288),
    "q4a": ("SELECT count(*) AS n FROM events WHERE event.original LIKE '%owershell.exe -nop%'", 220),
    "q4b": ("SELECT count(*) AS n FROM events WHERE event.original ~ '/api/v[12]/users/[0-9]+/delete'", 16),
    "q5": ("SELECT * FROM events WHERE host.name = 'web13' ORDER BY timestamp DESC LIMIT 100", 100),
}


class Socket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("chieng")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def drop_caches():
    os.sync()
    try:
        open("/proc/sys/vm/drop_caches", "w").write("3")
        return True
    except OSError:
        return False


def sizes(folder):
    found = {"parquet": 0, "index": 0, "catalogue": 0, "proof": 0}
    for at, _, names in os.walk(folder):
        for name in names:
            kind = next((kind for kind in ("parquet", "index", "proof") if name.endswith(kind)), "catalogue" if "catalogue" in name else None)
            if kind:
                found[kind] += os.path.getsize(os.path.join(at, name))
    return found


def chieng(binary, lines, count, rules, questions=True):
    folder = tempfile.mkdtemp(dir=os.environ.get("TMPDIR"))
    config = f"{folder}/c.toml"
    with open(config, "w") as file:
        file.write(f'[server]\nlisten = "127.0.0.1:0"\ndata_dir = "{folder}/data"\n[ingest.syslog]\ntcp = ["127.0.0.1:0"]\n')
        if rules:
            file.write(f'[detect]\nrules = ["{rules}"]\n')
    env = {**os.environ, "RUST_LOG": "error"}
    process = subprocess.Popen([binary, "run", "--config", config, "--ready-file", f"{folder}/ready"], env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    wait(lambda: os.path.exists(f"{folder}/ready"))
    ready = json.load(open(f"{folder}/ready"))
    host, port = ready["syslog_tcp"].split(":")

    def ask(sql):
        link = Socket(f"{folder}/data/control.sock")
        link.request("POST", "/control/query", json.dumps({"sql": sql, "format": "ndjson"}), {"content-type": "application/json"})
        answer = link.getresponse()
        body = answer.read().decode()
        if answer.status != 200:
            raise SystemExit(f"{sql}: {body}")
        return [json.loads(line) for line in body.splitlines()]

    def gauge(name):
        link = http.client.HTTPConnection(ready["http"].removeprefix("http://"))
        link.request("GET", "/metrics")
        text = link.getresponse().read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.split("{")[0].split(" ")[0].endswith(name))

    begun, cpu0 = time.time(), cpu(process.pid)
    send(lines, (host, int(port)))
    sent = time.time() - begun
    wait(lambda: (ask("SELECT sum(events) AS n FROM ledger WHERE source = 'syslog'") or [{}])[0].get("n") == count, 900)
    row = dict(name="chieng", events=count, sent=sent, wall=time.time() - begun, cpu=cpu(process.pid) - cpu0, debt_rows=gauge("compaction_debt_rows"), peak_mib_ingest=peak_mib(process.pid))
    begun, cpu1 = time.time(), cpu(process.pid)
    # Nothing waits: everything is flushed, and no small file is left that compaction is due for.
    last = [None, 0]

    def is_quiet():
        now = (cpu(process.pid), gauge("hot_rows"))
        last[1] = last[1] + 1 if last[0] is not None and now[0] - last[0] < 0.02 and now[1] == 0 else 0
        last[0] = now[0]
        time.sleep(0.45)
        return last[1] >= 5

    wait(is_quiet, 900)
    row.update(after_wall=time.time() - begun - 2.5, after_cpu=cpu(process.pid) - cpu1, debt_rows_left=gauge("compaction_debt_rows"), peak_mib=peak_mib(process.pid))
    kinds = sizes(f"{folder}/data")
    row.update({f"bytes_per_event_{kind}": round(size / count, 2) for kind, size in kinds.items()})
    row["bytes_per_event"] = round(sum(kinds.values()) / count, 2)
    row.update(cpu_s_per_million=round(row["cpu"] / count * 1e6, 2), after_cpu_s_per_million=round(row["after_cpu"] / count * 1e6, 2), events_per_s=int(count / row["wall"]))
    answers = {}
    for name, (sql, wanted) in QUESTIONS.items() if questions else ():
        is_cold = drop_caches()
        begun = time.time()
        found = ask(sql)
        cold = (time.time() - begun) * 1e3
        got = found[0]["n"] if name.startswith("q4") else len(found)
        warm, cpu0 = [], cpu(process.pid)
        for _ in range(7):
            begun = time.time()
            ask(sql)
            warm.append((time.time() - begun) * 1e3)
        answers[name] = dict(cold_ms=round(cold, 1) if is_cold else None, warm_ms=round(sorted(warm)[3], 1), warm_min=round(min(warm), 1), cpu_warm_ms=round((cpu(process.pid) - cpu0) / 7 * 1e3), answer=got, agrees=got == wanted)
        print(name, answers[name], file=sys.stderr, flush=True)
    row.update(questions=answers, load=os.getloadavg()[0])
    if os.environ.get("CHIENG_BENCH_KEEP"):
        print(f"kept: {folder}, pid {process.pid}", file=sys.stderr)
        return row
    process.send_signal(signal.SIGTERM)
    process.wait(120)
    shutil.rmtree(folder)
    return row


def peers(folder, ndjson, out):
    scratch = tempfile.mkdtemp(dir=os.environ.get("TMPDIR"))
    for name in os.listdir(folder):
        text = open(os.path.join(folder, name)).read().replace("@PEERS@", scratch)
        open(os.path.join(scratch, name), "w").write(text)
    for name in ("run", "log", "data"):
        os.makedirs(f"{scratch}/{name}")
    for engine in ("duckdb", "duckdb-parquet", "chdb", "chdb-text"):
        for step in ("ingest", "query"):
            subprocess.run([sys.executable, f"{scratch}/bench_sql.py", engine, step, ndjson], check=False, stdout=sys.stderr)
    for name in ("store", "query"):
        path = f"{scratch}/log/{name}.jsonl"
        for line in open(path) if os.path.exists(path) else ():
            out({"step": name, **json.loads(line)})
    shutil.rmtree(scratch)


def main():
    arguments = argparse.ArgumentParser()
    for name in ("--chieng", "--lines"):
        arguments.add_argument(name, required=True)
    for name in ("--rules", "--ndjson", "--peers", "--out"):
        arguments.add_argument(name)
    chosen = arguments.parse_args()
    count = sum(1 for _ in open(chosen.lines, "rb"))

    def out(row):
        text = json.dumps({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()})
        print(text, flush=True)
        if chosen.out:
            open(chosen.out, "a").write(text + "\n")

    out(chieng(chosen.chieng, chosen.lines, count, None))
    if chosen.rules:
        out({**chieng(chosen.chieng, chosen.lines, count, chosen.rules, questions=False), "rules": True})
    row = rsyslog(chosen.lines, count)
    out({**row, "events": count, "cpu_s_per_million": row["cpu"] / count * 1e6, "load": os.getloadavg()[0]})
    if chosen.ndjson and chosen.peers:
        peers(chosen.peers, chosen.ndjson, out)


if __name__ == "__main__":
    main()
