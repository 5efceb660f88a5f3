"""Run one stage on a cluster of two nodes, and kill the one without the driver while the stage is at work.

    python lose_a_node.py WORKSPACE STAGE WHEN COUNT [WORKER]

The node dies, its scheduler and workers with it, as soon as COUNT files that match WHEN are there and, where WORKER is
named, for some seconds a process of that name was at work on the node.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path

import psutil
from ray.cluster_utils import Cluster

workspace, stage, when, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
WORKER_SECONDS = 6
os.environ |= {
    "RAY_memory_monitor_refresh_ms": "0",
    # How soon a silent node is given up; a real cluster waits for half a minute.
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_failure_threshold": "4",
    "RAY_health_check_initial_delay_ms": "500",
}

memory = {"object_store_memory": 200_000_000}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **memory})
lost = cluster.add_node(num_cpus=1, **memory)
cluster.wait_for_nodes()
os.environ["RAY_ADDRESS"] = cluster.address
report: dict[str, object] = {}


def works(name: str) -> bool:
    """Whether a process of that name is a child of the node's scheduler."""
    raylet = psutil.Process(lost.all_processes["raylet"][0].process.pid)
    with contextlib.suppress(psutil.Error):
        return any(name in " ".join(child.cmdline()) for child in raylet.children(recursive=True))
    return False


def kill() -> None:
    while len(list(workspace.glob(when))) < count:
        time.sleep(0.01)
    for worker in sys.argv[5:]:
        while not works(worker):
            time.sleep(0.05)
        time.sleep(WORKER_SECONDS)
    report["files"] = len(list(workspace.glob(when)))
    lost.kill_raylet(check_alive=False)
    cluster.remove_node(lost, allow_graceful=False)
    report["killed"] = time.monotonic()


import curate  # noqa: E402
from curate.dedup import across  # noqa: E402

across.PART_TEXTS = 100
watcher = threading.Thread(target=kill, daemon=True)
watcher.start()
getattr(curate, stage)(workspace, engine="ray", quiet=True)
ended = time.monotonic()
watcher.join(10)
import ray  # noqa: E402

assert "killed" in report, "the stage had ended before the node was killed"
assert report["killed"] < ended, "the stage had ended before the node was killed"
print(f"killed after {report['files']} files, {ended - report['killed']:.1f} s before the end;", end=" ")
print(sum(node["Alive"] for node in ray.nodes()), "of", len(ray.nodes()), "nodes live")
