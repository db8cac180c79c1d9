"""Text of an API, made safe to show in a page of HTML."""

from __future__ import annotations

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;", "\0": "\ufffd"})


def escape_html(value: object) -> str:
    """The value as text between tags, or between the quotes of an attribute; "" for None.

        f'<td title="{escape_html(lead.email)}">{escape_html(lead.name)}</td>'

    What others have written into an API must be shown, and not run: these are the five characters that begin markup
    or end an attribute (https://html.spec.whatwg.org/multipage/named-characters.html, OWASP's rules 1 and 2 on
    cross-site scripting). It is not enough inside of a script, of a style, of an attribute without quotes, or for a
    whole URL, which may begin with `javascript:`. A template engine that escapes by itself needs no call of it.
    """
    return "" if value is None else str(value).translate(_ESCAPES)
