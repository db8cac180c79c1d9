"""Scores for people who look rather than read."""

from __future__ import annotations

from collections.abc import Iterable

from leavo_async._sansio.markup import escape_html


def coloured(overall: float | None, words: Iterable[tuple[str | None, float | None]]) -> str:
    """HTML: the score and the words, from red (0) to green (100), each with its number."""
    each = " ".join(_span(text, score) for text, score in words)
    return f"<div><b>{_number(overall)}</b> {each}</div>"


def _span(text: str | None, score: float | None) -> str:
    # Black on light colours: it can be read on dark pages too, and the number says the same without colour.
    hue = 1.2 * min(max(score or 0, 0), 100)
    colour = "#ddd" if score is None else f"hsl({hue:.0f} 70% 80%)"
    style = f"background:{colour};color:#000;padding:0 .2em;border-radius:.2em"
    return f'<span style="{style}">{escape_html(text)} <small>{_number(score)}</small></span>'


def _number(score: float | None) -> str:
    return "–" if score is None else f"{score:.0f}"
