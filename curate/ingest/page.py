"""A share page: HTML with the conversation as JSON in its `__NEXT_DATA__` script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from curate.ingest import window
from curate.ingest.decode import UnreadableError, parse_one
from curate.ingest.window import Record, Reject, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

_DATA = re.compile(rb"""<script[^>]*\bid=["']?__NEXT_DATA__["']?[^>]*>(.*?)</script>""", re.DOTALL | re.IGNORECASE)


class Page(Window):
    """Reads one file as one record."""

    def read(self) -> Iterator[Record | Reject]:
        """The page's record."""
        if self.row:  # an ingest that goes on behind it
            return
        while not self.final and len(self.buffer) <= window.MAX_RECORD:
            self.fill()
        end = len(self.buffer)
        if self.cut:
            yield self.cut_off(0)
        elif not self.final:
            yield self.reject(0, end, "too_large", f"a page of more than {window.MAX_RECORD:,} bytes")
        elif data := _DATA.search(self.buffer):
            try:
                value = parse_one(data[1])
            except UnreadableError as error:
                yield self.reject(0, end, error.reason, error.detail)
            else:
                yield self.record(value, data.start(1), end)._replace(size=len(data[1]))
        else:
            yield self.reject(0, end, "no_next_data", "an HTML page without a `__NEXT_DATA__` script")
