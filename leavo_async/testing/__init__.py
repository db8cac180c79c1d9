"""For tests: a fake transport and a loop whose waits take no time."""

from leavo_async.testing.fake_transport import FakeTransport, reply
from leavo_async.testing.virtual_time_loop import VirtualTimeLoop, virtual_time

__all__ = ["FakeTransport", "VirtualTimeLoop", "reply", "virtual_time"]
