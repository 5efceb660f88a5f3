"""A worker of `curate.engine.processes`: a pickled function comes in, then items; answers go out."""

from __future__ import annotations

import os
import pickle
import signal
import traceback
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any


def main() -> None:
    """Answer standard input on standard output."""
    # Ctrl-C goes to all processes of a terminal; the one that was started ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told, answers = os.fdopen(0, "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    function, items = pickle.load(told), SimpleQueue[Any]()
    Thread(target=_read, args=(told, items), daemon=True).start()
    while True:
        answers.write(_answer(function, items.get()))
        answers.flush()


def _read(told: IO[bytes], items: SimpleQueue[Any]) -> None:
    """Take items in while one is worked on, so that the end of whoever asks is seen at once."""
    try:
        while True:
            items.put(pickle.load(told))
    except EOFError:
        os._exit(0)


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
