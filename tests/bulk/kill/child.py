"""What is killed: a process that imports a file, and may be told where to kill itself.

It is forked from one that has imported everything already, so that a kill costs milliseconds. Run as a script, it reads
one order a line on stdin (`Order` as JSON), and answers the pid of the child and, once that is dead, its status.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any, NoReturn

from crashes import Crash  # its neighbour: this file is a script
from order import Order

from leavo_async import LeavoClient, NewLead
from leavo_async.bulk.sources import open_source
from leavo_async.cli.commands import leavo as command


def serve() -> None:
    """Carry out one order after the other, until stdin ends."""
    for line in sys.stdin:
        if not (pid := os.fork()):
            _be(Order(**json.loads(line)))
        print(pid, flush=True)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        print(ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status, flush=True)
        # Only when whoever might still kill it has said that it is done with it: until then the pid is nobody else's.
        sys.stdin.readline()
        os.waitpid(pid, 0)


def _be(order: Order) -> NoReturn:
    os.chdir(order.home)
    for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, "out", _ANEW), (2, "err", _ANEW)):
        os.dup2(os.open(name, flags, 0o600), number)
    os.environ.update(LEAVO_STATE_DIR=f"{order.home}/state", LEAVO_API_KEY="sandbox-key", COLUMNS="200")
    code = 1
    try:
        if order.crash is not None:
            Crash(**order.crash)
        code = _HOW[order.how](order)
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:  # its story is told by the parent
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


_ANEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def _command(order: Order) -> int:
    options = [part for name, value in order.options.items() for part in (f"--{name}", str(value))]
    place = ["--base-url", order.base_url, "--allow-insecure-loopback", "--limit", "60000"]
    shown = ["--json", "--progress", "none", "--rejects", "rejects.csv"]
    command(["import", order.file, *place, *shown, *options], prog_name="leavo")
    raise AssertionError("click ends with SystemExit")


def _client(order: Order) -> LeavoClient:
    settings: dict[str, Any] = {"limits": (), "idempotency": order.idempotency, "allow_insecure_loopback": True}
    return LeavoClient(base_url=order.base_url, **settings)


def _library(order: Order) -> int:
    async def main() -> Any:
        async with _client(order) as leavo:
            return await leavo.leads.import_(order.file, **order.options)

    report = asyncio.run(main())
    print(json.dumps(dict(report.counts)))
    return 0 if report.is_finished else 7


def _forgetful(order: Order) -> int:
    """As a script would do it: send each row, and after a kill begin anew."""

    async def main() -> None:
        async with _client(order) as leavo:
            with open_source(order.file) as source:
                rows = [row.values for row in source if row.problem is None]
            leads = (NewLead(name=row["name"], phone=row["phone"]) for row in rows if row["phone"].startswith("+"))
            await asyncio.gather(*(leavo.leads.create_from(lead) for lead in leads), return_exceptions=True)

    asyncio.run(main())
    return 0


_HOW = {"library": _library, "command": _command, "forgetful": _forgetful}


if __name__ == "__main__":
    serve()
