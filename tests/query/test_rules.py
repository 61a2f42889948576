"""The rules of meaning, one by one, on records made for them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crmkit.errors import InvalidQuery
from crmkit.query import F, days_ago, days_from_now, in_segment, me, my_team, my_team_and_below, now, today
from crmkit.query.context import Moment
from crmkit.query.nodes import FALSE, TRUE, And, Expr, Not, Or, RelativeTime, SharedWith, Within, holds
from crmkit.query.operators import OPERATORS
from crmkit.query.text import parse
from crmkit.records import Deal
from crmkit.values import Money, PersonName
from tests.query.memory import Session
from tests.query.strategies import SCHEMA, PlainGuard
from tests.query.worlds import MOMENT, NOW, DictWorld, Entry, entry, record_id

S = SCHEMA.schema
ANA, BOB = record_id(S, "user", 0), record_id(S, "user", 1)
TEAM = record_id(S, "team", 0)
ACME, ZETA = record_id(S, "account", 0), record_id(S, "account", 1)
ACTORS = {"me": (ANA,), "my_team": (ANA, BOB), "my_team_and_below": (ANA, BOB), "teams": (TEAM,)}


def world(*entries: Entry) -> DictWorld:
    return DictWorld(S, entries)


def deal(number: int = 0, **values: Any) -> Entry:
    return entry(S, "deal", number, **{"name": f"Deal {number}", "outcome": "open", **values})


def account(number: int = 0, **values: Any) -> Entry:
    return entry(S, "account", number, **{"name": f"Account {number}", **values})


def answer(expr: Expr | str, *entries: Entry, on: str = "deal", moment: Moment = MOMENT, **surroundings: Any) -> Any:
    """What the condition says of the first record of the type."""
    session = Session(world(*entries), moment, **surroundings)
    return session.answers(parse(expr) if isinstance(expr, str) else expr, on)[0]


def rights(actors=ACTORS, fields=None, **seen: Expr) -> dict[str, Any]:
    return {"guard": PlainGuard(seen, fields or {}, actors), "actors": actors}


KLEENE = {
    "true": TRUE,
    "false": FALSE,
    "unknown": F.loss_reason == "price",
}


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        ("true", "true", True, True),
        ("true", "false", False, True),
        ("true", "unknown", None, True),
        ("false", "false", False, False),
        ("false", "unknown", False, None),
        ("unknown", "unknown", None, None),
    ],
)
def test_and_and_or_are_kleenes(left, right, both, either):
    one, other = KLEENE[left], KLEENE[right]
    for pair in ((one, other), (other, one)):
        assert answer(And(pair), deal()) is both
        assert answer(Or(pair), deal()) is either
        assert answer(Not(And(pair)), deal()) is (None if both is None else not both)
        assert answer(Not(Or(pair)), deal()) is (None if either is None else not either)


@pytest.mark.parametrize(
    "text",
    [
        'loss_reason == "x"',
        'loss_reason != "x"',
        'loss_reason < "x"',
        'loss_reason in ["x"]',
        "loss_reason in []",
        "loss_reason not in []",
        'loss_reason.contains("x")',
        'loss_reason.starts_with("x")',
        "probability.between(0, 100)",
        "loss_reason == name",
        "name == loss_reason",
        'account.name == "x"',
        "closed_on < today",
        "owner == me",
        "owner in my_team",
        "latest(activities.at) < now",
        "max(activities.at) != now",
    ],
)
def test_a_comparison_with_nothing_is_unknown_and_so_is_its_contrary(text):
    assert answer(text, deal(), actors=ACTORS) is None
    assert answer(f"not ({text})", deal(), actors=ACTORS) is None


def test_null_tests_are_never_unknown():
    assert answer("loss_reason is None", deal()) is True
    assert answer("loss_reason is not None", deal()) is False
    assert answer("name is None", deal()) is False
    assert answer("account.name is None", deal()) is True
    assert answer("account.name is None", deal(account=ACME), account()) is False
    assert answer("latest(activities.at) is None", deal()) is True
    assert answer("count(activities) is None", deal()) is False
    assert answer("x_address is None", account(), on="account") is True


def test_holds_takes_the_unknown_for_false():
    unknown = F.loss_reason == "x"
    assert answer(holds(unknown), deal()) is False
    assert answer(Not(holds(unknown)), deal()) is True
    assert answer(Not(holds(Not(unknown))), deal()) is True


TEXTS = [
    ("STRASSE", "straße", True),
    ("straẞe", "STRASSE", True),
    ("É", "e\u0301", True),
    ("ﬁrm", "FIRM", True),
    ("Ａ１", "a1", True),
    ("İ", "i\u0307", True),
    ("İ", "i", False),
    ("ı", "i", False),
    ("acme", "acme ", False),
    ("张三", "张三", True),
    ("张三", "张", False),
    ("a_c", "abc", False),
    ("100%", "100", False),
    ("👩\u200d👧", "👩", False),
]


@pytest.mark.parametrize(("stored", "asked", "equal"), TEXTS)
def test_text_is_compared_folded_and_whole(stored, asked, equal):
    assert answer(F.name == asked, deal(name=stored)) is equal
    assert answer(F.name != asked, deal(name=stored)) is not equal
    assert answer(F.name.is_in(["nothing", asked]), deal(name=stored)) is equal


@pytest.mark.parametrize(
    ("expr", "held"),
    [
        (F.name.contains("asse"), True),
        (F.name.contains("ß"), True),
        (F.name.contains("%"), False),
        (F.name.contains("_"), False),
        (F.name.starts_with("STRASS"), True),
        (F.name.starts_with("straße und mehr"), False),
        (F.name.ends_with("SSE"), True),
        (F.name.ends_with("ß"), False),
        (F.name < "strassf", True),
        (F.name > "strass", True),
        (F.name.between("strasse", "strasse"), True),
        (F.name.between("a", "strass"), False),
    ],
)
def test_pieces_and_order_of_text_are_those_of_the_folded_text(expr, held):
    assert answer(expr, deal(name="Straße")) is held


def test_text_is_ordered_by_code_points():
    for low, high in (("Z", "ä"), ("z", "é"), ("张", "😀"), ("\ue000", "\U00010000")):
        assert answer(F.name < high, deal(name=low)) is True


def test_names_compare_by_the_whole_name():
    person = entry(S, "contact", 0, name=PersonName.parse("Ada Lovelace"), do_not_contact=False)
    assert answer("name == 'ADA lovelace'", person, on="contact") is True
    assert answer(F.name == PersonName.parse("Lovelace, Ada"), person, on="contact") is True
    assert answer("name.contains('love')", person, on="contact") is True
    assert answer("name == 'Ada'", person, on="contact") is False


def test_a_phone_number_is_found_however_it_is_grouped():
    phoned = account(phone="+493012345")
    assert answer("phone == '+49 30 12345'", phoned, on="account") is True
    assert answer("phone.contains('30/12')", phoned, on="account") is True


def test_an_option_is_compared_exactly_and_understood_by_its_label():
    chosen = account(x_choice="cold", x_multi_choice=("hot", "ss"))
    assert answer("x_choice == 'cold'", chosen, on="account") is True
    assert answer("x_choice == 'EIS KALT'", chosen, on="account") is True
    assert answer("x_choice in ['hot', 'cold']", chosen, on="account") is True
    assert answer("'hot' in x_multi_choice", chosen, on="account") is True
    assert answer("'s' in x_multi_choice", chosen, on="account") is False
    assert answer("'cold' not in x_multi_choice", chosen, on="account") is True
    assert answer("'hot' in x_multi_choice", account(), on="account") is None


EUROS = deal(amount=Money("100", "EUR"))


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ('amount == money("100.00", "EUR")', True),
        ('amount > money("99.9999", "EUR")', True),
        ('amount <= money(100, "EUR")', True),
        ('amount < money(100, "EUR")', False),
        ('amount == "100 EUR"', True),
        ('amount.between(money(100, "EUR"), money(100, "EUR"))', True),
        ('amount.between(money(0, "EUR"), money("99.99", "EUR"))', False),
        ('amount in [money(100, "EUR"), money(5, "EUR")]', True),
        ('amount == money(100, "JPY")', None),
        ('amount != money(100, "JPY")', None),
        ('amount > money(1, "JPY")', None),
        ('amount in [money(100, "JPY")]', None),
        ('amount not in [money(100, "JPY")]', None),
        ("amount in []", False),
        ("amount not in []", True),
    ],
)
def test_money_compares_with_its_own_currency_only(text, held):
    assert answer(text, EUROS) is held


def test_two_currencies_on_the_right_are_refused():
    with pytest.raises(InvalidQuery) as caught:
        answer('amount in [money(1, "EUR"), money(1, "JPY")]', EUROS)
    assert (caught.value.code, caught.value.fields) == ("currency_mismatch", ("amount",))


def test_money_of_two_fields_compares_in_one_currency_only():
    same, other = Money("5", "EUR"), Money("5", "JPY")
    fields = F.amount <= F.x_money
    assert answer(fields, deal(amount=same, x_money=same)) is True
    assert answer(fields, deal(amount=same, x_money=other)) is None
    assert answer(Not(fields), deal(amount=same, x_money=other)) is None
    assert answer(fields, deal(amount=same)) is None


def test_decimals_percentages_and_durations_are_exact():
    exact = deal(probability=Decimal("0.10"), x_decimal=Decimal("0.30"), x_duration=timedelta(microseconds=1))
    assert answer("probability == 0.1", exact) is True
    assert answer("x_decimal == 0.3", exact) is True
    assert answer("x_decimal >= 0", exact) is True
    assert answer("x_duration > duration('PT0S')", exact) is True
    assert answer("x_duration.between(duration('PT0.000001S'), duration('PT0.000001S'))", exact) is True


def test_bounds_of_a_field_do_not_bind_what_it_is_compared_with():
    assert answer("probability < 1000", deal(probability=Decimal(5))) is True
    assert answer("headcount > -5", account(headcount=0), on="account") is True


def test_a_boolean_compares_with_true_and_with_words_for_it():
    person = entry(S, "contact", 0, name=PersonName(given="A"), do_not_contact=True)
    for text in ("do_not_contact == true", "do_not_contact == 'yes'", "do_not_contact == '是'"):
        assert answer(text, person, on="contact") is True
    assert answer("do_not_contact in [false]", person, on="contact") is False


# -------------------------------------------------------------------------------------------------------- relations

WON, LOST = deal(0, account=ACME, outcome="won"), deal(1, account=ACME, outcome="lost")


@pytest.mark.parametrize(
    ("text", "deals", "held"),
    [
        ("any(deals)", [], False),
        ("any(deals)", [WON], True),
        ('any(deals, outcome == "won")', [WON, LOST], True),
        ('any(deals, outcome == "open")', [WON, LOST], False),
        ('any(deals, loss_reason == "x")', [WON], False),
        ('all(deals, outcome == "won")', [], True),
        ('all(deals, outcome == "won")', [WON], True),
        ('all(deals, outcome == "won")', [WON, LOST], False),
        ('all(deals, loss_reason == "x")', [WON], False),
        ('all(deals, not (loss_reason == "x"))', [WON], False),
        ("none(deals)", [], True),
        ("none(deals)", [WON], False),
        ('none(deals, outcome == "won")', [LOST], True),
        ('none(deals, loss_reason == "x")', [WON], True),
    ],
)
def test_quantifiers_count_only_what_is_true_and_are_never_unknown(text, deals, held):
    assert answer(text, account(), *deals, on="account") is held
    assert answer(f"not {text}", account(), *deals, on="account") is not held


def test_a_quantifier_can_start_at_a_reference():
    there = [deal(account=ACME), account(), entry(S, "activity", 0, kind="call", subject="x", account=ACME)]
    assert answer("any(account.activities)", *there) is True
    assert answer("any(account.activities)", deal()) is False
    assert answer("all(account.activities, true)", deal()) is False
    assert answer("not all(account.activities, true)", deal()) is True


def test_within_is_true_of_a_record_that_is_there_and_meets_the_condition():
    there = [deal(account=ACME), account(industry="saas")]
    assert answer(Within(F.account, F.industry == "saas"), *there) is True
    assert answer(Within(F.account, F.industry == "steel"), *there) is False
    assert answer(Within(F.account, F.headcount > 1), *there) is False
    assert answer(Not(Within(F.account, F.headcount > 1)), *there) is True
    assert answer(Within(F.account, TRUE), deal()) is False


def test_a_reference_to_itself_and_a_circle_are_followed_as_far_as_asked():
    circle = [account(0, name="a", parent=ZETA), account(1, name="b", parent=ACME)]
    assert answer("parent.parent.parent.name == 'b'", *circle, on="account") is True
    assert answer("any(subsidiaries, any(subsidiaries, name == 'a'))", *circle, on="account") is True
    assert answer("count(subsidiaries) == 1", account(0, parent=ACME), on="account") is True


# ------------------------------------------------------------------------------------------------------- aggregates

THREE = [
    deal(0, account=ACME, amount=Money("10", "EUR"), outcome="won", expected_close=date(2026, 1, 1)),
    deal(1, account=ACME, amount=Money("20", "EUR"), outcome="lost", expected_close=date(2026, 2, 1)),
    deal(2, account=ACME, outcome="won"),
]


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("count(deals) == 3", True),
        ('count(deals, outcome == "won") == 2', True),
        ('count(deals, loss_reason == "x") == 0', True),
        ('sum(deals.amount) == money(30, "EUR")', True),
        ('sum(deals.amount, outcome == "won") == money(10, "EUR")', True),
        ('min(deals.amount) == money(10, "EUR")', True),
        ('max(deals.amount) == money(20, "EUR")', True),
        ('max(deals.amount) > money(1, "JPY")', None),
        ('latest(deals.expected_close) == date("2026-02-01")', True),
        ('min(deals.expected_close) == date("2026-01-01")', True),
        ('min(deals.name) == "deal 0"', True),
        ('sum(deals.amount, outcome == "open") is None', True),
        ('sum(deals.amount, outcome == "open") > money(0, "EUR")', None),
        ("count(deals).between(3, 3)", True),
        ("count(deals) in [1, 3]", True),
        ("max(deals.amount) == annual_revenue", None),
    ],
)
def test_aggregates_are_over_the_related_records_that_meet_a_condition(text, held):
    assert answer(text, account(), *THREE, on="account") is held


@pytest.mark.parametrize("function", ["sum", "min", "max"])
def test_an_aggregate_of_two_currencies_is_no_value(function):
    mixed = [account(), *THREE, deal(3, account=ACME, amount=Money("1", "JPY"))]
    assert answer(f"{function}(deals.amount) is None", *mixed, on="account") is True
    assert answer(f'{function}(deals.amount) > money(0, "EUR")', *mixed, on="account") is None
    assert answer(f'{function}(deals.amount, amount > money(0, "EUR")) is None', *mixed, on="account") is False


def test_a_sum_may_be_larger_than_any_value():
    half = [deal(n, account=ACME, probability=Decimal(60)) for n in range(3)]
    assert answer("sum(deals.probability) == 180", account(), *half, on="account") is True


# ------------------------------------------------------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("expr", "held"),
    [
        (F.at == now, True),
        (F.at < now, False),
        (F.at >= days_ago(0), True),
        (F.at > days_ago(1), True),
        (F.at < days_from_now(1), True),
        (F.at > today, True),
        (F.at < RelativeTime("today", 1), True),
    ],
)
def test_an_instant_compares_with_the_moment(expr, held):
    assert answer(expr, entry(S, "activity", 0, kind="call", subject="x", at=NOW), on="activity") is held


def test_a_date_compares_with_the_day_in_the_zone():
    """It is the 16th in Shanghai and the 15th in Berlin."""
    due = deal(expected_close=date(2026, 3, 16))
    assert answer(F.expected_close == today, due) is True
    assert answer(F.expected_close == now, due) is True
    assert answer(F.expected_close == today, due, moment=Moment(NOW, ZoneInfo("Europe/Berlin"))) is False
    assert answer(F.expected_close > today, due, moment=Moment(NOW, ZoneInfo("Europe/Berlin"))) is True
    assert answer(F.expected_close == days_from_now(1), due, moment=Moment(NOW, ZoneInfo("Europe/Berlin"))) is True


def test_today_begins_at_midnight_in_the_zone():
    midnight = datetime(2026, 3, 15, 16, 0, tzinfo=UTC)
    first = entry(S, "activity", 0, kind="call", subject="x", at=midnight)
    before = entry(S, "activity", 0, kind="call", subject="x", at=midnight - timedelta(microseconds=1))
    assert answer(F.at >= today, first, on="activity") is True
    assert answer(F.at >= today, before, on="activity") is False
    assert answer(F.at >= RelativeTime("today", -1), before, on="activity") is True


def test_days_are_days_of_the_calendar_also_when_the_clock_changes():
    """Berlin's summer time starts at 01:00 UTC on 29 March: the day before has 24 hours, this one 23."""
    moment = Moment(datetime(2026, 3, 29, 10, 0, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    exactly = entry(S, "activity", 0, kind="call", subject="x", at=datetime(2026, 3, 28, 11, 0, tzinfo=UTC))
    assert answer(F.at == days_ago(1), exactly, on="activity", moment=moment) is True


def test_a_day_before_the_first_year_is_refused():
    with pytest.raises(InvalidQuery) as caught:
        answer(F.expected_close < days_ago(900_000), deal())
    assert (caught.value.code, caught.value.fields) == ("out_of_range", ("expected_close",))


# --------------------------------------------------------------------------------------------- tags, segments, actors


def tagged(record, on: str, name: str, **values: object) -> list[Entry]:
    tag = entry(S, "tag", 0, name=name)
    return [tag, entry(S, "tagging", 0, tag=tag.id, record_type=on, record=record, **values)]


def test_a_tag_is_found_by_its_folded_name():
    there = [deal(account=ACME), account(), *tagged(ACME, "account", "Straße")]
    assert answer(F.account.tags.has("STRASSE"), *there) is True
    assert answer(F.account.tags.has("strass"), *there) is False
    assert answer(F.tags.has("STRASSE"), *there) is False
    assert answer(~F.tags.has("STRASSE"), *there) is True
    assert answer(~F.account.tags.has("x"), deal()) is True


@pytest.mark.parametrize(("after", "held"), [(timedelta(0), False), (timedelta(microseconds=1), True)])
def test_a_tag_counts_until_the_instant_it_expires(after, held):
    there = [account(), *tagged(ACME, "account", "试用", expires_at=NOW + after)]
    assert answer(F.tags.has("试用"), *there, on="account") is held
    assert answer(~F.tags.has("试用"), *there, on="account") is not held


def test_a_segment_is_the_expression_it_is_made_of():
    big = F.amount > Money("50", "EUR")
    segments = {"big": ("deal", big), "open": ("deal", in_segment("big") & (F.outcome == "open"))}
    for expr, held in ((in_segment("big"), True), (in_segment("open"), True), (~in_segment("big"), False)):
        assert answer(expr, EUROS, segments=segments.get) is held
    assert answer(in_segment("big"), deal(), segments=segments.get) is None
    assert answer(F.account.in_segment("x"), deal(), segments={"x": ("account", TRUE)}.get) is False


@pytest.mark.parametrize(
    ("expr", "held"),
    [
        (F.owner == me, False),
        (F.owner != me, True),
        (F.owner.is_in(my_team), True),
        (F.owner.not_in(my_team_and_below), False),
        (F.owner == BOB, True),
        (F.owner == str(BOB), True),
    ],
)
def test_actors_are_users_seen_from_whoever_asks(expr, held):
    assert answer(expr, deal(owner=BOB), actors=ACTORS) is held


def test_the_system_is_nobody():
    assert answer(F.owner == me, deal(owner=BOB)) is None
    assert answer(F.owner != me, deal(owner=BOB)) is None
    assert answer(F.owner.is_in(my_team), deal(owner=BOB)) is False
    assert answer(F.owner.not_in(my_team), deal(owner=BOB)) is True


@pytest.mark.parametrize(
    ("values", "levels", "held"),
    [
        ({"user": ANA}, ("read", "edit"), True),
        ({"user": BOB}, ("read", "edit"), False),
        ({"team": TEAM}, ("read", "edit"), True),
        ({"user": ANA}, ("edit",), False),
        ({"user": ANA, "level": "edit"}, ("edit",), True),
        ({"user": ANA, "expires_at": NOW}, ("read",), False),
        ({"user": ANA, "expires_at": NOW + timedelta(microseconds=1)}, ("read",), True),
        ({"user": ANA}, (), False),
    ],
)
def test_a_share_reaches_a_user_or_a_team_until_it_expires(values, levels, held):
    one = deal()
    share = entry(S, "share", 0, record_type="deal", record=one.id, reason="x", **{"level": "read", **values})
    assert answer(SharedWith(levels), one, share, actors=ACTORS) is held
    assert answer(Not(SharedWith(levels)), one, share, actors=ACTORS) is not held


# ------------------------------------------------------------------------------------------------------------ rights

HIDDEN = [deal(account=ACME), account(name="secret", owner=BOB, headcount=5)]
OWN = F.owner == me


@pytest.mark.parametrize(
    ("text", "all_rights", "own_accounts"),
    [
        ('account.name == "secret"', True, None),
        ("account.name is None", False, True),
        ("within(account, true)", True, False),
        ("account is None", False, False),
        ("any(account.deals)", True, False),
    ],
)
def test_a_record_that_may_not_be_read_leads_nowhere(text, all_rights, own_accounts):
    assert answer(text, *HIDDEN, actors=ACTORS) is all_rights
    assert answer(text, *HIDDEN, **rights(account=OWN)) is own_accounts


def test_related_records_that_may_not_be_read_are_not_counted():
    there = [account(), deal(0, account=ACME, owner=ANA), deal(1, account=ACME, owner=BOB)]
    assert answer("count(deals) == 1", *there, on="account", **rights(deal=OWN)) is True
    assert answer("all(deals, name == 'Deal 0')", *there, on="account", **rights(deal=OWN)) is True
    assert answer("any(deals, name == 'Deal 1')", *there, on="account", **rights(deal=OWN)) is False


def test_a_masked_field_has_no_value_where_it_may_not_be_read():
    masked = {("deal", "amount"): OWN}
    for owner, held, null in ((ANA, True, False), (BOB, None, True)):
        one = deal(amount=Money("5", "EUR"), owner=owner)
        assert answer('amount > money(1, "EUR")', one, **rights(fields=masked)) is held
        assert answer("amount is None", one, **rights(fields=masked)) is null
        assert answer("amount == x_money", one, **rights(fields=masked)) is None


def test_an_aggregate_leaves_masked_values_out():
    masked = {("deal", "amount"): OWN}
    there = [
        account(),
        deal(0, account=ACME, amount=Money("5", "EUR"), owner=ANA),
        deal(1, account=ACME, amount=Money("7", "JPY"), owner=BOB),
    ]
    assert answer('sum(deals.amount) == money(5, "EUR")', *there, on="account", **rights(fields=masked)) is True
    assert answer("count(deals) == 2", *there, on="account", **rights(fields=masked)) is True


def test_a_masked_reference_is_followed_neither_forth_nor_back():
    masked = {("deal", "account"): OWN}
    mine, other = deal(0, account=ACME, owner=ANA), deal(1, account=ACME, owner=BOB)
    assert answer('account.name == "Account 0"', mine, account(), **rights(fields=masked)) is True
    assert answer('account.name == "Account 0"', other, account(), **rights(fields=masked)) is None
    assert answer("account is None", other, account(), **rights(fields=masked)) is True
    assert answer("count(deals) == 1", account(), mine, other, on="account", **rights(fields=masked)) is True
    assert answer("any(deals, name == 'Deal 1')", account(), other, on="account", **rights(fields=masked)) is False


def test_a_mask_with_an_unknown_condition_hides():
    masked = {("deal", "amount"): F.loss_reason == "x"}
    assert answer("amount is None", EUROS, **rights(fields=masked)) is True


# ------------------------------------------------------------------------------------------------------- constants


@pytest.mark.parametrize(
    "expr",
    [
        (F.name == "nobody") & (F.amount > "much"),
        (F.name == "Deal 0") | F.activities.any(F.at < "yesterday"),
        F.activities.count(F.at < "yesterday") > 0,
        F.name.contains(""),
        F.tags.has("a\nb"),
    ],
)
def test_a_constant_that_does_not_fit_is_refused_whatever_the_records_are(expr):
    """As in SQL, where all constants are converted before anything runs."""
    with pytest.raises(InvalidQuery):
        answer(expr, deal())


def test_records_without_custom_values_and_drafts_are_tested_too():
    draft = Deal(name="New", pipeline=ACME, stage=ACME, amount=Money("5", "EUR"))
    session = Session(world(), actors=ACTORS)
    for expr, held in (
        (F.amount > Money("1", "EUR"), True),
        (F.x_text == "a", None),
        (F.x_text.is_null(), True),
        (F.created_at.is_null(), True),
        (F.activities.any(), False),
        (F.activities.count() == 0, True),
        (F.tags.has("vip"), False),
        (SharedWith(("read",)), False),
    ):
        assert session.test(expr, "deal")(draft) is held


CONTRARIES: list[tuple[str, Any, tuple[Any, ...]]] = [
    ("eq", 5, (5,)),
    ("lt", 5, (6,)),
    ("le", 5, (5,)),
    ("in", 5, (4, 5)),
    ("between", 5, (5, 5)),
    ("contains", "abc", ("b",)),
    ("starts_with", "abc", ("ab",)),
    ("ends_with", "abc", ("bc",)),
    ("has", "|a|b|", ("|b|",)),
]


@pytest.mark.parametrize(("name", "value", "operands"), CONTRARIES)
def test_an_operator_has_a_contrary_which_is_false_where_it_is_true(name, value, operands):
    """What SQL is given for the negation of a comparison."""
    operator = OPERATORS[name]
    contrary = OPERATORS[operator.negation]
    assert contrary.negation == name
    assert operator.test(value, *operands) is True
    assert contrary.test(value, *operands) is False
