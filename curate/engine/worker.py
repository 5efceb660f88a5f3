"""A worker of `curate.engine.processes`: a pickled function comes in, then items; answers go out."""

from __future__ import annotations

import os
import pickle
import traceback
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any


def main() -> None:
    """Answer standard input on standard output."""
    told, answers = os.fdopen(0, "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    items = SimpleQueue[Any]()
    Thread(target=_read, args=(told, items), daemon=True).start()
    function = items.get()
    while True:
        answers.write(_answer(function, items.get()))
        answers.flush()


def _read(told: IO[bytes], items: SimpleQueue[Any]) -> None:
    """Take in what is sent while an item is worked on, so that the end of whoever asks is seen at once."""
    try:
        while True:
            items.put(pickle.load(told))
    except (EOFError, pickle.UnpicklingError):  # the end may come in the middle of an item
        os._exit(0)
    except BaseException:  # nobody would be told otherwise; perhaps nobody listens
        with suppress(OSError):
            traceback.print_exc()
        os._exit(1)


def _answer(function: Any, item: object) -> bytes:
    try:
        return pickle.dumps((True, function(item)))
    except BaseException as error:
        told = f"in a worker process:\n{traceback.format_exc()}"
        error.add_note(told)
        try:
            answer = pickle.dumps((False, error))
            pickle.loads(answer)  # there are errors that can be packed and not unpacked
        except Exception:
            return pickle.dumps((False, RuntimeError(told)))
        return answer


if __name__ == "__main__":
    main()
