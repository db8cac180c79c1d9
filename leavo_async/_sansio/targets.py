"""Whether a URL that the server will call is one that it can and may call."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from leavo_async.errors import ConfigError

# Two labels at least, the last of which begins with a letter: with a digit it is an address in one of its old
# forms, what has no dot a name of the local net. Other scripts come as "xn--" (RFC 5890).
_NAME = re.compile(r"(?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*")
_AMBIGUOUS = re.compile(r"[\\\s]")  # of such a place, one parser sees another host than the next one
_IPV4 = 0xFFFFFFFF
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1
# Names that mean this machine or a private net: RFC 6761 §6.3, RFC 6762 §3, RFC 8375, and ICANN's .internal.
_PRIVATE_NAMES = ("localhost", "local", "internal", "home.arpa")


def checked_target(url: object, name: str) -> None:
    """Raise ConfigError unless the URL is https to a public host.

    The server would call it from its own net: a private address leads to somewhere else there, or to its secrets.
    name: of the field, for the message. A name is not resolved, so one that points to a private address passes.
    """
    parts = _split(url)
    if parts is None or parts.scheme != "https" or not parts.hostname or _AMBIGUOUS.search(parts.netloc):
        raise ConfigError(f"{name}: expected https://host/path, which the server will call")
    if _is_private(parts.hostname):
        raise ConfigError(f"{name}: the server cannot call a private or loopback address; give a public https URL")


def _split(url: object) -> SplitResult | None:
    try:
        return urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        return None


def _is_private(host: str) -> bool:
    host = host.rstrip(".").lower()
    try:
        return not _reached(host).is_global
    except ValueError:
        return _NAME.fullmatch(host) is None or any(f".{host}".endswith(f".{name}") for name in _PRIVATE_NAMES)


def _reached(host: str) -> IPv4Address | IPv6Address:
    """The address that is really called: some of IPv6 stand for one of IPv4. ValueError if it is none."""
    address = ip_address(host)
    if isinstance(address, IPv4Address):
        return address
    packed = int(address)
    if address in _NAT64 or packed <= _IPV4:
        return IPv4Address(packed & _IPV4)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)
