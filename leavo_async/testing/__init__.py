"""For tests: a fake transport, a loop whose waits take no time, and a proxy that makes the network bad."""

from leavo_async.testing.fake_transport import FakeTransport, reply
from leavo_async.testing.fault_proxy import FaultProxy
from leavo_async.testing.virtual_time_loop import VirtualTimeLoop, virtual_time
from leavo_async.testing.weather import Weather

__all__ = ["FakeTransport", "FaultProxy", "VirtualTimeLoop", "Weather", "reply", "virtual_time"]
