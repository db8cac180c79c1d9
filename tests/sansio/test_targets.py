"""URLs that the server will call."""

from __future__ import annotations

import pytest

from leavo_async import ConfigError
from leavo_async._sansio.targets import checked_target


@pytest.mark.parametrize(
    "url", ["https://example.com/hook", "https://hooks.example.com:8443/a?b=c", "https://93.184.216.34/x"]
)
def test_a_public_target_passes(url: str) -> None:
    """As the server can reach it."""
    checked_target(url, "url")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com/",
        "example.com",
        "https:///x",
        "https://[::1",
        "",
        5,
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://localhost./x",
        "https://10.1.2.3/",
        "https://192.168.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://printer.local/",
        "https://vault.internal/",
        "https://intranet/",
    ],
)
def test_a_private_or_unencrypted_target_is_refused(url: object) -> None:
    """The server would call it from its own net, where it means something else."""
    with pytest.raises(ConfigError, match=r"^url: "):
        checked_target(url, "url")
