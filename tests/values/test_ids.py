"""Ids that ascend, from many threads and after a fork."""

import copy
import os
import pickle
import threading
import warnings
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import RFC_4122, UUID, SafeUUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue, UsageError
from crmkit.values.clock import SystemClock, from_micros
from crmkit.values.ids import IdFactory, parse_id, uuid_from_bytes

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


class Hand:
    """A clock that stands where it is put."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


def ascending(ids: list[UUID]) -> bool:
    return all(one < other for one, other in pairwise(ids))


def millis(made: UUID) -> int:
    return made.int >> 80


def test_an_id_is_a_uuid_of_version_7_that_carries_the_time() -> None:
    made = IdFactory(Hand()).new()
    assert (made.version, made.variant) == (7, RFC_4122)
    assert from_micros(millis(made) * 1000) == NOON


def test_an_id_made_the_fast_way_is_like_any_other_uuid() -> None:
    made = IdFactory(Hand()).new()
    same = UUID(str(made))
    assert made == same
    assert hash(made) == hash(same)
    assert repr(made) == repr(same)
    assert made.bytes == same.bytes
    assert made.is_safe is SafeUUID.unknown
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == same
    with pytest.raises(TypeError):
        made.int = 1  # type: ignore[misc]


@given(st.lists(st.tuples(st.integers(-10, 10), st.integers(0, 50)), max_size=20), st.integers(0, 255))
@pytest.mark.law
def test_ids_ascend_whatever_the_clock_and_the_entropy_do(steps: list[tuple[int, int]], byte: int) -> None:
    clock = Hand()
    factory = IdFactory(clock, lambda n: bytes([byte]) * n)
    ids: list[UUID] = []
    for step, count in steps:
        clock.moment += timedelta(milliseconds=step)
        ids += factory.many(count)
    assert ascending(ids)
    assert len(ids) == sum(count for _, count in steps)
    assert all(made.version == 7 and made.variant == RFC_4122 for made in ids)


def test_a_clock_that_goes_back_does_not_take_the_ids_back() -> None:
    clock = Hand()
    factory = IdFactory(clock)
    first = factory.new()
    clock.moment -= timedelta(days=1)
    second = factory.new()
    assert first < second
    assert millis(first) == millis(second)


def test_the_lower_part_of_the_counter_carries_into_the_upper() -> None:
    nearly_full = ((1 << 30) - 50) << 7
    factory = IdFactory(Hand(), lambda n: nearly_full.to_bytes(6, "big") if n == 6 else bytes(n))
    ids = factory.many(200)
    assert len({made.int >> 64 & 0xFFF for made in ids}) == 2
    assert ascending(ids)
    assert all(made.version == 7 and made.variant == RFC_4122 for made in ids)


def test_a_counter_that_is_used_up_borrows_the_next_millisecond() -> None:
    factory = IdFactory(Hand())
    before = factory.new()
    sequence = factory._sequences[os.getpid()]
    sequence.counter = 2**42 - 3
    ids = factory.many(5)
    assert ascending([before, *ids])
    assert [millis(made) - millis(before) for made in ids] == [0, 0, 1, 1, 1]


def test_ids_of_two_factories_in_the_same_millisecond_are_apart() -> None:
    one, other = IdFactory(Hand()).many(20_000), IdFactory(Hand()).many(20_000)
    assert len({*one, *other}) == 40_000


def test_threads_share_one_ascending_sequence() -> None:
    factory = IdFactory(SystemClock())
    made: list[list[UUID]] = [[] for _ in range(8)]
    start = threading.Barrier(8)

    def work(mine: list[UUID]) -> None:
        start.wait()
        for _ in range(200):
            mine.extend(factory.many(3))
            mine.append(factory.new())

    threads = [threading.Thread(target=work, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(ascending(mine) for mine in made)
    assert len({one for mine in made for one in mine}) == 8 * 200 * 4


def test_a_forked_child_goes_its_own_way_even_while_its_parent_holds_the_lock() -> None:
    factory = IdFactory(Hand())
    before = factory.many(10)
    receiving, sending = os.pipe()
    with factory._sequences[os.getpid()].lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a test runner may have threads; the child only counts
        child = os.fork()
        if child == 0:
            try:
                os.write(sending, b"".join(made.bytes for made in factory.many(10)))
            finally:
                os._exit(0)
    os.close(sending)
    with os.fdopen(receiving, "rb") as pipe:
        raw = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    of_child = [uuid_from_bytes(raw[place : place + 16]) for place in range(0, len(raw), 16)]
    of_parent = factory.many(10)
    assert len(of_child) == 10
    assert ascending([*before, *of_child])
    assert ascending([*before, *of_parent])
    assert len({one.int >> 32 for one in [*of_child, *of_parent]}) == 20


def test_a_refused_number_of_ids_uses_none() -> None:
    factory = IdFactory(Hand(), bytes)
    assert factory.many(0) == []
    first = factory.new()
    with pytest.raises(UsageError) as refused:
        factory.many(-1)
    assert refused.value.code == "negative_count"
    assert factory.new().int - first.int == 1 << 32


def test_a_source_that_gives_too_little_entropy_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        IdFactory(Hand(), lambda n: bytes(n // 2)).many(2)
    assert refused.value.code == "short_entropy"


def test_a_clock_before_1970_makes_no_ids() -> None:
    with pytest.raises(InvalidValue) as refused:
        IdFactory(Hand(datetime(1969, 12, 31, tzinfo=UTC))).new()
    assert refused.value.code == "out_of_range"


@given(st.binary(min_size=16, max_size=16))
@pytest.mark.law
def test_an_id_comes_back_from_its_bytes(raw: bytes) -> None:
    assert uuid_from_bytes(raw) == UUID(bytes=raw)
    assert uuid_from_bytes(raw).bytes == raw


@pytest.mark.parametrize("raw", [b"", b"x" * 15, b"x" * 17, b"x" * 36])
def test_other_than_sixteen_bytes_are_no_id(raw: bytes) -> None:
    with pytest.raises(InvalidValue) as refused:
        uuid_from_bytes(raw)
    assert refused.value.code == "not_an_id"


@given(st.uuids())
@pytest.mark.law
def test_every_text_form_of_an_id_is_read(given_id: UUID) -> None:
    forms = [given_id, str(given_id), str(given_id).upper(), given_id.hex, f"{{{given_id}}}", given_id.urn]
    assert {parse_id(form) for form in forms} == {given_id}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "01890a5d-ac96-774b-bcce-b302099a805",
        "01890a5dac96-774b-bcce-b302099a8057",
        "0-1-8-9-0-a-5-d-a-c-9-6-7-7-4-b-b-c-c-e-b-3-0-2-0-9-9-a-8-0-5-7",
        "{01890a5d-ac96-774b-bcce-b302099a8057",
        " 01890a5d-ac96-774b-bcce-b302099a8057",
        "01890a5d-ac96-774b-bcce-b302099a8057\n",
        "0_90a5dac96774bbcceb302099a80571",
        "١" * 32,
        "１" * 32,
        b"x" * 16,
        7,
        None,
        2**127,
        pytest.param("a" * 10**6, id="long"),
    ],
)
def test_what_is_no_id_is_refused(value: object) -> None:
    with pytest.raises(InvalidValue) as refused:
        parse_id(value)
    assert refused.value.code == "not_an_id"
    assert len(str(refused.value)) < 300
