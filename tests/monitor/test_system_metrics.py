"""Readings of a process tree."""

import subprocess
import sys

import psutil

from app.monitor.system_metrics import SystemSampler


def test_work_between_two_samples_is_seen_as_cpu_time() -> None:
    sampler = SystemSampler()
    sum(number * number for number in range(3_000_000))
    reading = sampler.sample()
    assert reading.cpu_percent > 0
    assert reading.memory_bytes > 1_000_000


def test_children_count_with_their_parent() -> None:
    alone = SystemSampler().sample().memory_bytes
    code = "block = bytearray(60_000_000); print('ready', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert SystemSampler().sample().memory_bytes - alone > 50_000_000
        child.communicate("\n")


def test_a_process_that_ended_counts_as_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        sampler = SystemSampler(psutil.Process(child.pid))
        child.communicate(b"\n")
    reading = sampler.sample()
    assert (reading.cpu_percent, reading.memory_bytes) == (0.0, 0)
