"""Messages, as they come and as they go, with the rules of each channel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from leavo_async.apis.laabam.models import Fields
from leavo_async.apis.shapes import Answer, Email, Id, Text, Words

_INDIA = "91"  # no other country's code begins with it: ITU-T E.164
# "919800000000" at https://doc.laabam.one/docs/messaging; no more than 15 digits: ITU-T E.164. India's numbers have ten
# behind the code (National Numbering Plan, 2003), so that a shorter one is a number of ten digits without it.
_NUMBER = re.compile(rf"(?!{_INDIA}[0-9]{{0,9}}\Z)[1-9][0-9]{{6,14}}")
# What people write before and between the digits.
_PUNCTUATION = re.compile(r"^\s*\+|[\s().\-/]+")
_TRUNK = "(0)"  # as in +44 (0)20: only who calls from inside of the country dials it
# "sender_id / template_id / pe_id are required for India DLT": https://doc.laabam.one/docs/messaging
_DLT = ("sender_id", "template_id", "pe_id")


def _number(value: str) -> str:
    digits = _PUNCTUATION.sub("", value)
    if _TRUNK in value or not _NUMBER.fullmatch(digits):
        raise PydanticCustomError("phone", "is not a number with country code, such as 919800000000")
    return digits


Number = Annotated[str, AfterValidator(_number)]


class Message(Answer):
    """A message that the server has accepted; repr shows neither text nor recipient.

    channel: sms, whatsapp or email. status: the documents show "sent" right after the call, which is no delivery.
    """

    shown = ("id", "channel", "status", "created_at")

    id: Id
    channel: str | None = None
    status: str | None = None
    to: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A WhatsApp template that Meta has approved, such as Template("invoice_due", "en", ["Acme", "3540.00"]).

    language: its code there. variables: texts, in the order of the template; repr does not show them.
    """

    name: str
    language: str
    variables: Sequence[str] = field(default=(), repr=False)


class NewSms(Fields):
    """An SMS to be sent; what India needs is checked, what its templates say only the server knows."""

    to: Number
    message: Words
    sender_id: Text | None = None
    template_id: Text | None = None
    pe_id: Text | None = None
    type: Text | None = None

    @model_validator(mode="after")
    def _is_registered(self) -> NewSms:
        missing = ", ".join(name for name in _DLT if getattr(self, name) is None)
        if missing and self.to.startswith(_INDIA):
            raise PydanticCustomError(
                "dlt", "{missing}: needed for India (+91), from your DLT registration", {"missing": missing}
            )
        return self


class NewTemplate(Fields):
    """The fields of a Template."""

    model_config = ConfigDict(from_attributes=True)

    name: Text
    language: Text
    variables: list[str]


class NewWhatsApp(Fields):
    """A WhatsApp message to be sent: a template or free text."""

    to: Number
    type: str
    template: NewTemplate | None = None
    text: Words | None = None


class NewEmail(Fields):
    """An e-mail to be sent; its other fields are not known, and sent as they are."""

    model_config = ConfigDict(extra="allow")

    to: Email
