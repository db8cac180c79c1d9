"""Text of others, made safe to print."""

from __future__ import annotations


def printable(text: str, limit: int = 300) -> str:
    """The text on one line, at most `limit` characters, control characters escaped.

    A server's words end up in logs and terminals: an escape sequence or a line break in them must not act there.
    """
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in shown)


def has(body: bytes, part: bytes) -> bool:
    """Whether the bytes hold these.

    `part in body` asks for a number first, and makes an error of the answer: that costs four times the look.
    """
    return body.find(part) >= 0
