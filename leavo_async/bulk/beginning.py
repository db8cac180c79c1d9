"""How a job comes to its journal: a new one is filled from the source, or one that is there already is gone on with."""

from __future__ import annotations

import itertools
import secrets
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from leavo_async._sansio.explanation import Explanation
from leavo_async.bulk.facts import Facts, limit_of
from leavo_async.bulk.journal import Journal
from leavo_async.bulk.keys import file_digest, import_id
from leavo_async.bulk.lock import JobLock
from leavo_async.bulk.mapping import MappingPlan, plan_mapping
from leavo_async.bulk.operation import Operation
from leavo_async.bulk.options import ImportOptions
from leavo_async.bulk.places import found, journal_path, known, made, new_spool, remove, settle, state_dir
from leavo_async.bulk.sources import AsyncSource, Source
from leavo_async.bulk.spool import Spooler
from leavo_async.bulk.threads import in_thread, to_its_end
from leavo_async.errors import ConfigError

_ASYNC_CHUNK = 2000


class Begun(NamedTuple):
    """A job whose journal is open and locked. is_resumed: whether it was there already."""

    lock: JobLock
    journal: Journal
    is_resumed: bool

    def close(self) -> None:
        """Let go of both."""
        self.journal.close()
        self.lock.release()


class Beginning:
    """One import on its way to its journal. told: what holds for its calls.

    read: is told, in a thread, how many rows were read so far.
    """

    def __init__(
        self,
        operation: Operation,
        told: Explanation,
        options: ImportOptions,
        wall: Callable[[], float],
        read: Callable[[int], None] | None = None,
    ) -> None:
        self._operation = operation
        self._told = told
        self._options = options
        self._wall = wall
        self._read = read
        self._salt = uuid.uuid4().hex if options.get("new_run") else ""
        self.folder = Path(options.get("journal_dir") or state_dir()).expanduser()

    async def begin(self, source: Source | AsyncSource) -> Begun:
        """The job, with all rows of the source in its journal. ConfigError if it must not, or cannot, be begun."""
        if isinstance(source, AsyncSource):
            await source.read_columns()
        plan = self._mapped(source)
        await to_its_end(in_thread(made, self.folder))
        path, digest = await in_thread(_file_of, source)
        facts = self._facts(source, plan, path, digest)
        if path is None:
            return await self._spooled(source, plan, facts)
        facts = facts._replace(import_id=self._id(facts))
        begun = await to_its_end(in_thread(self._known, facts, source, plan), _closed)
        return begun or await self._spooled(source, plan, facts)

    def reopened(self, job: str) -> Begun:
        """A job that was begun before, by its id. It blocks. ConfigError if there is none, or if it goes elsewhere."""
        begun = opened(found(self.folder, job))
        facts, told = begun.journal.facts, self._told
        if (facts.api, facts.place, facts.method, facts.path) != (told.api, told.base_url, told.method, told.path):
            begun.close()
            raise ConfigError(
                f"job {facts.job} sends {facts.method} to {facts.place}{facts.path}, and this session {told.method} to "
                f"{told.base_url}{told.path} (base URL, LEAVO_BASE_URL): leave that out; nothing was sent"
            )
        return begun

    def _mapped(self, source: Source | AsyncSource) -> MappingPlan:
        options, operation = self._options, self._operation
        if not source.columns:
            raise ConfigError(
                f"cannot read rows from {source.name}: it is empty, or used up, or what comes first is not a mapping "
                "of columns to values"
            )
        # These are fields of the body. Where the natural key shows that those have other names, nobody can tell.
        is_named_alike = set(operation.natural_key) <= operation.fields.keys()
        for name in self._same_by() if is_named_alike else ():
            if name not in operation.fields:
                raise ConfigError(f"same_by: there is no field {name!r} (fields: {', '.join(operation.fields)})")
        row_key = options.get("row_key")
        if row_key is not None and row_key not in source.columns:
            raise ConfigError(f"row key: there is no column {row_key!r} (columns: {', '.join(source.columns)})")
        ignored = set(options.get("ignore", ()))
        mapped = options.get("map", {})
        if row_key is not None and row_key not in mapped.values():
            named = [field for field in operation.fields if field.casefold() == row_key.casefold()]
            ignored |= set() if named else {row_key}
        return plan_mapping(
            source.columns, operation.fields, mapped=mapped, ignored=ignored, open_prefix=operation.open_prefix
        )

    def _facts(self, source: Source | AsyncSource, plan: MappingPlan, path: Path | None, digest: str) -> Facts:
        told = self._told
        limit, limit_per_minute = limit_of(told)
        return Facts(
            import_id="",
            name=self._operation.name,
            api=told.api,
            place=told.base_url,
            method=told.method,
            path=told.path,
            source=source.name,
            source_path=None if path is None else str(path),
            source_digest=digest,
            description=source.description,
            columns=source.columns,
            mapping=plan.columns,
            left_out=plan.left_out,
            ignored=tuple(sorted(plan.ignored)),
            row_key=self._options.get("row_key"),
            same_by=self._same_by(),
            account=self._account(),
            limit=limit,
            limit_per_minute=limit_per_minute,
            created=self._wall(),
            key_salt=secrets.token_hex(16),
        )

    def _account(self) -> str:
        """What the account is called; and what stands for fields of the calls, which may say whose it is."""
        account, headers = self._options.get("account", ""), self._options.get("headers")
        if not headers:
            return account
        fields = sorted((name.lower(), str(value)) for name, value in headers.items())
        return f"{account} with headers {import_id(*itertools.chain(*fields))[:8]}".strip()

    def _id(self, facts: Facts) -> str:
        """The same for the same import; content counts only where rows have no names of their own."""
        name, row_key = self._options.get("name"), facts.row_key
        what: tuple[str, ...]
        if name:
            what = ("name", name)
        elif row_key is not None and facts.source_path is not None:
            what = ("row key", row_key, Path(facts.source_path).name)
        else:
            what = ("content", facts.source_digest)
        return import_id(facts.api, facts.place, facts.method, facts.path, facts.account, self._salt, *what)

    def _known(self, facts: Facts, source: Source | AsyncSource, plan: MappingPlan) -> Begun | None:
        """The job that this import was before; None if it is a new one."""
        target = journal_path(self.folder, facts.import_id)
        if target.exists():
            return self._gone_on(target, facts, source, plan)
        if self._salt or facts.source_path is None:
            return None
        only_new = self._options.get("on_changed_source") == "new rows only"
        for other in known(self.folder, finished=only_new):
            if _is_same_place(other, facts) and other.source_path == facts.source_path:
                if only_new:
                    return self._gone_on(journal_path(self.folder, other.import_id), facts, source, plan)
                raise _changed(other)
        return None

    def _gone_on(self, target: Path, facts: Facts, source: Source | AsyncSource | None, plan: MappingPlan) -> Begun:
        begun = opened(target)
        try:
            self._compare(begun.journal, facts, source, plan)
        except BaseException:
            begun.close()
            raise
        return begun

    def _compare(self, journal: Journal, facts: Facts, source: Source | AsyncSource | None, plan: MappingPlan) -> None:
        before = journal.facts
        if not _is_same_place(before, facts):
            raise ConfigError(f"job {before.job} goes to {before.place}{before.path}; give this one another name")
        if dict(before.mapping) != dict(facts.mapping):
            raise ConfigError(
                f"job {before.job} was begun with another mapping, and its rows are as they were then: go on with it "
                f"by `leavo jobs resume {before.job}`, or begin anew with --new-run (in Python new_run=True)"
            )
        if before.source_digest == facts.source_digest:
            return
        if self._options.get("on_changed_source") != "new rows only" or not isinstance(source, Source):
            raise _changed(before)
        if (before.row_key or before.same_by) != (facts.row_key or facts.same_by):
            raise ConfigError(
                f"job {before.job} tells its rows apart by {_told_by(before)}, and this import by {_told_by(facts)}: "
                "all would be new. Say the same, or import all of it once more: --new-run"
            )
        with journal.transaction():
            journal.index_digests()
        spooler = self._spooler(journal, plan, only_new=True)
        spooler.take(source)
        with journal.transaction():
            journal.skip_repeated() if self._is_deduped() else None
            journal.tell(before._replace(source_digest=facts.source_digest, empty=spooler.empty))

    async def _spooled(self, source: Source | AsyncSource, plan: MappingPlan, facts: Facts) -> Begun:
        spool = await to_its_end(in_thread(new_spool, self.folder))
        lock = await to_its_end(in_thread(JobLock.take, spool), JobLock.release)
        try:
            filled = await self._filled(spool, source, plan, facts)
            return await to_its_end(in_thread(self._settled, spool, lock, filled, facts, source, plan), _closed)
        except BaseException:
            await to_its_end(in_thread(_let_go, spool, lock))
            raise

    async def _filled(
        self, spool: Path, source: Source | AsyncSource, plan: MappingPlan, facts: Facts
    ) -> tuple[Journal, Spooler]:
        journal = await to_its_end(in_thread(Journal.create, spool, facts), Journal.close)
        try:
            spooler = await to_its_end(in_thread(self._spooler, journal, plan))
            if isinstance(source, AsyncSource):
                await _taken(spooler, source)
            else:
                # Let alone when it is cancelled, for a source may never give its next row.
                await in_thread(spooler.take, source)
        except BaseException:
            await to_its_end(in_thread(journal.close))
            raise
        return journal, spooler

    def _settled(
        self,
        spool: Path,
        lock: JobLock,
        filled: tuple[Journal, Spooler],
        facts: Facts,
        source: Source | AsyncSource,
        plan: MappingPlan,
    ) -> Begun:
        """The journal in its place; or that of the same import, if it has come to light that it was begun before."""
        try:
            return self._moved(spool, filled, facts, source, plan)
        finally:
            _let_go(spool, lock)

    def _moved(
        self,
        spool: Path,
        filled: tuple[Journal, Spooler],
        facts: Facts,
        source: Source | AsyncSource,
        plan: MappingPlan,
    ) -> Begun:
        journal, spooler = filled
        try:
            facts = facts._replace(source_digest=facts.source_digest or spooler.content, empty=spooler.empty)
            facts = facts._replace(import_id=facts.import_id or self._id(facts))
            with journal.transaction():
                if self._is_deduped():
                    journal.skip_repeated()
                journal.index()
                journal.tell(facts)
        finally:
            journal.close()
        target = journal_path(self.folder, facts.import_id)
        lock = JobLock.take(target)
        # Looked for under the lock: another process may have begun the same import meanwhile, and even finished it.
        if target.exists():
            lock.release()
            return self._gone_on(target, facts, None, plan)
        try:
            settle(spool, target)
            return Begun(lock, Journal.open(target), is_resumed=False)
        except BaseException:
            lock.release()
            raise

    def _spooler(self, journal: Journal, plan: MappingPlan, *, only_new: bool = False) -> Spooler:
        return Spooler(
            journal,
            plan,
            self._operation,
            row_key=self._options.get("row_key"),
            same_by=self._same_by(),
            only_new=only_new,
            told=self._read,
        )

    def _same_by(self) -> tuple[str, ...]:
        told = self._options.get("same_by")
        return self._operation.natural_key if told is None else tuple(told)

    def _is_deduped(self) -> bool:
        return bool(self._same_by()) or self._options.get("row_key") is not None


def opened(target: Path) -> Begun:
    """A job that is there already. It blocks."""
    lock = JobLock.take(target)
    try:
        return Begun(lock, Journal.open(target), is_resumed=True)
    except BaseException:
        lock.release()
        raise


def _let_go(spool: Path, lock: JobLock) -> None:
    lock.release()
    remove(spool)


def _closed(begun: Begun | None) -> None:
    if begun is not None:
        begun.close()


def _file_of(source: Source | AsyncSource) -> tuple[Path | None, str]:
    """The file that it can be read from again, and what stands for its content."""
    if isinstance(source, AsyncSource) or source.path is None:
        return None, ""
    path = source.path.resolve()
    return path, file_digest(str(path))


async def _taken(spooler: Spooler, source: AsyncSource) -> None:
    chunk = []
    async for row in source:
        chunk.append(row)
        if len(chunk) == _ASYNC_CHUNK:
            await to_its_end(in_thread(spooler.take, chunk))
            chunk = []
    await to_its_end(in_thread(spooler.take, chunk))


def _is_same_place(one: Facts, other: Facts) -> bool:
    """Whether both write the same things to the same account."""
    return all(getattr(one, name) == getattr(other, name) for name in ("api", "place", "method", "path", "account"))


def _told_by(facts: Facts) -> str:
    return f"column {facts.row_key!r}" if facts.row_key else ", ".join(facts.same_by) or "all that they say"


def _changed(before: Facts) -> ConfigError:
    is_file = before.source_path is not None
    return ConfigError(
        f"{before.source} has changed since job {before.job} was begun with it; nothing was sent. Go on with the rows "
        f"as they were: leavo jobs resume {before.job}. "
        + ("Or add the new rows: --on-changed-source new-rows-only. " if is_file else "")
        + 'Or import all of it once more: --new-run. In Python: on_changed_source="new rows only", new_run=True'
    )
