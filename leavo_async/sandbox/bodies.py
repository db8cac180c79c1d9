"""JSON in and out."""

import json
from collections.abc import Mapping
from typing import NoReturn, cast

from leavo_async.sandbox.messages import Answer

_JSON = {"Content-Type": "application/json"}


def json_answer(status: int, value: object, headers: Mapping[str, str] = _JSON) -> Answer:
    """An answer whose body is this value."""
    return Answer(status, json.dumps(value).encode(), {**_JSON, **headers})


def json_value(body: bytes) -> object:
    """What the body says. ValueError if it is not JSON."""
    try:
        return json.loads(body, parse_constant=_no_constant)
    except RecursionError:
        pass
    raise ValueError("nested too deeply")


def json_object(body: bytes) -> Mapping[str, object]:
    """The object that the body is. ValueError if it is not JSON, TypeError if it is another value."""
    value = json_value(body)
    if not isinstance(value, dict):
        raise TypeError("must be a JSON object")
    return cast("Mapping[str, object]", value)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
