"""From the body of a request to what is to be scored; whatever is wrong is told at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from leavo_async.sandbox.bodies import json_object
from leavo_async.sandbox.language_confidence.audio import FORMATS
from leavo_async.sandbox.language_confidence.refused import fault, unprocessable
from leavo_async.sandbox.messages import Json


@dataclass(frozen=True, slots=True)
class Form:
    """What one kind of assessment takes. texts: required. objects: optional. longest: seconds of audio."""

    longest: float
    texts: tuple[str, ...] = ("audio_base64", "audio_format")
    objects: tuple[str, ...] = ()


def read_fields(body: bytes, form: Form) -> Mapping[str, str]:
    """The texts of the body by name; `Refused` (422)."""
    given = _object(body)
    if faults := [*_missing(given, form), *_wrong(given, form), *_extra(given, form)]:
        raise unprocessable(faults)
    return {name: str(given[name]) for name in form.texts}


def _object(body: bytes) -> Mapping[str, object]:
    try:
        return json_object(body)
    except ValueError:
        raise unprocessable([fault("json_invalid", "JSON decode error", "body")]) from None
    except TypeError:
        raise unprocessable([fault("model_attributes_type", "Input should be an object", "body")]) from None


def _missing(given: Mapping[str, object], form: Form) -> Iterator[Json]:
    return (fault("missing", "Field required", "body", name) for name in form.texts if name not in given)


def _wrong(given: Mapping[str, object], form: Form) -> Iterator[Json]:
    for name in form.texts:
        if name in given and not isinstance(given[name], str):
            yield fault("string_type", "Input should be a string", "body", name)
        elif given.get(name) == "":
            yield fault("string_too_short", "Input should not be empty", "body", name)
    if isinstance(given.get("audio_format"), str) and given["audio_format"] not in ("", *FORMATS):
        yield fault("enum", f"Input should be one of {', '.join(FORMATS)}", "body", "audio_format")
    for name in form.objects:
        if not isinstance(given.get(name, {}), dict):
            yield fault("dict_type", "Input should be an object", "body", name)


def _extra(given: Mapping[str, object], form: Form) -> Iterator[Json]:
    known = (*form.texts, *form.objects)
    return (
        fault("extra_forbidden", "Extra inputs are not permitted", "body", name) for name in given if name not in known
    )
