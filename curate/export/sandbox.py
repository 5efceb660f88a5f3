"""Jinja as transformers sets it up for chat templates, which are code of strangers (chat_template_utils.py, 5.23.0)."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from typing import Any

from curate.errors import MissingExtraError

# Stand around what is in `{% generation %}` when the variable `_marked` is true.
ON, OFF = "\U000f1002", "\U000f1003"
# Of Jinja's `loop`.
_COUNTERS = {"first", "last", "index", "index0", "revindex", "revindex0", "length"}


def template_error() -> type[Exception]:
    """What a template raises.

    Raises:
        MissingExtraError: Jinja is not installed.
    """
    try:
        from jinja2.exceptions import TemplateError
    except ImportError:
        raise MissingExtraError("jinja2", "tokenizer") from None
    return TemplateError


@cache
def environment() -> Any:
    """Jinja as transformers sets it up."""
    from jinja2 import nodes
    from jinja2.exceptions import SecurityError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.runtime import LoopContext
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.utils import Namespace

    class Generation(Extension):
        """`{% generation %}` … `{% endgeneration %}`."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("_body", [nodes.ContextReference()]), [], [], body).set_lineno(line)

        def _body(self, context: Any, caller: Any) -> str:
            return f"{ON}{caller()}{OFF}" if context.get("_marked") else str(caller())

    def raise_exception(message: str) -> None:
        raise template_error()(message)

    def tojson(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, **options)

    class Dictionary:
        def __call__(self, *args: Any, **named: Any) -> dict[Any, Any]:
            return dict(*args, **named)

        def fromkeys(self, *args: Any) -> dict[Any, Any]:
            return dict.fromkeys(*args)

    class Names(Namespace):
        """Holds no name that begins with `_`: no way to Python's internals."""

        def __init__(*args: Any, **named: Any) -> None:
            self, *given = args
            values = dict(*given, **named)
            for name in values:
                _public(name)
            Namespace.__init__(self, values)

        def __setitem__(self, name: str, value: Any) -> None:
            _public(name)
            super().__setitem__(name, value)

    def _public(name: object) -> None:
        if isinstance(name, str) and name.startswith("_"):
            raise SecurityError(f"a template cannot keep the name {name!r}")

    class Sandbox(ImmutableSandboxedEnvironment):
        def getattr(self, obj: Any, attribute: str) -> Any:
            # Where in a loop it is, which templates ask at each message: numbers, with nothing to keep safe.
            if type(obj) is LoopContext and attribute in _COUNTERS:
                return getattr(obj, attribute)
            return super().getattr(obj, attribute)

    extensions = [Generation, loopcontrols]
    found = Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
    found.globals["dict"] = Dictionary()
    found.globals["namespace"] = Names
    found.filters["tojson"] = tojson
    found.globals["raise_exception"] = raise_exception
    found.globals["strftime_now"] = lambda format_: datetime.now().strftime(format_)  # noqa: DTZ005
    return found
