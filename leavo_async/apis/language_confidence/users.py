"""Who speaks: the anonymous id that plans by monthly active users count by."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Any

from leavo_async.errors import ConfigError

# https://docs.languageconfidence.ai/docs/guides/speech-assessment-api/before-going-to-production
USER_ID = "x-user-id"
UserId = str | ContextVar[str] | ContextVar[str | None]
"""The id itself, or a context variable that is looked at for each call: a web app sets it for each request."""

# The vendor wants ids unique and anonymous; how we see whether one is, is ours. Visible ASCII passes every proxy, what
# looks like an address is a person, and the longest ids in other clients are a host name and a number (253 and some).
_VISIBLE = re.compile(r"[!-~]{1,320}")
_ADDRESS = re.compile(r".(@|%40).")


def problem_of_user_id(value: Any) -> str | None:
    """What is wrong with an id, without the id: it is a person's; None if nothing is."""
    if not isinstance(value, str):
        return "expected a text, such as str(user.uuid)"
    if not _VISIBLE.fullmatch(value):
        return "expected 1 to 320 visible ASCII characters, best a UUID or a number"
    if _ADDRESS.search(value):
        return "it looks like an e-mail address; send an anonymous id, best a UUID or a number"
    return None


def checked_user_id(value: Any) -> str:
    """The id, if it can be one; ConfigError otherwise."""
    if problem := problem_of_user_id(value):
        raise ConfigError(f"user_id: {problem}")
    return str(value)


def user_headers(user_id: UserId | None) -> dict[str, str]:
    """The header field that says who speaks at this moment; none where nobody is named. ConfigError for a bad id."""
    found = _value(user_id) if isinstance(user_id, ContextVar) else user_id
    return {} if found is None else {USER_ID: checked_user_id(found)}


def _value(holder: ContextVar[Any]) -> Any:
    try:
        return holder.get()  # its own default counts, which get(None) would pass over
    except LookupError:
        return None
