"""What the kernel says about processes: who descends from whom, and what it costs."""

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36

# What the kernel keeps for each thread besides its stack is not counted.
KERNEL_STACK = 16 << 10 if os.uname().machine in ("x86_64", "aarch64") else 8 << 10


def adopt_orphans():
    """From now on every descendant that loses its parent becomes our child."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _parents():
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_text()
                parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                pass
    return parents


def descendants():
    """Every process below us."""
    parents = _parents()
    below = {}
    for pid, parent in parents.items():
        below.setdefault(parent, []).append(pid)
    found, queue = [], list(below.get(os.getpid(), []))
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += below.get(pid, [])
    return found


def _program(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def supervisors(child):
    """Every process below us that is not a `child`, which is a program's path."""
    return [pid for pid in descendants() if _program(pid) not in ("", str(child))]


def reap():
    """Takes the news of all that has ended; whether anybody is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    except ChildProcessError:
        return False


def wait(popen, patience, reap_others):
    """Its exit code; none if it is too late. Meanwhile it may be ours to reap orphans."""
    until = time.monotonic() + patience
    while reap_others and popen.poll() is None and time.monotonic() < until:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended and ended.si_pid != popen.pid:
            os.waitpid(ended.si_pid, os.WNOHANG)
        else:
            time.sleep(0.01)
    try:
        return popen.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None


def end_all():
    """Kills all that is below us, from the top down, so that nobody restarts anybody."""
    until = time.monotonic() + 30
    me = os.getpid()
    while time.monotonic() < until:
        for pid, parent in _parents().items():
            if parent == me:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        if not reap():
            return
        time.sleep(0.002)
    raise TimeoutError("processes that cannot be killed")


def _fields(path):
    fields = {}
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        words = value.split()
        if words and words[0].isdigit():
            fields[key] = int(words[0])
    return fields


def memory(pids):
    """Of all these processes together, in KiB. All-in: their own pages, page tables and
    kernel stacks, which is what would be free without them."""
    sums = dict.fromkeys(("uss", "pss", "rss", "dirty", "tables", "stacks", "all"), 0)
    sums["processes"] = len(pids)
    sums["threads"] = 0
    for pid in pids:
        maps = _fields(f"/proc/{pid}/smaps_rollup")
        status = _fields(f"/proc/{pid}/status")
        own = maps["Private_Clean"] + maps["Private_Dirty"]
        stacks = status["Threads"] * KERNEL_STACK >> 10
        sums["uss"] += own
        sums["pss"] += maps["Pss"]
        sums["rss"] += maps["Rss"]
        sums["dirty"] += maps["Private_Dirty"]
        sums["tables"] += status["VmPTE"]
        sums["stacks"] += stacks
        sums["threads"] += status["Threads"]
        sums["all"] += own + status["VmPTE"] + stacks
    return sums


def spent(pids):
    """What these processes have spent so far: processor (ms), context switches, and bytes
    written to disks, those of their dead children included."""
    sums = {"cpu": 0.0, "switches": 0, "written": 0}
    for pid in pids:
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                sums["cpu"] += int((task / "schedstat").read_text().split()[0]) / 1e6
                status = _fields(task / "status")
                sums["switches"] += status["voluntary_ctxt_switches"] + status["nonvoluntary_ctxt_switches"]
            io = _fields(f"/proc/{pid}/io")
            sums["written"] += io["write_bytes"] - io["cancelled_write_bytes"]
        except OSError:
            continue
    return sums


def difference(after, before):
    return {key: after[key] - before[key] for key in after}
