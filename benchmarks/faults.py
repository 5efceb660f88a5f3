"""Kill, cut and starve every stage, and compare what a rerun leaves with an undisturbed run, byte for byte.

    python benchmarks/faults.py [STAGE…] [--kills 100] [--only KIND…] [--every N]

For each stage of a flow on the sample data in small shards:

    random moments   SIGKILL after a random time; the same command again
    before changes   SIGKILL right before each change of the file system
    power cuts       at each change: only flushed bytes in files, only flushed names in folders remain
    Ctrl-C twice     at random moments, a few milliseconds apart
    no room          from each change on: opening to write, renaming, making a folder and flushing fail
    full disk        no file may become larger than so many bytes, from none to the largest there is
    few handles      so few open files as the process may have

`at work` counts the faults that met the stage before it had ended. Exit code 1 when a rerun left another byte.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "faults"))

from scenes import STAGES, Scene, Zygote, scenes  # type: ignore[import-not-found]

INTERRUPTED = 130
PARTS = 40  # sizes of a full disk that are tried
HANDLES = range(4, 64, 3)


def faults(kind: str, scene: Scene, kills: int, moments: random.Random, disk: Path) -> list[dict[str, Any]]:
    """What `Zygote.run` takes for each fault of a kind."""
    if kind == "random moments":
        return [{"signals": [[moments.uniform(0, scene.seconds), signal.SIGKILL]]} for _ in range(kills)]
    if kind == "before changes":
        return [{"fault": {"kill": point}} for point in range(1, scene.changes + 1)]
    if kind == "power cuts":
        return [{"fault": {"cut": point, "disk": str(disk)}} for point in (*range(1, scene.changes + 1), 0)]
    if kind == "no room":
        return [{"fault": {"full": point}} for point in range(1, scene.changes + 1)]
    if kind == "Ctrl-C twice":
        begins = [moments.uniform(0, scene.seconds) for _ in range(kills // 4)]
        return [{"signals": [[at, signal.SIGINT], [at + moments.uniform(0, 0.05), signal.SIGINT]]} for at in begins]
    if kind == "full disk":
        largest = max(map(len, scene.after.values()))
        return [{"fault": {"file_size": number * largest // PARTS}} for number in range(PARTS + 1)]
    return [{"fault": {"handles": handles}} for handles in HANDLES]


KINDS = ("random moments", "before changes", "power cuts", "Ctrl-C twice", "no room", "full disk", "few handles")


def disturb(zygote: Zygote, scene: Scene, kind: str, kills: int, every: int, folder: Path) -> bool:
    """All faults of one kind; prints a line, and returns whether every rerun left the same bytes."""
    began, met, wrong, disk = time.monotonic(), 0, [], folder / "disk"
    whole = faults(kind, scene, kills, random.Random(f"{scene.stage} {kind}"), disk)
    # From the end: the last ones are the least likely, and hold the power cut after the end.
    planned = whole[::-1][::every][::-1]
    for fault in planned:
        here = scene.place(folder / "scene")
        end = zygote.run(scene.argv, here, **fault)
        met += end.code != 0
        if "Traceback" in end.stderr or "bug" in end.stderr or end.code in (1, 70):
            wrong.append(f"{fault}: code {end.code}: {end.stderr[-800:]}")
        if kind == "power cuts":
            if fault["fault"]["cut"] == 0 and scene.differences(disk):
                wrong.append(f"{fault}: not on the disk: {scene.differences(disk)}")
            here = disk
        again = zygote.run(scene.argv, here)
        if again.code or scene.differences(here):
            wrong.append(f"{fault}: rerun {again.code} {scene.differences(here)} {again.stderr[-800:]}")
        if kind == "power cuts":
            scene.remove(disk)
    took = time.monotonic() - began
    same = f"{len(planned) - len(wrong)} the same bytes"
    of = f" of {len(whole)}" if every > 1 else ""
    counts = f"{len(planned):>4}{of} faults, {met:>4} at work, {same:<20}"
    print(f"{scene.stage:<8} {kind:<16} {counts} {took:6.0f} s", flush=True)
    for line in wrong[:5]:
        print(f"  {line}", flush=True)
    return not wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", help="default: all")
    parser.add_argument("--kills", type=int, default=100, help="random moments per stage")
    parser.add_argument("--only", choices=KINDS, nargs="+", default=KINDS)
    parser.add_argument("--every", type=int, default=1, help="take every Nth fault of a kind")
    given = parser.parse_args()
    zygote, sound = Zygote(), True
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        flow = scenes(zygote, folder)
        chosen = [flow[stage] for stage in given.stages or STAGES]
        for scene in chosen:
            changes = f"{scene.changes} changes of the file system"
            print(f"{scene.stage:<8} {scene.seconds:.2f} s undisturbed, {changes}", flush=True)
        for kind in given.only:
            for scene in chosen:
                sound &= disturb(zygote, scene, kind, given.kills, given.every, folder)
    zygote.close()
    sys.exit(0 if sound else 1)


if __name__ == "__main__":
    main()
