"""Search for bytes that break a promise of a reader: coverage-guided by atheris, by format with hypothesis.

    pip install atheris
    python benchmarks/fuzz.py [TARGET…] [--seconds 180] [--findings DIR]

One process a target. Each different failure is kept once, by its shortest input, in DIR; what was found goes into
`tests/faults/test_findings.py`. The target `formats` needs no atheris. Exit code 1 when anything was found.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import traceback
from hashlib import blake2b
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE), str(HERE / "tests" / "faults")]
FORMATS = "formats"
LONGEST = 4096  # bytes of an input
SLOW = 10.0  # seconds after which an input counts as one that hangs


def seeds(target: str, folder: Path) -> None:
    """The sample data and the examples of the formats, as inputs to begin with."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [path for path in (HERE / "sample_data").rglob("*") if path.is_file() and path.suffix != ".py"]
    files += (HERE / "tests" / "readers").glob("*/input.*")
    files += (HERE / "rules").rglob("*.toml") if target == "tomls" else []
    for number, path in enumerate(files):
        if (path.suffix == ".parquet") is (target != "parquets") and target != "ingests":
            continue
        data = path.read_bytes()
        for size in (LONGEST, 700):
            piece = data if path.suffix in (".parquet", ".zip") and len(data) < 4 * LONGEST else data[:size]
            for first in range(9) if target in ("records", "ingests", "side_files", "containers") else (None,):
                head = b"" if first is None else bytes([first]) + (b"\0" if target == "containers" else b"")
                (folder / f"{number}-{size}-{first}").write_bytes(head + piece)


def fuzz(target: str, seconds: float, findings: Path) -> int:
    """Run one target in this process; returns how many different failures were found."""
    import atheris

    with atheris.instrument_imports(include=["curate.ingest", "curate.judge.parse", "curate.label", "targets"]):
        from targets import TARGETS  # type: ignore[import-not-found]
    function = TARGETS[target]
    shortest: dict[str, int] = {}
    began, runs = time.monotonic(), 0

    def keep(data: bytes, what: str) -> None:
        name = f"{target}-{blake2b(what.encode(), digest_size=4).hexdigest()}"
        if len(data) < shortest.get(name, 1 << 30):
            shortest[name] = len(data)
            findings.mkdir(parents=True, exist_ok=True)
            (findings / name).write_bytes(data)
            (findings / f"{name}.txt").write_text(what)

    def one(data: bytes) -> None:
        nonlocal runs
        runs += 1
        start = time.process_time()  # and not the clock of the wall: others may be at work here
        try:
            function(data)
        except Exception as error:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__)]
            place = "\n".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[1:])
            keep(data, f"{type(error).__name__}\n{place}\n")
        if time.process_time() - start > SLOW:
            keep(data, "slow\n")
        if time.monotonic() - began > seconds:
            took = f"{time.monotonic() - began:6.0f} s"
            print(f"{target:<12} {runs:>9,} inputs {took}  {len(shortest)} found", flush=True)
            os._exit(1 if shortest else 0)  # libFuzzer has no other way out

    corpus = findings / "corpus" / target
    seeds(target, corpus)
    atheris.Setup(
        [sys.argv[0], str(corpus), f"-max_len={4 * LONGEST}", "-timeout=120", "-rss_limit_mb=4096", "-verbosity=0",
         f"-artifact_prefix={findings}/{target}-crash-"],
        one,
    )  # fmt: skip
    atheris.Fuzz()
    return 0


def formats(seconds: float) -> int:
    """Mutants of every format's examples, as the tests have them, only more."""
    tests = str(HERE / "tests" / "readers" / "test_fuzz_formats.py")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", tests]
    began, rounds = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
        rounds += 1
        if done.returncode:
            print((done.stdout + done.stderr)[-6000:])
            break
    took = time.monotonic() - began
    print(f"{FORMATS:<12} {rounds:>9,} rounds {took:6.0f} s  {int(done.returncode != 0)} found", flush=True)
    return done.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help="default: all")
    parser.add_argument("--seconds", type=float, default=180, help="for each target")
    parser.add_argument("--findings", type=Path, default=HERE / "bench" / "fuzz")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        sys.exit(fuzz(given.targets[0], given.seconds, given.findings))
    from targets import TARGETS

    found = 0
    for target in given.targets or [*TARGETS, FORMATS]:
        if target == FORMATS:
            found |= formats(given.seconds)
            continue
        command = [sys.executable, __file__, target, "--here", "--seconds", str(given.seconds)]
        found |= subprocess.run([*command, "--findings", str(given.findings)], check=False).returncode
    sys.exit(int(bool(found)))


if __name__ == "__main__":
    main()
