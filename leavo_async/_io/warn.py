"""Warnings that point at the code of the user, where they can be acted on."""

from __future__ import annotations

import inspect
import warnings


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """A warning at the line that has called this package."""
    warnings.warn(text, category, stacklevel=_level_of_the_user())


def _level_of_the_user() -> int:
    frame, level = inspect.currentframe(), 0
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == "leavo_async":
        frame, level = frame.f_back, level + 1
    return level
