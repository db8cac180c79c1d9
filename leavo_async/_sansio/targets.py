"""Whether a URL that the server will call is one that it can and may call."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from leavo_async.errors import ConfigError

# Names that mean this machine or a private net: RFC 6761 §6.3, RFC 6762 §3, RFC 8375, and ICANN's .internal.
_PRIVATE_NAMES = ("localhost", "local", "internal", "home.arpa")


def checked_target(url: object, name: str) -> None:
    """Raise ConfigError unless the URL is https to a public host.

    The server would call it from its own net: a private address leads to somewhere else there, or to its secrets.
    name: of the field, for the message. A name is not resolved, so one that points to a private address passes.
    """
    parts = _split(url)
    if parts is None or parts.scheme != "https" or not parts.hostname:
        raise ConfigError(f"{name}: expected https://host/path, which the server will call")
    if _is_private(parts.hostname):
        raise ConfigError(f"{name}: the server cannot call a private or loopback address; give a public https URL")


def _split(url: object) -> SplitResult | None:
    try:
        return urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        return None


def _is_private(host: str) -> bool:
    host = host.rstrip(".")
    try:
        return not ip_address(host).is_global
    except ValueError:
        # Without a dot it is a name of the local net; digits alone are an address in one of its old forms.
        last = host.rpartition(".")[2]
        return "." not in host or last.isdigit() or any(f".{host}".endswith(f".{name}") for name in _PRIVATE_NAMES)
