"""Waits: the only places where the library awaits the outside world. Nothing here decides."""
