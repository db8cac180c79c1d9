"""What a child is to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Order:
    """An import, and where it dies.

    how: "library", "command", or "forgetful" for an import that keeps no journal. base_url: of the server.
    file: to be imported. home: its working directory, where also its words go, to `out` and `err`.
    options: of `import_`, or of the command. idempotency: what the client is told about the server.
    crash: the point at which it kills itself, such as {"at": "before the intent", "nth": 3}; see `Crash`.
    """

    how: str
    base_url: str
    file: str
    home: str
    options: Mapping[str, Any] = field(default_factory=dict)
    idempotency: str | None = None
    crash: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return json.dumps(asdict(self))
