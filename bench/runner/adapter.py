"""Runs adapters: one command, one process, one store; and watches an idle one."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

# What a command may take, set-up included, before it is killed: some systems take their time to store ten million jobs.
PATIENCE_SECONDS = {"fill": 1_800}
USUAL_PATIENCE_SECONDS = 300


class Unsupported(Exception):
    """The system cannot do this, and says why."""


class Failed(Exception):
    """The system should have done this and did not."""


def arguments(program: list[str], command: str, url: str, flags: dict[str, object]) -> list[str]:
    words = [*program, command, "--store", url]
    for flag, value in flags.items():
        if value is True:
            words.append(f"--{flag}")
        elif value not in (None, False):
            words += [f"--{flag}", str(value)]
    return words


def run(program: list[str], command: str, url: str, **flags: object) -> dict[str, dict]:
    """Runs a command to its end; the figures it printed, by name."""
    process = start(program, command, url, **flags)
    return finish(process, PATIENCE_SECONDS.get(command, USUAL_PATIENCE_SECONDS))


def start(program: list[str], command: str, url: str, **flags: object) -> subprocess.Popen:
    words = arguments(program, command, url, flags)
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen, patience: float = USUAL_PATIENCE_SECONDS) -> dict[str, dict]:
    try:
        output, errors = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Failed(f"did not end within {patience} s") from None
    lines = [json.loads(line) for line in output.splitlines()]
    for line in lines:
        if "unsupported" in line:
            raise Unsupported(line["unsupported"])
    if process.returncode != 0:
        raise Failed(errors.strip().splitlines()[-1] if errors.strip() else f"ended with {process.returncode}")
    return figures(output)


def figures(output: str) -> dict[str, dict]:
    lines = [json.loads(line) for line in output.splitlines()]
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


def watch_idle(process: subprocess.Popen, servers: list[int], seconds: float) -> tuple[float, float, float]:
    """Shares of a core in per cent, of a process and of the store's server, and resident MiB of the process, over some seconds."""
    begun, before, before_there = time.monotonic(), cpu_seconds(process.pid), sum(map(cpu_seconds, servers))
    time.sleep(seconds)
    if process.poll() is not None:
        raise Failed("ended while it was idle")
    elapsed = time.monotonic() - begun
    share = (cpu_seconds(process.pid) - before) / elapsed
    there = (sum(map(cpu_seconds, servers)) - before_there) / elapsed
    status = Path(f"/proc/{process.pid}/status").read_text()
    resident_kib = int(re.search(r"VmRSS:\s+(\d+)", status).group(1))
    return share * 100, there * 100, resident_kib / 1024


def cpu_seconds(pid: int) -> float:
    """Time on a processor of all threads, to the nanosecond; threads that have ended are missing, and so is who is gone."""
    total = 0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    except FileNotFoundError:
        pass
    return total / 1e9


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
