"""Equal means equal text: whatever the process, whatever the ids."""

from __future__ import annotations

import os
import subprocess
import sys

from curate.dedup import dedup


def test_the_salt_of_a_process_changes_nothing(workspace, words):
    """OpenChat told copies by Python's `hash`, which another process salts anew."""
    script = "import sys; from curate.dedup import dedup; dedup(sys.argv[1], quiet=True)"
    tables = []
    for seed in ("1", "2"):
        ws = workspace([[("user", words(i % 3, 30))] for i in range(7)], name=f"salt-{seed}")
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", script, str(ws.path)], check=True, env=environment, timeout=120)
        tables.append([path.read_bytes() for path in sorted((ws.path / "duplicates").iterdir())])
    assert tables[0] == tables[1]


def test_one_id_with_two_texts_is_two_conversations(tmp_path, words, dump, chat):
    """FastChat dropped the second of two records with one id, whatever it said."""
    import curate

    records = [chat(words(1, 30), words(2, 30), id="a"), chat(words(3, 30), words(4, 30), id="a")]
    records.append(chat(words(1, 30), words(2, 30), id="b"))
    curate.ingest([dump(tmp_path / "d.json", records)], tmp_path / "ws", quiet=True)
    result = dedup(tmp_path / "ws", quiet=True)
    assert (result.kept, result.exact) == (2, 1)


def test_a_million_equal_rows_would_be_one_comparison_each(workspace):
    ws = workspace([[("user", "the same long text again and again " * 8)]] * 3000, shard_rows=1000)
    result = dedup(ws.path, quiet=True)
    assert (result.kept, result.exact, result.verified, result.limited) == (1, 2999, 0, 0)
