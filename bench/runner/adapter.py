"""Runs adapters: one command, one process, one file; and watches an idle one."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What a command may take, set-up included, before it is killed.
PATIENCE_SECONDS = 1_800


class Unsupported(Exception):
    """The system cannot do this, and says why."""


class Failed(Exception):
    """The system should have done this and did not."""


def arguments(binary: Path, command: str, db: Path, flags: dict[str, object]) -> list[str]:
    words = [str(binary), command, "--db", str(db)]
    for flag, value in flags.items():
        if value is True:
            words.append(f"--{flag}")
        elif value not in (None, False):
            words += [f"--{flag}", str(value)]
    return words


def run(binary: Path, command: str, db: Path, **flags: object) -> dict[str, dict]:
    """Runs a command to its end; the figures it printed, by name."""
    process = start(binary, command, db, **flags)
    return finish(process)


def start(binary: Path, command: str, db: Path, **flags: object) -> subprocess.Popen:
    words = arguments(binary, command, db, flags)
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> dict[str, dict]:
    try:
        output, errors = process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Failed(f"did not end within {PATIENCE_SECONDS} s") from None
    lines = [json.loads(line) for line in output.splitlines()]
    for line in lines:
        if "unsupported" in line:
            raise Unsupported(line["unsupported"])
    if process.returncode != 0:
        raise Failed(errors.strip().splitlines()[-1] if errors.strip() else f"ended with {process.returncode}")
    return {line["figure"]: line for line in lines if "figure" in line}


def await_ready(process: subprocess.Popen) -> None:
    """Waits until the process says that it is at work."""
    line = process.stdout.readline()
    if not line:
        finish(process)
        raise Failed("ended before it was ready")
    message = json.loads(line)
    if "unsupported" in message:
        process.wait()
        raise Unsupported(message["unsupported"])


def copy_store(origin: Path, db: Path) -> None:
    """Copies a store that nobody has open. What stands beside it in `-shm` is rebuilt."""
    for suffix in ("", "-wal"):
        source = Path(f"{origin}{suffix}")
        if source.exists():
            shutil.copyfile(source, f"{db}{suffix}")
    # Whoever is measured next syncs its own writes, and is not to wait for these.
    os.sync()


def store_bytes(db: Path) -> int:
    return sum(path.stat().st_size for path in (db, Path(f"{db}-wal")) if path.exists())


def remove_store(db: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{db}{suffix}").unlink(missing_ok=True)


@contextmanager
def fresh_store(folder: Path) -> Iterator[Path]:
    db = folder / "store.db"
    remove_store(db)
    try:
        yield db
    finally:
        remove_store(db)


def watch_idle(process: subprocess.Popen, seconds: float) -> tuple[float, float]:
    """Share of a core in per cent, and resident MiB, of a process over some seconds."""
    begun, before = time.monotonic(), cpu_seconds(process.pid)
    time.sleep(seconds)
    if process.poll() is not None:
        raise Failed("ended while it was idle")
    share = (cpu_seconds(process.pid) - before) / (time.monotonic() - begun)
    status = Path(f"/proc/{process.pid}/status").read_text()
    resident_kib = int(re.search(r"VmRSS:\s+(\d+)", status).group(1))
    return share * 100, resident_kib / 1024


def cpu_seconds(pid: int) -> float:
    """Time on a processor of all threads, to the nanosecond; threads that have ended are missing."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def syncs(binary: Path, db: Path) -> tuple[int, int] | None:
    """One caller for a second under strace: durable acknowledgements, and calls that reach the disk."""
    if shutil.which("strace") is None:
        return None
    counts = db.with_suffix(".strace")
    flags = {"callers": 1, "seconds": 1}
    words = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", str(counts)]
    words += arguments(binary, "enqueue-single", db, flags)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    figures = finish(process)
    rows = [line.split() for line in counts.read_text().splitlines()]
    counts.unlink()
    reached = sum(int(row[3]) for row in rows if row and row[-1] in ("fsync", "fdatasync"))
    return figures["enqueue-single"]["detail"]["acknowledged"], reached


def disk_sync_milliseconds(folder: Path, times: int = 300) -> tuple[float, float]:
    """Median and 99th percentile of writing 4 KiB and waiting for the disk."""
    path = folder / "disk"
    lengths = []
    with open(path, "wb", buffering=0) as file:
        for _ in range(times):
            file.write(bytes(4096))
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            lengths.append((time.perf_counter() - begun) * 1e3)
    path.unlink()
    lengths.sort()
    return lengths[times // 2], lengths[times * 99 // 100]
