"""Text that others have written shows as text."""

from __future__ import annotations

import html
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import escape_html


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\" onmouseover='x'", "&quot; onmouseover=&#x27;x&#x27;"),
        ("&lt;", "&amp;lt;"),
        ("João & Ana", "João &amp; Ana"),
        ("a\0b", "a\ufffdb"),
        (None, ""),
        (7, "7"),
        ("", ""),
    ],
)
def test_markup_is_shown_and_not_run(value: Any, shown: str) -> None:
    """Between tags and between quotes."""
    assert shown == escape_html(value)


class Page(HTMLParser):
    """All that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[Any] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text())
def test_whatever_was_written_a_browser_reads_it_back(text: str) -> None:
    """In text and in an attribute, and no other tag comes of it."""
    escaped = escape_html(text)
    page = Page()
    page.feed(f'<td title="{escaped}">{escaped}</td>')
    page.close()

    expected = html.unescape(escaped)
    assert text.replace("\0", "\ufffd") == expected
    assert [("td", [("title", expected)])] == page.tags
    assert expected == page.text
