"""What the body of an error says, in the dialects of the field."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import from_json

from leavo_async._sansio.text import printable

# Names of the field: those of RFC 6749, most APIs', ASP.NET's, FastAPI's, and those of RFC 9457.
_MESSAGES = ("error_description", "message", "Message", "detail", "title")
# The code alone, as RFC 6749 §5.2 has it beside an error_description.
_CODE = re.compile(r"[a-z]+(?:_[a-z]+)+")


def facts_of(body: bytes) -> tuple[str | None, str, Any]:
    """Code, message and details, wherever the body has them; a body that is not JSON has none."""
    try:
        parsed: Any = from_json(body, allow_inf_nan=False)
    except ValueError:
        return None, "", None
    facts = _error_part(parsed)
    code, detail = facts.get("code"), facts.get("detail")
    return (
        printable(code, 100) if isinstance(code, str) else None,
        next(filter(None, (_words(facts.get(name)) for name in _MESSAGES)), ""),
        facts.get("details", None if isinstance(detail, str) else detail),
    )


def _words(message: Any) -> str:
    """A text as it is; of a list of problems where each is, and what: https://fastapi.tiangolo.com/tutorial/handling-errors/."""
    if isinstance(message, str):
        return message
    problems = [each for each in message if isinstance(each, dict)] if isinstance(message, list) else []
    return "; ".join(f"{_place(each.get('loc'))}{each.get('msg')}" for each in problems[:3])


def _place(loc: Any) -> str:
    return f"{'.'.join(map(str, loc))}: " if isinstance(loc, list) else ""


def _error_part(parsed: Any) -> dict[str, Any]:
    if not isinstance(parsed, dict):
        return {}
    part = parsed.get("error", parsed.get("detail"))
    if isinstance(part, str):
        code = {"code": part} if _CODE.fullmatch(part) else {}
        return {"message": part, **code, **parsed}
    return part if isinstance(part, dict) else parsed
