"""The rules of messages (https://doc.laabam.one/docs/messaging)."""

import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import cast

from leavo_async.sandbox.laabam.body import text
from leavo_async.sandbox.laabam.refused import invalid, outside_window

# The documents show digits with the country code and no plus; whether a plus is taken they do not say.
_PHONE = re.compile(r"[1-9][0-9]{6,14}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_INDIA = "91"

Check = Callable[[Mapping[str, object], Collection[str]], str]


def sms(given: Mapping[str, object], windows: Collection[str]) -> str:
    """Whom the SMS is to; `Refused` (400). India wants its sender, template and principal entity registered (DLT)."""
    to = _phone(given)
    # The documents require all three for India.
    required = ("message", "sender_id", "template_id", "pe_id") if to.startswith(_INDIA) else ("message",)
    for name in required:
        text(given, name)
    return to


def whatsapp(given: Mapping[str, object], windows: Collection[str]) -> str:
    """Whom the message is to; `Refused` (400). Free text is for those whose service window is open.

    Its field is `text`, inferred from how the documents mark the word. The type that goes with it is not known: any
    but "template" is taken.
    """
    to = _phone(given)
    if text(given, "type") == "template":
        _template(given.get("template"))
    elif text(given, "text") and to not in windows:
        raise outside_window()
    return to


def email(given: Mapping[str, object], windows: Collection[str]) -> str:
    """Whom the e-mail is to; `Refused` (400). Its other fields are not documented, so none is asked for."""
    to = text(given, "to")
    if not _EMAIL.fullmatch(to):
        raise invalid("to", "must be an e-mail address")
    return to


def checked_windows(windows: Collection[str]) -> Collection[str]:
    """The same collection; ValueError if it has a number that no `to` could equal."""
    if not all(_PHONE.fullmatch(number) for number in windows):
        raise ValueError("service_windows must hold numbers as `to` has them: digits with the country code and no plus")
    return windows


CHANNELS: Mapping[str, Check] = MappingProxyType({"sms": sms, "whatsapp": whatsapp, "email": email})


def _phone(given: Mapping[str, object]) -> str:
    to = text(given, "to")
    if not _PHONE.fullmatch(to):
        raise invalid("to", "must be digits with the country code and no plus")
    return to


def _template(given: object) -> None:
    if not isinstance(given, dict):
        raise invalid("template", "is required: an object with name, language and variables")
    template = cast("Mapping[str, object]", given)
    for name in ("name", "language"):
        text(template, name)
    if not isinstance(template.get("variables", []), list):
        raise invalid("variables", "must be a list")
