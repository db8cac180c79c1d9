"""Paths that can only mean themselves, and {names} in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from leavo_async._sansio.routes import SEGMENT
from leavo_async.errors import ConfigError

_PATH = re.compile(rf"(?:/{SEGMENT})++/?")
_PLAIN = re.compile(r"[A-Za-z0-9_~-]+")
_NAME = re.compile(r"\{(\w+)\}")


def is_path(path: str) -> bool:
    """Whether it is made of quoted segments, none of which climbs."""
    return _PATH.fullmatch(path) is not None


def checked_path(path: str) -> str:
    """The path, if it can only mean itself; ConfigError otherwise."""
    if not is_path(path):
        raise ConfigError(
            'path: expected "/" and quoted segments, without "..", "?" or "#" (parameters go into params=)'
        )
    return path


def segment(value: Any, name: str = "id") -> str:
    """One path segment, quoted; ConfigError if it is no text, empty, "." or "..", or holds control characters."""
    if not isinstance(value, str):
        raise ConfigError(f"{name}: expected a text")
    if _PLAIN.fullmatch(value):
        return value  # as nearly every id is
    if not value or value in (".", "..") or not value.isprintable():
        raise ConfigError(f"{name}: expected a non-empty text without control characters, other than '.' and '..'")
    return quote(value, safe="")


def filled(path: str, common: Mapping[str, str], own: Mapping[str, str] | None = None) -> str:
    """The path with the value of each {name} in its place, as one quoted segment; the call's own before the common one.

    Raises ConfigError for a name without a value, or with one that cannot be a segment; and for one of the call's own
    that the path does not have: mistyped, the common value would go out in its place, to somebody else.
    """
    names = _NAME.findall(path)
    if names and own and (unknown := [name for name in own if name not in names]):
        raise ConfigError(f"path_params: {path} has no {{{unknown[0]}}}")
    for name in names:
        value: Any = common.get(name) if own is None or name not in own else own[name]
        if value is None:
            raise ConfigError(
                f"path: no value for {{{name}}}: pass path_params={{{name!r}: ...}} to the session or call"
            )
        if not isinstance(value, str):
            raise ConfigError(f"path_params: {name} must be a text")
        path = path.replace(f"{{{name}}}", segment(value, name))
    return path


def checked_path_params(params: Any) -> Mapping[str, str]:
    """Values for {names} of paths; ConfigError if one cannot be a segment."""
    if not isinstance(params, Mapping) or not all(isinstance(value, str) for value in params.values()):
        raise ConfigError("path_params: expected a mapping of names to texts")
    for name, value in params.items():
        segment(value, f"path_params: {name}")
    return params
