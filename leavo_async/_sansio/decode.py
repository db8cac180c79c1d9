"""From the bytes of a good answer to a value: wrapped in {"data": …} or bare, typed or plain."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Annotated, Any, Generic, NotRequired, TypeVar

import pydantic  # not from: TypeAdapter takes long to load, and whoever defines models pays for it there
from pydantic_core import ValidationError, from_json
from typing_extensions import TypedDict  # typing's own is not enough for pydantic before Python 3.12

from leavo_async._sansio.messages import Request, Response
from leavo_async._sansio.paging import Page, Paging, Parts
from leavo_async._sansio.profile import ApiProfile
from leavo_async._sansio.read import api_error
from leavo_async._sansio.validation import kinds_of
from leavo_async.errors import ConfigError, LeavoError, ProtocolError, ResponseValidationError

T = TypeVar("T")
_NOT_JSON = object()
_LIMITS = "no NaN or Infinity, 200 levels, 4,300 digits"

_NAN, _INFINITY = re.compile(b"NaN").search, re.compile(b"Infinity").search  # half of what bytes.find costs
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class _Envelope(TypedDict, Generic[T]):
    data: T
    success: NotRequired[bool]


def decode(profile: ApiProfile, request: Request, response: Response, cast_to: Any = None) -> Any:
    """The value of an answer; None for an empty body.

    cast_to: any type pydantic can validate; None gives plain dicts, lists, texts and numbers.
    Raises ProtocolError if the body is not JSON or about something else, ResponseValidationError if it is not of that
    shape, APIError if it reports a failure.
    """
    if not response.body or response.body.isspace():
        return _nothing(request, response, cast_to)
    if cast_to is None:
        value = _unwrapped(profile, _plain(profile, request, response))
    else:
        found = _validated(_validator(cast_to), profile, request, response)
        value = found["data"] if type(found) is dict and "data" in found else found
    if request.echo is not None:
        _check_echo(request, response, request.echo, value)
    return value


def page_decoder(profile: ApiProfile, paging: Paging, cast_to: Any) -> Callable[[Request, Response], Page]:
    """`decode_page` for a listing; ConfigError if the items cannot be of that type, before anything is sent."""
    try:
        _page_validator(paging.parts, cast_to)
        return partial(decode_page, profile, paging=paging, cast_to=cast_to)
    except Exception as error:  # noqa: BLE001  # pydantic has many, and unhashable types raise TypeError
        problem = type(error).__name__
    raise ConfigError(f"cast_to: not a type that pydantic can validate ({problem})")


def decode_page(profile: ApiProfile, request: Request, response: Response, paging: Paging, cast_to: Any = None) -> Page:
    """One page of a listing: a bare array, or an object that has it and says where the rest is, as `paging` knows.

    Errors as in `decode`.
    """
    parts = paging.parts
    found = _validated(_page_validator(parts, cast_to), profile, request, response)
    # Narrow types may leave out what tells one page from another.
    raw = None if cast_to is None else partial(_rows, response.body, parts)
    if isinstance(found, list):
        return Page(found, raw=raw)
    following, is_named = _part(found, parts.next)
    return Page(
        _part(found, parts.items)[0],
        total=_part(found, parts.total)[0],
        has_more=_part(found, parts.has_more)[0],
        next=(following or "") if is_named else None,
        raw=raw,
    )


def _rows(body: bytes, parts: Parts) -> Any:
    value = from_json(_text(body))
    return value if isinstance(value, list) else _part(value, parts.items)[0]


def _part(found: Mapping[str, Any], path: str) -> tuple[Any, bool]:
    """What stands at this path, None if nothing does; and whether it is named at all."""
    outer, _, name = path.rpartition(".")
    place = found.get(outer) if outer else found
    return (None, False) if not place or name not in place else (place[name], True)


# Making a validator costs a thousand times more than using it.
@lru_cache(maxsize=256)
def _validator(cast_to: Any) -> Callable[[bytes], Any]:
    # Wrapped first: that a bare object has no `data` is seen at once.
    wrapped: Any = _Envelope[cast_to]  # pyright: ignore[reportInvalidTypeForm]
    either: Any = Annotated[wrapped | cast_to, pydantic.Field(union_mode="left_to_right")]
    return pydantic.TypeAdapter[Any](either).validator.validate_json


@lru_cache(maxsize=256)
def _page_validator(parts: Parts, cast_to: Any) -> Callable[[bytes], Any]:
    items: Any = list[Any] if cast_to is None else list[cast_to]
    either: Any = Annotated[_page_type(parts, items) | items, pydantic.Field(union_mode="left_to_right")]
    return pydantic.TypeAdapter[Any](either).validator.validate_json


def _page_type(parts: Parts, items: Any) -> Any:
    """The type of an answer with its parts where they belong, at most one level down."""
    count = Annotated[int, pydantic.Field(ge=0)]
    cursor = Annotated[str, pydantic.Field(coerce_numbers_to_str=True)]
    levels: dict[str, dict[str, Any]] = {"": {"success": NotRequired[bool]}}
    for path, kind in ((parts.total, count), (parts.has_more, bool), (parts.next, cursor)):
        _into(levels, path, NotRequired[kind | None])
    holder = _into(levels, parts.items, items)
    top = levels.pop("")
    for name, inner in levels.items():
        kind = _typed_dict(inner)
        top[name] = kind if name == holder else NotRequired[kind | None]
    return _typed_dict(top)


def _into(levels: dict[str, dict[str, Any]], path: str, kind: Any) -> str:
    """Put a part into its level, the name of which is returned."""
    outer, _, name = path.rpartition(".")
    if name:
        levels.setdefault(outer, {})[name] = kind
    return outer


def _typed_dict(fields: dict[str, Any]) -> Any:
    make: Any = TypedDict  # with fields that are known at run time alone
    return make("Body", fields)


def _validated(validate: Callable[[bytes], Any], profile: ApiProfile, request: Request, response: Response) -> Any:
    body = _text(response.body)
    if _NAN(body) or _INFINITY(body):  # rarely, and then perhaps inside a text
        _plain(profile, request, response)
    try:
        found = validate(body)
    except ValidationError as error:
        problems = kinds_of(error)
    else:
        if not _reports_failure(found):
            return found
        problems = ("success: false",)
    raise _wrong_shape(profile, request, response, problems)


def _text(body: bytes) -> bytes:
    """Without the byte order mark that some servers put before their JSON (RFC 8259 §8.1 lets us ignore it)."""
    return body[3:] if body.startswith(b"\xef\xbb\xbf") else body


def _plain(profile: ApiProfile, request: Request, response: Response) -> Any:
    value = _json(response.body)
    if value is _NOT_JSON or _reports_failure(value):
        raise _wrong_shape(profile, request, response, ())
    return value


def _json(body: bytes) -> Any:
    try:
        return from_json(_text(body), allow_inf_nan=False)
    except ValueError:
        return _NOT_JSON


def _reports_failure(value: Any) -> bool:
    return isinstance(value, dict) and value.get("success") is False


def _unwrapped(profile: ApiProfile, value: Any) -> Any:
    """What stands under `data`, if nothing but the envelope's own names stands beside it."""
    if isinstance(value, dict) and "data" in value:
        return value["data"] if value.keys() - {"data"} <= profile.envelope else value
    return value


def _check_echo(request: Request, response: Response, echo: tuple[str, str], value: Any) -> None:
    """An answer about another thing than was asked for is somebody else's: of another call, or of another tenant."""
    name, asked = echo
    found = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
    if found is not None and str(found) != asked and not _is_same_uuid(str(found), asked):
        raise _unreadable(request, response, f"the answer has another {name} than was asked for", max_repeats=1)


def _is_same_uuid(found: str, asked: str) -> bool:
    """In another letter case it is the same UUID (RFC 9562 §4); other ids may differ by nothing else."""
    return found.lower() == asked.lower() and _UUID.fullmatch(asked) is not None


def _nothing(request: Request, response: Response, cast_to: Any) -> None:
    if cast_to is not None:
        raise _unreadable(request, response, "the server reported success, but its answer is empty", max_repeats=1)


def _wrong_shape(profile: ApiProfile, request: Request, response: Response, problems: tuple[str, ...]) -> LeavoError:
    """A failure in the clothes of a success, or a body that is not what was promised."""
    value = _json(response.body)
    if value is _NOT_JSON:
        return _not_json(request, response)
    if _reports_failure(value):
        return api_error(profile, request, response)
    error = ResponseValidationError(f"{request}: the answer is not what was promised: {'; '.join(problems[:3])}")
    error.problems = problems
    return error


def _not_json(request: Request, response: Response) -> ProtocolError:
    problem, max_repeats = "the answer is not JSON", 1
    if _text(response.body).lstrip()[:1] == b"<":
        # Of a proxy, a captive portal or a login page: it will say the same again.
        problem, max_repeats = "the answer is a page of HTML or XML, not JSON; check base_url", 0
    elif _was_meant(response.body):
        problem, max_repeats = f"the answer is not JSON that can be read: {_LIMITS}", 0
    return _unreadable(request, response, problem, max_repeats=max_repeats)


def _was_meant(body: bytes) -> bool:
    """Whether the server has written just that: no byte of it was lost on the way, and the next answer is the same."""
    try:
        from_json(_text(body))  # with NaN and Infinity it is well-formed
        return True
    except ValueError as error:
        # Words of jiter, which reads the JSON.
        return "recursion limit" in str(error) or "out of range" in str(error)


def _unreadable(request: Request, response: Response, problem: str, *, max_repeats: int) -> ProtocolError:
    error = ProtocolError(f"{request}: {problem}")
    error.status = response.status
    error.outcome = "done"
    error.max_repeats = max_repeats
    return error
