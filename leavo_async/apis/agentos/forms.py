"""What is sent to agentOS, checked before it goes out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticSerializationError, from_json, to_json

from leavo_async._sansio.validation import checked
from leavo_async.apis.agentos.models import Details
from leavo_async.apis.shapes import Given, email_address
from leavo_async.errors import ConfigError

F = TypeVar("F", bound="Form")

_WORDS = {"id": "ID", "oid": "OID"}
_UNFIT = object()


def _wire_name(name: str) -> str:
    return "".join(_WORDS.get(word, word.capitalize()) for word in name.split("_"))


def _plain(value: Any) -> Any:
    return value.model_dump() if isinstance(value, Details) else value


# agentOS names its limits in Swagger alone, which needs a key. Ours stop mistakes, such as a whole file in a field: no
# name, phone number, line of an address or id has 255 characters, and no message 20,000.
Line = Annotated[str, StringConstraints(max_length=255)]
Needed = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Prose = Annotated[str, StringConstraints(max_length=20_000)]
# The longest address that mail can carry: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.3
Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(email_address)]
# Given back as it came: whatever agentOS has put into it.
Allocation = Annotated[dict[str, Any], BeforeValidator(_plain)]


class Form(Given):
    """Fields by their Python names, or by agentOS's. Spaces around texts are dropped; what is empty is not sent."""

    model_config = ConfigDict(
        alias_generator=_wire_name,
        populate_by_name=True,
        loc_by_alias=False,
        str_strip_whitespace=True,
        revalidate_instances="always",  # its attributes may have been set since
    )

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: Any) -> Any:
        """Without the fields that somebody left empty, which web forms send as empty texts."""
        is_form = isinstance(given, Mapping)
        return {name: value for name, value in given.items() if value != ""} if is_form else given


class TenancyApplication(Form):
    """A person who applies for a lettings property.

    https://hub.agentos.com/how-do-i-use-the-v4-applicants-api-to-manage-tenancy-applications-
    """

    branch_id: Needed
    forename: Needed
    surname: Needed
    email_address: Email
    property_oid: Needed
    title: Line | None = None
    mobile_phone: Line | None = None
    home_phone: Line | None = None
    work_phone: Line | None = None
    message: Prose | None = None


class Guest(Form):
    """Somebody who comes to an appointment. oid: of a contact who is known already.

    Of the V3 specification, https://live-api.letmc.com/swagger/docs/v3-diary
    """

    forename: Line | None = None
    surname: Line | None = None
    email_address: Email | None = None
    mobile_phone: Line | None = None
    allow_marketing_correspondence: bool | None = None
    oid: Line | None = None


class DiaryAppointment(Form):
    """A V3 appointment. allocation_details: a free slot as `diary.allocations` gives it. appointment_type: its OID.

    Of the V3 specification, https://live-api.letmc.com/swagger/docs/v3-diary
    """

    allocation_details: Allocation
    appointment_type: Needed
    subject: Line | None = None
    extra_comments: Prose | None = None
    guests: list[Guest] = []


class IssueDocument(Form):
    """A document of an issue. url: a public one, from which agentOS fetches it."""

    mime_type: Line
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2048), Field(alias="URL")]


class MaintenanceIssue(Form):
    """A fault that a tenant reports, of the V3 maintenance API. external_id: your own, at most 10 characters.

    Of the V3 specification, https://live-api.letmc.com/swagger/docs/v3-maintenance, which requires nothing.
    """

    issue_title: Line | None = None
    issue_fault: Line | None = None
    issue_notes: Prose | None = None
    issue_priority: Literal["Low", "Medium", "High"] | None = None
    external_id: Annotated[str, StringConstraints(max_length=10)] | None = None
    reported_at: datetime | None = None
    property_address1: Line | None = None
    property_address2: Line | None = None
    property_address3: Line | None = None
    property_address4: Line | None = None
    property_postcode: Line | None = None
    property_country: Line | None = None
    tenant_title: Line | None = None
    tenant_forename: Line | None = None
    tenant_surname: Line | None = None
    tenant_email_address: Annotated[Email | None, Field(alias="TenantEMailAddress")] = None
    tenant_phone_primary: Line | None = None
    tenant_phone_secondary: Line | None = None
    tenant_presence_requested: bool | None = None
    documents: list[IssueDocument] | None = None


def filled(call: str, kind: type[F], form: Any) -> F:
    """The form, checked, made of a mapping if it is one; ConfigError that names the fields that do not fit.

    call: what the form is for, for the message.
    """
    if not isinstance(form, (Mapping, kind)):
        raise ConfigError(f"{call}: expected a {kind.__name__} or a mapping of its fields")
    return checked(kind, form, lambda reasons: ConfigError(f"{call}: {reasons}"))


def body_of(form: Form) -> dict[str, Any]:
    """What is sent of a form."""
    return form.model_dump(by_alias=True, exclude_defaults=True)


def wire_fields(call: str, fields: Any) -> dict[str, Any]:
    """Fields by agentOS's own names, of a form that is described in Swagger alone; so nothing is known to be needed.

    Raises ConfigError if there are none, or for what JSON in UTF-8 cannot express.
    """
    if not isinstance(fields, Mapping) or not fields:
        raise ConfigError(f"{call}: expected a mapping with the fields of the form, by their names in Swagger")
    names = enumerate(fields, 1)
    wrong = [f"field {n}" for n, name in names if not isinstance(name, str) or _read_once(name) is _UNFIT]
    read = {} if wrong else {name: _read_once(value) for name, value in fields.items()}
    wrong = wrong or [name for name, value in read.items() if value is _UNFIT]
    if wrong:
        raise ConfigError(f"{call}: {', '.join(wrong)}: JSON cannot express it")
    return read


def _read_once(value: Any) -> Any:
    """What is sent of a value; _UNFIT if JSON cannot express it. A generator has nothing left when it is read again."""
    try:
        return from_json(to_json(value))
    except (PydanticSerializationError, ValueError):  # the latter for half of a character pair
        return _UNFIT


def moment(name: str, value: Any) -> str:
    """A date, or a date and time, as agentOS reads it (ISO 8601); ConfigError for anything else.

    Without a time zone it is the agency's own time, as far as is known.
    """
    if not isinstance(value, date):
        raise ConfigError(f"{name}: expected a date or a datetime")
    return value.isoformat()


def period(start: date, end: date) -> dict[str, str]:
    """The parameters of a search between two moments; ConfigError if the second is before the first."""
    first, last = moment("start", start), moment("end", end)
    if _is_before(end, start):
        raise ConfigError("end: is before start")
    return {"startDate": first, "endDate": last}


def _is_before(one: date, other: date) -> bool:
    try:
        return one < other
    except TypeError:  # of a date and a datetime, or of one with and one without a zone, only the days can be compared
        return _day(one) < _day(other)


def _day(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value


def one_id(name: str, value: Any) -> str:
    """An id that stands in the query, where nothing would ask for all; ConfigError if it is none."""
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{name}: expected a non-empty text")
    return value


def ids(name: str, values: Any) -> list[str]:
    """Ids, one at least; ConfigError otherwise, also for a single text, which is a sequence of letters."""
    is_list = isinstance(values, (list, tuple, set, frozenset))
    if not is_list or not values or not all(isinstance(value, str) and value for value in values):
        raise ConfigError(f"{name}: expected a list of one id or more")
    return list(values)
