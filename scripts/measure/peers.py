"""The supervisors, each at its best: no delay where one can be chosen, no loggers where they
are not part of it, and a run script that is the program itself."""

import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path


# A file system in memory.
RAM = Path("/dev/shm")


@dataclass
class Job:
    """So many children of a kind under one supervisor, in a folder of its own."""

    folder: Path
    count: int
    # The program and arguments of a child, and the program that does all the measuring.
    child: list
    bench: Path
    sup: Path
    # Where the others were unpacked.
    tools: Path
    # The supervisor's own waits between restarts instead of none.
    own_pace: bool = False
    # More of sup's configuration: of the top of the file, of its [defaults].
    top: str = ""
    defaults: str = ""
    env: dict = field(default_factory=lambda: dict(os.environ))

    def tool(self, name):
        return str(self.tools / "usr/bin" / name)


def floor(job):
    return [str(job.bench), "floor", str(job.count), *job.child]


def sup(job):
    return [str(job.sup), "run", "--config", sup_config(job)]


def sup_config(job):
    """Its memory is on a disk, its socket and pipes are in RAM, as it chooses itself."""
    runtime = job.folder / "ram" / "run"
    lines = [f'state = "state"\nruntime = "{runtime}"\n{job.top}\n[defaults]\nrestart = "always"\n{job.defaults}']
    if not job.own_pace:
        lines.append('backoff = { first = "0s" }\nbudget = { max-restarts = "unlimited" }')
    command = ", ".join(f'"{word}"' for word in job.child)
    lines += [f"[child.c{n}]\ncommand = [{command}]" for n in range(job.count)]
    path = job.folder / "sup.toml"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def sup_sigchld(job):
    return [str(job.bench), "no-pidfd", *sup(job)]


def _scan_folder(job):
    """A folder for each child, whose run script is the child itself."""
    job.env["BENCH"] = " ".join(map(str, job.child[1:]))
    scan = job.folder / "services"
    for n in range(job.count):
        service = scan / f"c{n}"
        service.mkdir(parents=True)
        os.symlink(job.child[0], service / "run")
    return str(scan)


def runit(job):
    job.env["PATH"] = job.tool("") + ":" + job.env["PATH"]
    return [job.tool("runsvdir"), _scan_folder(job)]


def busybox(job):
    job.env["PATH"] = f"{job.tools}/busybox:" + job.env["PATH"]
    return [f"{job.tools}/busybox/runsvdir", _scan_folder(job)]


def s6(job):
    job.env["PATH"] = job.tool("") + ":" + job.env["PATH"]
    job.env["LD_LIBRARY_PATH"] = ":".join(str(path.parent) for path in job.tools.glob("usr/lib/*/libskarnet.so.*"))
    scan = _scan_folder(job)
    # See scripts/measure/fetch.
    os.symlink(job.tool("s6-supervise"), Path(scan, ".s6-supervise"))
    return [job.tool("s6-svscan"), "-c", str(job.count + 10), scan]


def daemontools(job):
    job.env["PATH"] = job.tool("") + ":" + job.env["PATH"]
    return [job.tool("svscan"), _scan_folder(job)]


def supervisor(job):
    # Debian's Python, where it is there: a wrapper would be one process more.
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    job.env["PYTHONPATH"] = str(job.tools / "usr/lib/python3/dist-packages")
    pace = "" if job.own_pace else "startsecs=0\n"
    path = job.folder / "supervisord.conf"
    path.write_text(
        f"[supervisord]\nnodaemon=true\nminfds=4096\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={job.folder}/pid\n"
        + "".join(
            f"[program:c{n}]\ncommand={' '.join(map(str, job.child))}\nautorestart=true\n{pace}"
            "stdout_logfile=NONE\nstderr_logfile=NONE\n"
            for n in range(job.count)
        )
    )
    return [python, job.tool("supervisord"), "-c", str(path)]


def monit(job):
    """Its children are not its own: they leave a pid file, at which it looks once a second."""
    path = job.folder / "monitrc"
    mode, *rest = map(str, job.child[1:])
    assert mode == "beacon"
    path.write_text(
        f'set daemon 1\nset pidfile {job.folder}/pid\nset idfile {job.folder}/id\nset statefile {job.folder}/state\n'
        + "".join(
            f"check process c{n} with pidfile {job.folder}/c{n}.pid\n"
            f'start program = "{job.child[0]} detach {rest[0]} {job.folder}/c{n}.pid"\n'
            for n in range(job.count)
        )
    )
    path.chmod(0o600)
    return [job.tool("monit"), "-I", "-c", str(path)]


def ram_folder(folder):
    """A folder in RAM where there is such, as long as this one lives."""
    ram = folder / "ram"
    if os.access(RAM, os.W_OK):
        target = RAM / f"sup-bench-{os.getpid()}-{folder.name.rpartition('-')[2]}"
        target.mkdir()
        os.symlink(target, ram)
    else:
        ram.mkdir()
    return ram


# In the order of reports.
PEERS = {
    "floor": floor,
    "sup": sup,
    "sup-sigchld": sup_sigchld,
    "busybox": busybox,
    "runit": runit,
    "s6": s6,
    "daemontools": daemontools,
    "supervisor": supervisor,
    "monit": monit,
}

# What each of them is started by, below the folder of tools.
PROGRAMS = {
    "busybox": "busybox/runsv",
    "runit": "usr/bin/runsv",
    "s6": "usr/bin/s6-supervise",
    "daemontools": "usr/bin/supervise",
    "supervisor": "usr/bin/supervisord",
    "monit": "usr/bin/monit",
}


def missing(tools):
    return [name for name, program in PROGRAMS.items() if not (tools / program).exists()]


def clean(job):
    """Nothing is left of it, in RAM either."""
    ram = job.folder / "ram"
    if ram.is_symlink():
        shutil.rmtree(os.readlink(ram), ignore_errors=True)
    shutil.rmtree(job.folder, ignore_errors=True)
