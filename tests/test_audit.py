"""`.ci/audit`: a known vulnerability fails it, a service that is silent is said and is no pass."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
TOOL = shutil.which("pip-audit", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))

pytestmark = [
    pytest.mark.skipif(TOOL is None, reason="pip-audit is not installed"),
    pytest.mark.skipif(not (ROOT / ".ci" / "audit").exists(), reason="a source distribution has no .ci"),
]


class Service(BaseHTTPRequestHandler):
    """Speaks OSV's protocol; `broken` names packages with an advisory, null is a service in trouble."""

    broken: frozenset[str] | None = frozenset()

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = asked["package"]["name"].lower()
        told = {"id": "OSV-0", "summary": "made up", "details": "made up", "affected": []}
        self.send_response(200 if self.broken is not None else 503)
        self.end_headers()
        self.wfile.write(json.dumps({"vulns": [told]} if name in (self.broken or ()) else {}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Service]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(Service, "broken", frozenset())
        monkeypatch.setenv("ADVISORIES", f"http://127.0.0.1:{server.server_address[1]}/v1/query")
        yield Service
        server.shutdown()


def audit(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    # Answers of another service, kept by pip-audit, are none of ours.
    environment = {**os.environ, "TOOLS": str(Path(str(TOOL)).parent), "XDG_CACHE_HOME": str(tmp_path)}
    command = [str(ROOT / ".ci" / "audit"), "--advisories"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_packages_without_advisories_pass(service: type[Service], tmp_path: Path) -> None:
    done = audit(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "No known vulnerabilities found" in done.stdout
    assert "each with its hashes" in done.stdout


def test_a_known_vulnerability_fails(service: type[Service], tmp_path: Path) -> None:
    service.broken = frozenset({"polars"})
    done = audit(tmp_path)
    assert done.returncode == 1
    assert "OSV-0" in done.stdout
    assert "polars" in done.stdout


def test_a_silent_service_is_said_and_is_no_pass(service: type[Service], tmp_path: Path) -> None:
    service.broken = None
    done = audit(tmp_path)
    assert done.returncode == 2
    assert "did not take place" in done.stderr
