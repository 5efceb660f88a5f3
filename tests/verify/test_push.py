"""`curate push` sends exactly the files of the manifest, only when asked, and never shows the token."""

from __future__ import annotations

import base64
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
from curate.push import push
from tests.export.workspaces import conversation, make, talk

TOKEN = "hf_" + "a" * 34


class Hub(BaseHTTPRequestHandler):
    """The calls of a hub that an upload makes; what was sent is kept."""

    seen: list[tuple[str, str, str]]
    committed: dict[str, bytes]
    refuse: bool

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
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]
            ]
            self._answer({"files": files})
        elif "/commit/" in self.path:
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.committed[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            self._answer(
                {"commitUrl": f"http://{self.headers['Host']}/datasets/me/set/commit/{'b' * 40}", "commitOid": "b" * 40}
            )
        else:
            self._answer({}, 404)

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
    handler = type("Fresh", (Hub,), {"seen": [], "committed": {}, "refuse": False})
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
    assert TOKEN not in done.stdout + done.stderr


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
