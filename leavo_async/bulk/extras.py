"""Packages that are there if the user wants them: none is imported before something needs it."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def optional(name: str) -> Any:
    """The module of this name; None if it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        return None
