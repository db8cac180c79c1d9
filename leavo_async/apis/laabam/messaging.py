"""The calls that send messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from leavo_async._sansio.paths import segment
from leavo_async._sansio.unset import UNSET, Unset, given
from leavo_async._sansio.validation import checked
from leavo_async.apis.laabam.imports import SMS
from leavo_async.apis.laabam.keys import checked_key
from leavo_async.apis.laabam.messages import Message, NewEmail, NewSms, NewWhatsApp, Template
from leavo_async.apis.laabam.models import Fields
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.options import ImportOptions
from leavo_async.bulk.report import Report
from leavo_async.errors import ConfigError
from leavo_async.options import CallOptions
from leavo_async.session import Session


class MessagesResource:
    """SMS, WhatsApp and e-mail in the name of one company, `LaabamClient(company=...)`.

    The server accepts a message (202) before it delivers it: a call that returns says nothing about the delivery, which
    webhooks tell. Accepted once, a message goes out once: a repeated attempt carries the same idempotency key.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def sms(
        self,
        *,
        to: str,
        message: str,
        sender_id: str | Unset = UNSET,
        template_id: str | Unset = UNSET,
        pe_id: str | Unset = UNSET,
        type: str | Unset = UNSET,  # noqa: A002  # the API's own word
        **options: Unpack[CallOptions],
    ) -> Message:
        """The message, accepted and not yet delivered.

        to: with country code; a + before it and what stands between the digits are dropped. sender_id, template_id,
        pe_id: of your DLT registration, needed for India (+91). There the text must be that of the registered template,
        which only the server can tell. type: such as "transactional".
        Raises ConfigError for a number or a text that cannot be one, and for India without those three.
        """
        fields = dict(to=to, message=message, sender_id=sender_id, template_id=template_id, pe_id=pe_id, type=type)
        return await self._send("sms", NewSms, given(fields), options)

    async def import_sms(self, source: object, **options: Unpack[ImportOptions]) -> Report:
        """What became of each row of a file, a data frame or an iterable, once each is an SMS or cannot be one.

        source: CSV, JSON Lines or Parquet, as a path; a data frame; an iterable or async iterable of mappings. Its
        columns are named like the fields of `sms`, or mapped: map={"to": "Mobile"}. options: see ImportOptions.

        The same call again goes on where it was left, whatever ended it; a finished import is not done twice. Each row
        goes out once: its idempotency key is repeated with it, for 19 of the 24 hours for which the server knows it,
        and after that a row of unknown outcome is held for you. Two rows with the same text to the same number are two
        messages; same_by=("to", "message") makes them one. When the daily cap is reached it stops: `report.stopped_by`
        says until when, and the rows that are left stay to be sent. See BulkJob for the promise.
        Raises ConfigError before anything is sent, JournalError if the journal cannot be written any more.
        """
        return await BulkJob(self._session, SMS, source, **options).run()

    async def whatsapp(
        self,
        *,
        to: str,
        template: Template | None = None,
        text: str | None = None,
        in_service_window: bool = False,
        **options: Unpack[CallOptions],
    ) -> Message:
        """The message, accepted and not yet delivered.

        to: as for `sms`; the recipient must have opted in. template: what a business may begin with. text: free text,
        delivered only within 24 hours after the recipient has written; in_service_window=True says that this is so.
        That free text goes with the type "text" is inferred; the rest: https://doc.laabam.one/docs/messaging
        Raises ConfigError unless there is either a template or a text, and for a text outside of that window.
        """
        if (template is None) == (text is None):
            raise ConfigError("messages.whatsapp: pass either template= or text=")
        if template is not None:
            fields: dict[str, Any] = dict(to=to, type="template", template=template)
        elif in_service_window:
            fields = dict(to=to, type="text", text=text)
        else:
            raise ConfigError(
                "messages.whatsapp: free text is delivered only within 24 hours after the recipient has written: pass "
                "in_service_window=True if that is so, or send a template"
            )
        return await self._send("whatsapp", NewWhatsApp, fields, options)

    async def email(self, *, to: str, fields: Mapping[str, Any], **options: Unpack[CallOptions]) -> Message:
        """The message, accepted and not yet delivered.

        fields: subject, text and so on, sent as they are. Their names, and the path, are inferred or yours to know: the
        part of the documents that could be read ends before them. Raises ConfigError if `to` is no e-mail address.
        """
        return await self._send("email", NewEmail, {**fields, "to": to}, options)

    async def status(self, message_id: str, **options: Unpack[CallOptions]) -> Message:
        """What has become of a message; NotFoundError if there is none. The path is inferred."""
        path = f"/messaging/{{company}}/messages/{segment(message_id, 'message_id')}"
        found: Message = await self._session.request("GET", path, cast_to=Message, **options)
        return found

    async def _send(
        self, channel: str, model: type[Fields], fields: Mapping[str, Any], options: CallOptions
    ) -> Message:
        message = checked(model, fields, lambda reasons: ConfigError(f"messages.{channel}: {reasons}"))
        body = message.model_dump(exclude_unset=True)
        path = f"/messaging/{{company}}/{channel}"
        accepted: Message = await self._session.request(
            "POST", path, json=body, cast_to=Message, **checked_key(options)
        )
        return accepted
