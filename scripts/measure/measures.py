"""What is measured of one supervisor with so many children, in one go: the session.

A session that does not come to its end in time gives no figures for what is left of it.
"""

import os
import select
import shutil
import statistics
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from . import peers, procs

# Most of them start a service once a second at most: what is killed has lived longer.
LIFE_MIN = 1.3

# Beyond this nobody is waited for, and it is said.
PATIENCE = 90


class Late(Exception):
    """It has not done in time what was waited for."""


class Session:
    """One supervisor in a folder of its own, gone when the session is over."""

    def __init__(self, bench, peer, count, mode="beacon", **job):
        self.bench, self.peer, self.count = bench, peer, count
        self.folder = Path(tempfile.mkdtemp(prefix=f"{peer}-", dir=bench.scratch))
        # What supervisors say of themselves is kept in RAM, as sup does it when it detaches.
        # So is where children speak: on a disk, they would wait while somebody syncs it.
        ram = peers.ram_folder(self.folder)
        self.log = ram / "log"
        self.said = ram / "said"
        os.mkfifo(self.said)
        os.symlink(self.said, self.folder / "said")
        # Whoever speaks between two measures must not wait for a reader.
        self.ear = os.open(self.said, os.O_RDWR | os.O_CLOEXEC)
        child = [str(bench.beacon), mode, str(self.said)]
        self.job = peers.Job(self.folder, count, child, bench.program, bench.sup, bench.tools, **job)
        self.argv = peers.PEERS[peer](self.job)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.ear)
        procs.end_all()
        peers.clean(self.job)

    def ask(self, mode, *args):
        """Has the C program measure; its answer as numbers. Its end is that of its output:
        a supervisor that it has started does not keep that."""
        argv = [str(self.bench.program), mode, str(self.folder), *map(str, args)]
        answer = self.folder / "answer"
        with open(answer, "wb") as out, open(self.log, "ab") as log:
            asked = subprocess.Popen(argv, env=self.job.env, stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        # monit's children are nobody's, and what it takes for the init has to reap them.
        code = procs.wait(asked, PATIENCE, reap_others=self.peer == "monit")
        if code is None:
            raise Late(mode)
        if code:
            last = (self.log).read_text(errors="replace").strip().splitlines()[-1:]
            raise Late(": ".join([mode, *last]))
        return [float(line) for line in answer.read_text().split()]

    def boot(self):
        """Microseconds from exec of the supervisor until all children run."""
        return self.ask("boot", self.count, *self.argv)[0]

    def supervisors(self):
        return procs.supervisors(self.bench.beacon)

    def sup_says(self, *args):
        """Asks this sup by its command line, and returns what it said and how long it took."""
        began = time.perf_counter()
        argv = [str(self.bench.sup), *args, "--config", str(self.folder / "sup.toml")]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE)
        return done.stdout, (time.perf_counter() - began) * 1e3


def session(bench, peer, count, wanted, tell):
    """boot, idle, memory, restart and mass, as far as wanted; `tell` takes each figure."""
    with Session(bench, peer, count) as here:
        micros = here.boot()
        if "boot" in wanted:
            tell("boot", micros / 1e3)
        time.sleep(LIFE_MIN)
        pids = here.supervisors()
        if "idle" in wanted or "memory" in wanted:
            time.sleep(bench.calm)
        if "idle" in wanted:
            tell("idle", idle(bench, pids))
        if "memory" in wanted:
            tell("memory", procs.memory(pids))
        if "restart" in wanted:
            before = procs.spent(pids)
            took = here.ask("kills", bench.kills(count), int(LIFE_MIN * 1e6 / count))
            cpu = procs.difference(procs.spent(pids), before)["cpu"]
            tell("restart", {"micros": took, "cpu": cpu * 1e3 / len(took)})
        if "mass" in wanted and count >= 10:
            time.sleep(LIFE_MIN)
            tell("mass", here.ask("mass", min(count, 100))[0] / 1e3)


def idle(bench, pids):
    """What is spent while nothing happens, in `bench.idle` seconds."""
    before = procs.spent(pids)
    time.sleep(bench.idle)
    cost = procs.difference(procs.spent(pids), before)
    cost["calls"] = calls(bench, pids)
    return cost


def calls(bench, pids):
    """System calls in `bench.idle` seconds, reckoned from a part of it; none without strace."""
    strace = shutil.which("strace") or bench.tools / "usr/bin/strace"
    if not Path(strace).exists() or len(pids) > 150:
        return None
    env = dict(os.environ, LD_LIBRARY_PATH=":".join(map(str, bench.tools.glob("usr/lib/*-linux-*"))))
    trace = bench.scratch / "strace"
    which = [word for pid in pids for word in ("-p", str(pid))]
    argv = [str(strace), "-f", "-qq", "-ttt", "-o", str(trace), *which]
    moment = min(1.0, bench.idle)
    span = max(moment, bench.idle / 3)
    # To be watched disturbs them: what counts begins once that is over.
    tracer = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(moment + len(pids) / 100)
    began = time.time()
    time.sleep(span)
    ended = time.time()
    tracer.terminate()
    tracer.wait()
    times = (line.split()[1] for line in trace.read_text().splitlines() if "resumed>" not in line)
    return round(sum(began < float(at) < ended for at in times) * bench.idle / span)


def storm(bench, peer, own_pace, tell):
    """Ten children that exit at once."""
    with Session(bench, peer, 10, mode="flash", own_pace=own_pace) as here:
        log = open(here.log, "ab")
        subprocess.Popen(
            here.argv, env=here.job.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        starts = here.ask("count", bench.storm)[0]
        cost = procs.spent(here.supervisors())
        tell("storm", {"restarts": max(0, starts - 10), **cost})


# ---- sup's own ----


def adopt(bench, count, tell):
    """Milliseconds from the start of a sup until it has adopted what a killed one left."""
    with Session(bench, "sup", count) as here:
        here.boot()
        time.sleep(LIFE_MIN)
        before = (here.folder / "pids").read_text().split()
        for pid in here.supervisors():
            os.kill(pid, 9)
        while here.supervisors():
            time.sleep(0.01)
            procs.reap()
        _, took = here.sup_says("run", "--detach")
        said, _ = here.sup_says("status", "--json")
        kept = sum(f'"pid":{pid},' in said.replace(" ", "") for pid in before)
        if kept != count:
            raise Late(f"adopt: {kept} of {count} adopted")
        tell("adopt", took)


def orders(bench, count, tell):
    """Milliseconds until `sup status` has been answered; and an order, which is on disk
    before it is answered, less a question, which is not."""
    with Session(bench, "sup", count) as here:
        here.boot()
        time.sleep(LIFE_MIN)
        tell("status", statistics.median(here.sup_says("status")[1] for _ in range(5)))
        pids = here.supervisors()
        questions, answers, written = [], [], []
        for n in range(5):
            questions.append(here.sup_says("why", f"c{n % count}")[1])
            before = procs.spent(pids)
            answers.append(here.sup_says("stop", "--no-wait", f"c{n % count}")[1])
            written.append(procs.difference(procs.spent(pids), before)["written"])
        took = statistics.median(answers) - statistics.median(questions)
        tell("save", {"millis": took, "written": statistics.median(written)})


def http(bench, count, tell):
    """Answers a second, and restarts meanwhile beside restarts without it."""
    port = bench.free_port()
    with Session(bench, "sup", count, top=f'[http]\nlisten = "127.0.0.1:{port}"') as here:
        here.boot()
        time.sleep(LIFE_MIN)
        pace, kills = int(LIFE_MIN * 1e6 / count), bench.kills(count)
        quiet = here.ask("kills", kills, pace)
        argv = [str(bench.program), "http", str(port), str(bench.load)]
        alone = int(subprocess.run(argv, capture_output=True, timeout=PATIENCE).stdout) / bench.load
        load = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        busy = here.ask("kills", min(kills, max(1, int(bench.load * 0.8e6 / pace))), pace)
        load.wait(PATIENCE)
        tell("http", {"answers": alone, "quiet": statistics.median(quiet), "busy": statistics.median(busy)})


def chatter(bench, logger, tell):
    """MB/s of lines of 100 bytes that a child can write before it is held up."""
    if logger.startswith("sup"):
        file = 'log = { file = "%s", max-size = "5M", keep = 4 }'
        with Session(bench, "sup", 1) as here:
            config = here.folder / "sup.toml"
            text = config.read_text().replace('"beacon"', '"chatter"')
            text = text.replace(f'"{here.said}"]', f'"{here.said}", "{bench.megabytes}"]')
            if logger == "sup, file":
                text += file % (here.folder / "out.log")
            config.write_text(text)
            _speed(bench, here, here.argv, tell)
        return
    with Session(bench, "floor", 1) as here:
        writer = [str(bench.beacon), "chatter", str(here.said), str(bench.megabytes)]
        out = str(here.folder / "out")
        os.mkdir(out)
        env = here.job.env
        env["LD_LIBRARY_PATH"] = ":".join(map(str, bench.tools.glob("usr/lib/*-linux-*")))
        if logger == "svlogd":
            (Path(out) / "config").write_text("s5000000\nn4\n")
            reader = [str(bench.tools / "usr/bin/svlogd"), out]
        elif logger == "s6-log":
            reader = [str(bench.tools / "usr/bin/s6-log"), "n4", "s5000000", out]
        else:
            reader = [str(bench.program), "drain"]
        # A pipe between the two, made by a shell that is gone then.
        script = 'w=$1 m=$2 f=$3 n=$4; shift 4; "$w" "$m" "$f" "$n" | exec "$@"'
        _speed(bench, here, ["/bin/sh", "-c", script, "sh", *writer, *reader], tell)


def _speed(bench, here, argv, tell):
    log = open(here.log, "ab")
    subprocess.Popen(argv, env=here.job.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    log.close()
    if not select.select([here.ear], [], [], PATIENCE)[0]:
        raise Late("log")
    # struct said of bench.c: who, and how long it took.
    _, secs, nanos = struct.unpack("@ill", os.read(here.ear, struct.calcsize("@ill")))
    tell("log", bench.megabytes / (secs + nanos / 1e9))
