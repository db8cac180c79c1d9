"""`python -m leavo_async` is the `leavo` command."""

from leavo_async.cli import main

main()
