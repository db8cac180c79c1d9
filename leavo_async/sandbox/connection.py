"""How a connection is torn down so that the other side notices."""

import os
import socket
import struct
from contextlib import suppress

from aiohttp import web

# Linger for zero seconds: closing throws away what is unsent and sends RST instead of FIN (socket(7), SO_LINGER).
# Windows has 16-bit fields there.
_LINGER_ZERO = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


def reset(request: web.Request) -> None:
    """Abort the request's connection, with a TCP reset where the system can."""
    transport = request.transport
    if transport is None:
        return
    with suppress(OSError, AttributeError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()
