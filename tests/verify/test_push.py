"""`curate push` sends exactly the files of the manifest, only when asked, and never shows the token."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from curate.errors import CurateError, InputError
from curate.export import export
from curate.push import PART, push
from curate.seal import KEY, sealed
from tests.export.workspaces import conversation, make, talk

TOKEN = "hf_" + "a" * 34


class Hub(BaseHTTPRequestHandler):
    """The calls of a hub that an upload makes; what was sent is kept."""

    seen: list[tuple[str, str, str]]
    committed: dict[str, bytes]
    commits: list[tuple[str, list[str]]]
    refuse: bool
    fails_after: int | None

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append(("POST", self.path, self.headers.get("Authorization") or ""))
        if self.refuse or self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer({"error": f"no right to write with {TOKEN}"}, 403)
        elif self.path == "/api/repos/create":
            self._answer({"url": f"http://{self.headers['Host']}/datasets/me/set", "name": "me/set"})
        elif self.path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            told = {"uploadMode": "regular", "shouldIgnore": False}
            self._answer({"files": [{"path": name, "oid": self._blob(name), **told} for name in names]})
        elif "/commit/" in self.path:
            if len(self.commits) == self.fails_after:
                self._answer({"error": "too many requests"}, 400)
                return
            entries = [json.loads(line) for line in body.splitlines()]
            files = [entry["value"] for entry in entries if entry["key"] == "file"]
            self.committed.update({file["path"]: base64.b64decode(file["content"]) for file in files})
            self.commits.append((entries[0]["value"]["summary"], [file["path"] for file in files]))
            self._answer(
                {"commitUrl": f"http://{self.headers['Host']}/datasets/me/set/commit/{'b' * 40}", "commitOid": "b" * 40}
            )
        else:
            self._answer({}, 404)

    def _blob(self, name: str) -> str | None:
        """What git calls the bytes that are there under a name."""
        if (data := self.committed.get(name)) is None:
            return None
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    def do_GET(self) -> None:
        self.seen.append(("GET", self.path, self.headers.get("Authorization") or ""))
        self._answer({"sha": "c" * 40, "id": "me/set", "siblings": []})

    def _answer(self, value: Any, code: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[tuple[type[Hub], str]]:
    pytest.importorskip("huggingface_hub", reason="pip install 'curate-chat[hub]'")
    handler = type("Fresh", (Hub,), {"seen": [], "committed": {}, "commits": [], "refuse": False, "fails_after": None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [conversation(talk(f"Question {n}", "Answer"), **{"class": "gpt-4"}) for n in range(8)]
    return export(make(tmp_path / "ws", rows).path, tmp_path / "out", quiet=True).out


def run(folder: Path, url: str, *words: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the hub's client reads its settings when it is imported."""
    home = str(folder.parent / "home")
    settings = {"HF_ENDPOINT": url, "HF_TOKEN": token, "HF_HOME": home, "HF_HUB_OFFLINE": "0"}
    return subprocess.run(
        [sys.executable, "-m", "curate", "push", str(folder), "me/set", *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **settings, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
    )


def test_every_file_of_the_manifest_arrives_and_no_other(folder: Path, hub: tuple[type[Hub], str]) -> None:
    server, url = hub
    done = run(folder, url, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["commit"] == "b" * 40
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert server.committed == files
    assert set(result["files"]) == set(files)
    assert result["commits"] == len(server.commits) == 1
    assert TOKEN not in done.stdout + done.stderr


@pytest.fixture
def many(folder: Path) -> Path:
    """The export with 150 files more, so that it is above what a hub wants in one commit."""
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest[KEY]
    (folder / "more").mkdir()
    for number in range(150):
        file = folder / "more" / f"{number:03}.parquet"
        file.write_bytes(b"%d" % number)
        entry = {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        manifest["files"][f"more/{file.name}"] = entry
    (folder / "manifest.json").write_text(json.dumps(sealed(manifest)))
    return folder


def test_many_files_are_several_commits_and_the_manifest_is_in_the_last(many: Path, hub: tuple[type[Hub], str]) -> None:
    server, url = hub
    done = run(many, url, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert [len(files) for _, files in server.commits] == [PART, len(server.committed) - PART]
    assert [title for title, _ in server.commits] == [f"Upload training shards (part {n} of 2)" for n in (1, 2)]
    assert "manifest.json" in server.commits[-1][1]
    assert json.loads(done.stdout)["commits"] == 2
    assert set(server.committed) == set(json.loads(done.stdout)["files"])


def test_an_upload_that_broke_off_goes_on_with_what_is_not_there(many: Path, hub: tuple[type[Hub], str]) -> None:
    server, url = hub
    server.fails_after = 1
    broken = run(many, url, "--yes")
    assert broken.returncode == 2
    assert "1 of 2 parts are there; the same command goes on" in " ".join(broken.stderr.split())
    assert "manifest.json" not in server.committed
    server.fails_after = None
    first = set(server.commits[0][1])
    assert run(many, url, "--yes").returncode == 0
    assert len(server.commits) == 2, "a part that is there is no commit"
    assert not first & set(server.commits[1][1])
    assert "manifest.json" in server.committed


def test_nothing_is_sent_unless_asked(folder: Path, hub: tuple[type[Hub], str]) -> None:
    server, url = hub
    done = run(folder, url)
    assert done.returncode == 2
    assert "nothing was sent" in done.stderr
    assert run(folder, url, "--dry-run").returncode == 0
    assert server.seen == []


def test_a_refusal_says_so_without_the_token(folder: Path, hub: tuple[type[Hub], str]) -> None:
    server, url = hub
    server.refuse = True
    done = run(folder, url, "--yes")
    assert done.returncode == 2
    assert "the hub refused" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert server.committed == {}


def test_a_hub_that_is_not_there_is_an_error_in_three_parts(folder: Path) -> None:
    pytest.importorskip("huggingface_hub")
    done = run(folder, "http://127.0.0.1:9", "--yes")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "hint:" in done.stderr


def test_what_is_no_export_or_was_changed_is_not_sent(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="no export"):
        push(tmp_path / "other", "me/set", dry_run=True)
    with pytest.raises(InputError, match="no export"):
        push(folder / "data", "me/set", dry_run=True)
    with pytest.raises(CurateError, match="OWNER/NAME"):
        push(folder, "set", dry_run=True)
    shard = next((folder / "data").iterdir())
    shard.write_bytes(shard.read_bytes() + b"x")
    with pytest.raises(InputError, match="not those of the manifest"):
        push(folder, "me/set", dry_run=True)
