"""From a call to a request: URL, headers without credentials, body, idempotency key. Bad input ends here."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlencode, urlsplit

from pydantic_core import PydanticSerializationError, from_json, to_json

from leavo_async._sansio.fields import HeaderRule, check_rules, checked_headers, merged_headers
from leavo_async._sansio.idempotency import Honoured, Repeat, checked_idempotency_key, is_write, repeat_of
from leavo_async._sansio.messages import JsonText, Lookup, Request
from leavo_async._sansio.paths import checked_path, filled, is_path
from leavo_async._sansio.routes import PLAIN, Route, route_of
from leavo_async._sansio.targets import checked_target
from leavo_async._sansio.text import has
from leavo_async.errors import ConfigError

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
# A name or an address, and perhaps a port: other parsers could take anything else for another host.
_PLACE = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::[0-9]+)?")
_KEY_PARAMS = frozenset({"api_key", "api-key", "access_token"})  # RFC 6750 §2.3 has the last one, and warns of it
_PURE, _KEYED = Repeat.PURE, Repeat.KEYED  # to ask an Enum for its members costs each request
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Rules(NamedTuple):
    """What holds for all requests of a session.

    routes: those of the profile. honoured: what the server does with idempotency keys; key_lasts: for how many seconds.
    read_only: refuse every write. private_targets: let the server be told to call private addresses.
    path_params: what stands for a {name} in a path. headers: gives fields that every call has, when it is made.
    header_rules: what the API demands of fields. signing: names of fields and parameters that sign, in small letters.
    """

    base_url: str
    routes: tuple[Route, ...] = ()
    honoured: Honoured = "unknown"
    key_lasts: float = math.inf
    read_only: bool = False
    private_targets: bool = False
    path_params: Mapping[str, str] = MappingProxyType({})
    headers: Callable[[], Mapping[str, str]] | None = None
    header_rules: tuple[HeaderRule, ...] = ()
    signing: frozenset[str] = frozenset()


def encode(
    rules: Rules,
    method: str,
    path: str,
    *,
    params: Mapping[str, Any] | None = None,
    json: Any = None,
    headers: Mapping[str, str] | None = None,
    path_params: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
    new_key: Callable[[], str],
) -> Request:
    """The request of one call, the same for all its attempts.

    path: starts with "/", its segments already quoted (see `segment`), or {names} of path_params. params: None values
    are left out, lists repeat the name. json: anything pydantic can write. Raises ConfigError for whatever cannot be
    sent.
    """
    if "{" in path:
        path = filled(path, rules.path_params, path_params)
    sent = _headers(rules, headers) if headers or rules.headers or rules.header_rules else {}
    body = None if json is None else json_bytes(json)
    if body is not None and not any(name.lower() == "content-type" for name in sent):
        sent["Content-Type"] = "application/json"
    key = _key(rules, method, path, idempotency_key, new_key)
    if key is not None:
        sent["Idempotency-Key"] = key
    route = route_of(rules.routes, method, path)
    if route is PLAIN:  # a path that fits a route is checked by that
        checked_path(path)
    url = f"{rules.base_url}{path}{_query(params, rules.signing) if params else ''}"
    if route is PLAIN and key is None:
        return Request(_checked_method(method), path, url, sent, body)
    # As it will be sent: it may have been given as a model or a dataclass.
    fields = None if body is None or not (route.callbacks or route.lookup) else from_json(body)
    if not rules.private_targets:
        _checked_targets(route, fields)
    repeat = _PURE if key is None and route.repeat is None else repeat_of(method, rules.honoured, route.repeat)
    # By position: names cost each request as much as all else here.
    return Request(
        _checked_method(method),
        path,
        url,
        sent,
        body,
        key,
        repeat is _PURE or repeat is _KEYED,  # repeatable
        route.groups,
        _lookup(route, fields, rules, path_params) if route.lookup is not None and repeat is Repeat.NATURAL else None,
        rules.key_lasts if repeat is _KEYED else math.inf,
        None if route.echo is None else route.echoed(path),
        idempotency_key is not None,  # key_is_named
    )


def _lookup(route: Route, fields: Any, rules: Rules, own: Mapping[str, str] | None) -> Lookup | None:
    """How to find what this call makes, in the place to which it goes."""
    found = route.looked_up(fields)
    return found and replace(found, path=filled(found.path, {**rules.path_params, **(own or {})}))


def _checked_targets(route: Route, fields: Any) -> None:
    for name in route.callbacks:
        if isinstance(fields, dict) and fields.get(name) is not None:
            checked_target(fields[name], name)


def checked_base_url(url: str, *, loopback_http: bool) -> str:
    """Scheme and host of an API, without a trailing slash.

    Raises ConfigError unless it is https, or http to this machine and `loopback_http` says so.
    """
    parts = _split(url)
    if parts.scheme == "http" and not (loopback_http and parts.hostname in _LOOPBACK):
        raise ConfigError(
            f"base_url: {parts.scheme}://{parts.hostname or ''} is not encrypted, the key would travel in clear text: "
            "use https (allow_insecure_loopback=True, or --allow-insecure-loopback, permits http to 127.0.0.1)"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError("base_url: expected https://host, without query")
    if parts.username is not None or parts.password is not None:
        raise ConfigError("base_url: must not hold a user name or password")
    if not (url.isascii() and url.isprintable()) or " " in url or not _PLACE.fullmatch(parts.netloc):
        raise ConfigError("base_url: expected https://host, or https://host:port, in visible ASCII characters alone")
    if parts.path.strip("/") and not is_path(parts.path):
        raise ConfigError('base_url: its path must be made of quoted segments, without ".."')
    return url.rstrip("/")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if it is none
        return parts
    except ValueError:
        problem = "base_url: not a URL"
    raise ConfigError(f"{problem}; expected https://host")


def _checked_method(method: str) -> str:
    if method not in _METHODS:
        raise ConfigError(f"method: expected one of {', '.join(sorted(_METHODS))}")
    return method


def _key(rules: Rules, method: str, path: str, given: str | None, new_key: Callable[[], str]) -> str | None:
    if not is_write(method):
        return None if given is None else checked_idempotency_key(given)
    if rules.read_only:
        raise ConfigError(f"{_checked_method(method)} {checked_path(path)}: the session is read-only (read_only=True)")
    return new_key() if given is None else checked_idempotency_key(given)


def _headers(rules: Rules, own: Mapping[str, str] | None) -> dict[str, str]:
    common = rules.headers() if rules.headers else {}
    sent = checked_headers(merged_headers(common, own), rules.signing)
    check_rules(rules.header_rules, sent)
    return sent


def json_bytes(value: Any) -> bytes:
    """The value as JSON; ConfigError, without the value, if JSON cannot express it."""
    if type(value) is JsonText:
        return bytes(value)
    problem = ""
    try:
        body = to_json(value)
        if has(body, b"NaN") or has(body, b"Infinity"):  # rarely, and then perhaps inside a text
            from_json(body, allow_inf_nan=False)
        return body
    except PydanticSerializationError:
        problem = "holds a value that JSON cannot express"
    except ValueError:
        problem = "holds NaN or Infinity, which JSON cannot express"
    # Raised outside the block: the cause would show the value, which may be personal data.
    raise ConfigError(f"json: {problem}")


def _query(params: Mapping[str, Any], signing: frozenset[str]) -> str:
    if not (_KEY_PARAMS | signing).isdisjoint(str(name).lower() for name in params):
        raise ConfigError("params: a key does not belong into a URL, where logs and proxies keep it")
    pairs = [(name, _word(item)) for name, value in params.items() for item in _items(value)]
    try:
        return f"?{urlencode(pairs)}" if pairs else ""
    except UnicodeEncodeError:
        problem = "params: a text holds half of a character pair, which UTF-8 cannot express"
    raise ConfigError(problem)


def _items(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
