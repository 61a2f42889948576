"""A host whose program is async joins inside ``run_sync``: its transaction is as safe as any other host's."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session, create_async_engine

from crmkit import CRM
from crmkit.errors import Duplicate, UsageError
from tests.integration.snapshots import broken, digest, snapshot
from tests.staff import ADMIN

# A coroutine that nobody awaits is a statement that was never sent.
pytestmark = pytest.mark.filterwarnings("error")

ROWS = 1_500
"""More than a page, a block of reading or a block of writing."""


class Change(Exception):
    """Somebody changes their mind."""


@pytest.fixture
def url(migrated_postgres: Callable[[str], str]) -> str:
    return migrated_postgres("asynchost")


@pytest.fixture
def crm(open_crm: Callable[..., CRM], url: str) -> CRM:
    return open_crm(url)


def joined(url: str, kind: str, work: Callable[[Any], None]) -> None:
    """The work inside run_sync of a host's connection or session, which is committed afterwards."""

    async def main() -> None:
        engine = create_async_engine(url)
        try:
            async with engine.connect() if kind == "connection" else AsyncSession(engine) as host:
                await host.run_sync(work)
                await host.commit()
        finally:
            await engine.dispose()

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["connection", "orm"])
def test_what_a_joined_session_wrote_is_kept_with_its_changeset(crm: CRM, url: str, kind: str) -> None:
    def work(host: Any) -> None:
        with crm.session(ADMIN, on=host) as me:
            me.accounts.create_many([{"name": f"宝钢 {n}"} for n in range(ROWS)])
            assert not me.accounts.where(name="宝钢 7").update(industry="钢铁").refused

    joined(url, kind, work)
    assert broken(snapshot(url)) == []
    with crm.session(ADMIN) as me:
        assert me.accounts.count() == ROWS
        assert [c.command for c in me.log()][:1] == ["account.create_many, account.update_where"]


@pytest.mark.parametrize("kind", ["connection", "orm"])
def test_an_exception_and_a_dry_run_leave_nothing_of_the_session_and_all_of_the_host(
    crm: CRM, url: str, kind: str
) -> None:
    with crm.session(ADMIN) as me:
        me.accounts.create(name="ACME")
    before = digest(url)

    def work(host: Any) -> None:
        with suppress(Change), crm.session(ADMIN, on=host) as me:
            me.accounts.create(name="taken back")
            raise Change
        with crm.session(ADMIN, on=host, dry_run=True) as me:
            me.accounts.create_many([{"name": f"tried {n}"} for n in range(ROWS)])
            assert me.accounts.count() == ROWS + 1
        host.execute(text("CREATE TABLE kept (n int)"))

    joined(url, kind, work)
    assert digest(url) == before
    joined(url, kind, lambda host: host.execute(text("DROP TABLE kept")))


def test_a_verb_that_is_refused_leaves_nothing_of_itself_and_the_session_goes_on(crm: CRM, url: str) -> None:
    def work(host: Any) -> None:
        with crm.session(ADMIN, on=host) as me:
            with pytest.raises(Duplicate):
                me.users.create(email=ADMIN, name="twice")
            me.accounts.create(name="next")

    joined(url, "orm", work)
    assert broken(snapshot(url)) == []
    with crm.session(ADMIN) as me:
        assert [account.name for account in me.accounts] == ["next"]
        assert me.users.count() == 1


def test_many_records_are_read_while_others_are_written(crm: CRM, url: str) -> None:
    with crm.session(ADMIN) as me:
        me.accounts.create_many([{"name": f"n {n}"} for n in range(ROWS)])

    def work(host: Any) -> None:
        with crm.session(ADMIN, on=host) as me:
            result = me.accounts.where().update(industry="steel")
            assert result.counts == {"updated": ROWS}
            blocks = me.accounts.order_by("name").blocks(100)
            deleted = me.accounts.delete_many(account for block in blocks for account in block if account.name != "n 7")
            assert deleted.counts == {"deleted": ROWS - 1}

    joined(url, "connection", work)
    assert broken(snapshot(url)) == []
    with crm.session(ADMIN) as me:
        assert [account.name for account in me.accounts] == ["n 7"]


def test_what_would_have_to_be_awaited_is_refused_with_the_way_in(crm: CRM, url: str) -> None:
    async def main() -> None:
        engine = create_async_engine(url)
        hosts: list[Any] = [AsyncConnection(engine), AsyncSession(engine)]
        hosts.append(async_scoped_session(lambda: hosts[1], scopefunc=lambda: 1))
        for host in hosts:
            with pytest.raises(UsageError, match="run_sync") as refused:
                crm.session(ADMIN, on=host)
            assert refused.value.code == "not_a_connection"
        targets: list[Any] = [engine, engine.sync_engine]
        for target in targets:
            with pytest.raises(UsageError, match="run_sync") as refused:
                CRM(target)
            assert refused.value.code == "async_engine"
        await engine.dispose()

    asyncio.run(main())
