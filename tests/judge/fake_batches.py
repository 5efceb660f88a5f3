"""The part of a server that takes files and batches, and works them off when told to."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

from fake_server import JSON, Answer, Body

Line = dict[str, Any]


class Batches:
    """Files and batches by id; `work` turns the lines of an input file into those of output and error file.

    `lost` says how the next answers to a creation get lost after the batch was made: a status, or "silence".
    """

    def __init__(self, work: Callable[[list[Line]], tuple[list[Line], list[Line]]]) -> None:
        self.work = work
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.lost: list[int | str] = []

    def submitted(self) -> list[Line]:
        """Every line that was ever put into a batch."""
        return [line for batch in self.batches.values() for line in self._lines(batch["input_file_id"])]

    def end(self, status: str = "completed") -> None:
        """Work off every batch that is not ended."""
        for batch in self.batches.values():
            if batch["status"] == "in_progress":
                done, failed = self.work(self._lines(batch["input_file_id"]))
                batch["status"] = status
                for name, lines in (("output_file_id", done), ("error_file_id", failed)):
                    if lines:
                        batch[name] = self._store("".join(json.dumps(line) + "\n" for line in lines).encode())

    def post(self, path: str, body: bytes) -> Answer:
        if path.endswith("/files"):
            content = re.search(rb'filename="[^"]*\.jsonl"\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', body, re.DOTALL)
            assert content
            return self._json({"id": self._store(content[1]), "object": "file"})
        asked: Body = json.loads(body)
        name = f"batch_{len(self.batches)}"
        self.batches[name] = {"id": name, "status": "in_progress", **asked}
        how = self.lost.pop(0) if self.lost else 200
        if how == "silence":
            time.sleep(1)
            how = 200
        assert isinstance(how, int)
        return self._json(self.batches[name]) if how == 200 else (how, JSON, b"{}")

    def get(self, path: str) -> Answer:
        if found := re.search(r"/files/(\w+)/content", path):
            return 200, {"Content-Type": "application/octet-stream"}, self.files[found[1]]
        if found := re.search(r"/batches/(\w+)", path):
            return self._json(self.batches[found[1]])
        return self._json({"data": list(self.batches.values())[::-1], "has_more": False})

    def _lines(self, file: str) -> list[Line]:
        return [json.loads(line) for line in self.files[file].splitlines()]

    def _store(self, content: bytes) -> str:
        name = f"file_{len(self.files)}"
        self.files[name] = content
        return name

    @staticmethod
    def _json(value: Any) -> Answer:
        return 200, JSON, json.dumps(value).encode()
