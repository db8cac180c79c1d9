"""`leavo jobs`: its commands, their options and their help."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from leavo_async.cli.connection import connection_options
from leavo_async.cli.job_options import connection_of, display_of, display_options, options_of, stoppable
from leavo_async.cli.jobs_run import (
    list_jobs,
    purge_job,
    reconcile_job,
    redrive_job,
    resume_job,
    show_status,
    write_failures,
    write_report,
)
from leavo_async.cli.running import run


@click.group()
def jobs() -> None:
    """Imports that were begun: how they stand, and going on with them. JOB is an id, or the beginning of one."""


@jobs.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def jobs_list(as_json: bool) -> None:
    """List all jobs, the latest first."""
    run(list_jobs(as_json=as_json))


@jobs.command("status")
@click.argument("job", required=False)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def jobs_status(job: str | None, as_json: bool) -> None:
    """Tell how a job stands, also while it runs. Default: the one that is not finished."""
    run(show_status(job, as_json=as_json))


@jobs.command("resume")
@click.argument("job", required=False)
@display_options
@connection_options
def jobs_resume(job: str | None, **told: Any) -> None:
    """Go on with a job, where it was left; its file is not needed. Default: the one that is not finished."""
    run(stoppable(partial(resume_job, job, connection_of(told), display_of(told), options_of(told))))


@jobs.command("failures")
@click.argument("job", required=False)
@click.option("--output", "-o", metavar="FILE", help="Default: standard output.")
def jobs_failures(job: str | None, output: str | None) -> None:
    """Write the rows that are not there, with all their columns and the reason, as CSV."""
    run(write_failures(job, output))


@jobs.command("redrive")
@click.argument("job")
@click.argument("mended", required=False)
@display_options
@connection_options
def jobs_redrive(job: str, mended: str | None, **told: Any) -> None:
    """Send rows anew that have failed: as they stand in MENDED, a mended file of `failures`, or as they are."""
    run(stoppable(partial(redrive_job, job, mended, connection_of(told), display_of(told), options_of(told))))


@jobs.command("reconcile")
@click.argument("job")
@click.option("--resend", type=int, multiple=True, metavar="ROW", help="It is not there: send it again.")
@click.option("--done", type=int, multiple=True, metavar="ROW", help="It is there.")
@display_options
@connection_options
def jobs_reconcile(job: str, resend: tuple[int, ...], done: tuple[int, ...], **told: Any) -> None:
    """Settle rows of unknown outcome, held or not: as you say, or by looking them up once more."""
    run(stoppable(partial(reconcile_job, job, resend, done, connection_of(told), display_of(told), options_of(told))))


@jobs.command("report")
@click.argument("job", required=False)
@click.option("--html", metavar="FILE", required=True, help="Where to write the page.")
def jobs_report(job: str | None, html: str) -> None:
    """Write the report of a job as a page with plots."""
    run(write_report(job, html))


@jobs.command("purge")
@click.argument("job")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def jobs_purge(job: str, yes: bool) -> None:
    """Remove the journal of a job: it holds people's data, and without it nobody can go on."""
    run(purge_job(job, yes=yes))
