#!/usr/bin/env python3
"""Whole ingest over TCP syslog on loopback: chieng (log synced, parsed, rules matched, stored) beside rsyslog (header parsed, JSON file).

  ingest.py --chieng PATH/TO/chieng --lines FILE [--rules DIR] [--repeat 3] [--out benches/runs/NAME.jsonl]

Runs alternate, so that a noisy machine hurts both alike. CPU seconds come from /proc/PID/stat (user + system, threads included), peak
memory from VmHWM. chieng's time ends when every line is visible to a query; rsyslog's when its file has every line.
"""
import argparse, json, os, shutil, signal, socket, subprocess, tempfile, time

TICK = os.sysconf("SC_CLK_TCK")

RSYSLOG = """global(workDirectory="{dir}" maxMessageSize="16k")
main_queue(queue.type="FixedArray" queue.size="100000" queue.dequeueBatchSize="2048" queue.workerThreads="2")
module(load="imptcp" threads="2")
input(type="imptcp" port="{port}" address="127.0.0.1")
template(name="j" type="list" option.jsonf="on") {{
  property(outname="ts" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}}
action(type="omfile" file="{dir}/out.json" template="j" ioBufferSize="256k" flushOnTXEnd="off" asyncWriting="off")
"""


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak_mib(pid):
    return next(int(line.split()[1]) // 1024 for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM"))


def send(path, address):
    with socket.create_connection(address) as sock, open(path, "rb") as file:
        while piece := file.read(1 << 20):
            sock.sendall(piece)


def wait(condition, seconds=300):
    end = time.time() + seconds
    while not condition():
        if time.time() > end:
            raise SystemExit("gave up waiting")
        time.sleep(0.05)


def chieng(binary, lines, count, rules):
    folder = tempfile.mkdtemp()
    config = f"{folder}/c.toml"
    with open(config, "w") as file:
        file.write(f'[server]\nlisten = "127.0.0.1:0"\ndata_dir = "{folder}/data"\n[ingest.syslog]\ntcp = ["127.0.0.1:0"]\n')
        if rules:
            file.write(f'[detect]\nrules = ["{rules}"]\n')
    env = {**os.environ, "RUST_LOG": "error"}
    process = subprocess.Popen([binary, "run", "--config", config, "--ready-file", f"{folder}/ready"], env=env, stderr=subprocess.DEVNULL)
    wait(lambda: os.path.exists(f"{folder}/ready"))
    host, port = json.load(open(f"{folder}/ready"))["syslog_tcp"].split(":")

    def query(sql):
        out = subprocess.run([binary, "query", sql, "--config", config, "--format", "json"], capture_output=True, text=True, env=env)
        return json.loads(out.stdout.splitlines()[0]) if out.returncode == 0 else {}

    begun, cpu0 = time.time(), cpu(process.pid)
    send(lines, (host, int(port)))
    sent = time.time() - begun
    # The ledger is cheap to ask: it does not read events.
    wait(lambda: query("SELECT sum(events) AS n FROM ledger WHERE source = 'syslog'").get("n") == count)
    wall, used, peak = time.time() - begun, cpu(process.pid) - cpu0, peak_mib(process.pid)
    books = query("SELECT sum(received) AS received, sum(parsed) AS parsed, sum(quarantined) AS quarantined, sum(unaccounted) AS unaccounted FROM ledger WHERE source = 'syslog'")
    needle = query("SELECT count(*) AS n FROM events WHERE match('203.0.113.77')")["n"]
    process.send_signal(signal.SIGTERM)
    process.wait(120)
    disk = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(f"{folder}/data/segments") for name in names)
    shutil.rmtree(folder)
    return dict(name="chieng", wall=wall, sent=sent, cpu=used, peak_mib=peak, bytes_per_event=disk / count, needle=needle, **books)


def rsyslog(lines, count):
    folder = tempfile.mkdtemp()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    open(f"{folder}/r.conf", "w").write(RSYSLOG.format(dir=folder, port=port))
    process = subprocess.Popen(["rsyslogd", "-n", "-iNONE", "-f", f"{folder}/r.conf"], stderr=subprocess.DEVNULL)

    def is_open():
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        except OSError:
            return False

    wait(is_open)
    begun, cpu0 = time.time(), cpu(process.pid)
    send(lines, ("127.0.0.1", port))
    sent, last = time.time() - begun, [-1, 0]

    def is_idle():
        now = cpu(process.pid)
        last[1] = last[1] + 1 if now == last[0] else 0
        last[0] = now
        return last[1] > 10

    wait(is_idle)
    wall, used, peak = time.time() - begun - 0.5, cpu(process.pid) - cpu0, peak_mib(process.pid)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    kept = sum(1 for _ in open(f"{folder}/out.json", "rb"))
    shutil.rmtree(folder)
    return dict(name="rsyslog", wall=wall, sent=sent, cpu=used, peak_mib=peak, kept=kept)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--chieng", required=True)
    arguments.add_argument("--lines", required=True)
    arguments.add_argument("--rules")
    arguments.add_argument("--repeat", type=int, default=3)
    arguments.add_argument("--out")
    arguments.add_argument("--profile", default="dev")
    chosen = arguments.parse_args()
    count = sum(1 for _ in open(chosen.lines, "rb"))
    for _ in range(chosen.repeat):
        for run in (lambda: rsyslog(chosen.lines, count), lambda: chieng(chosen.chieng, chosen.lines, count, chosen.rules)):
            row = run()
            row.update(events=count, cpu_s_per_million=round(row["cpu"] / count * 1e6, 2), events_per_s=int(count / row["wall"]), load=os.getloadavg()[0], profile=chosen.profile)
            text = json.dumps({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()})
            print(text, flush=True)
            if chosen.out:
                open(chosen.out, "a").write(text + "\n")


if __name__ == "__main__":
    main()
