"""The form of idempotency keys."""

from __future__ import annotations

import re

from leavo_async.errors import ConfigError
from leavo_async.options import CallOptions

_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def checked_key(options: CallOptions) -> CallOptions:
    """The options of a write; ConfigError for a key that is no UUID: https://doc.laabam.one/api/ takes nothing else."""
    key = options.get("idempotency_key")
    if key is not None and not _UUID.fullmatch(str(key)):
        raise ConfigError("idempotency_key: Laabam takes a UUID, such as str(uuid.uuid4()) gives")
    return options
