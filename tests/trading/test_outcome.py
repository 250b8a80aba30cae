"""The table of what an answer proves, read back row by row, and the rule for all that is not in it."""

from typing import Final

import pytest

from okx_mcp.okx.catalog import endpoint
from okx_mcp.okx.errors import (
    Answered,
    NoConnection,
    NoCredentials,
    NotSent,
    OkxError,
    OrderRefused,
    Refused,
    TooBusy,
    Unknown,
    refusal,
)
from okx_mcp.trading.outcome import PROVES, About, Code, Outcome, proves

PLACE: Final = endpoint("POST", "trade/order")

TABLE: Final = {
    NoConnection: Outcome.NOT_SENT,
    TooBusy: Outcome.NOT_SENT,
    NoCredentials: Outcome.NOT_SENT,
    "1": Outcome.UNKNOWN,
    "2": Outcome.UNKNOWN,
    "50001": Outcome.UNKNOWN,
    "50004": Outcome.UNKNOWN,
    "50013": Outcome.UNKNOWN,
    "50026": Outcome.UNKNOWN,
    "50042": Outcome.UNKNOWN,
    "50071": Outcome.UNKNOWN,
    "51016": Outcome.UNKNOWN,
    "51054": Outcome.UNKNOWN,
    "51149": Outcome.UNKNOWN,
    "51603": Outcome.UNKNOWN,
}
"""Written a second time on purpose: a row that changes has to change twice."""

REFUSES: Final = frozenset(
    """
    50000 50002 50005 50006 50007 50008 50009 50011 50012 50014 50015 50016 50024 50025 50027 50028 50029 50030
    50032 50033 50035 50036 50037 50038 50039 50040 50041 50051 50052 50053 50059 50060 50061 50067 50072 50100
    50101 50102 50103 50104 50105 50106 50107 50110 50111 50112 50113 50114 50115 50119 50120 50121 50122 51000
    51001 51003 51004 51005 51006 51007 51008 51009 51010 51015 51017 51020 51021 51023 51024 51025 51027 51031
    51033 51037 51044 51046 51047 51048 51049 51050 51051 51052 51053 51088 51094 51101 51102 51103 51104 51105
    51106 51107 51108 51109 51111 51112 51113 51115 51117 51119 51120 51121 51122 51125 51126 51127 51128 51129
    51130 51131 51132 51135 51136 51137 51138 51139 51148 51150 51155 51169 51170 51174 51180 51185 51186 51187
    51201 51202 51203 51204 51205 51206 51207 51277 51278 51279 51280 51286 51333 51507 51511 51512 51514 51537
    54000 54001 54004 54007 54009 54030 54035 54036 54070 54084 54085 54092 54094 59110 59113 59401 59402 59550
    """.split()  # noqa: SIM905  # a line a code would be two pages
)
"""Codes that say in OKX's own words why an order was not taken."""

OF_SETTINGS: Final = frozenset(
    {"51171", "51513", "54071", "55000", "59300", "59301", "59303", "59668", "59669", "59670"}
)
"""About leverage and positions for the most part: surprising on a new order, and a refusal all the same."""

OF_TRIGGERS: Final = frozenset(
    """
    51250 51252 51257 51258 51259 51260 51261 51275 51276 51281 51287 51295 51299 51300 51302 51303 51304 51305
    51306 51307 51308 51309 51311 51312 51317
    """.split()  # noqa: SIM905  # a line a code would be two pages
)
"""About orders that wait for a trigger."""

OF_CHANGES: Final = ("51500", "51501", "51502", "51503", "51506")
OF_OTHER_REQUESTS: Final = ("51400", "51405", "51406", "51603", "58004", "58102", "58116", "58350", "59000", "59109")


def test_the_table_is_this_one() -> None:
    evidence = {row.evidence.code if isinstance(row.evidence, Code) else row.evidence: row.outcome for row in PROVES}

    assert evidence == TABLE
    assert all(row.why for row in PROVES)


@pytest.mark.parametrize("row", PROVES, ids=lambda row: str(row.evidence))
def test_every_row_of_the_table_is_what_is_concluded(row: object) -> None:
    evidence, outcome = row.evidence, row.outcome  # type: ignore[attr-defined]

    errors = _as_answered(evidence.code) if isinstance(evidence, Code) else [evidence("nothing left", PLACE)]

    assert {proves(error) for error in errors} == {outcome}


def test_what_is_not_a_known_refusal_is_unknown() -> None:
    rejected = {
        code
        for code in map(str, [*range(10), *range(50_000, 60_001)])
        if Outcome.REJECTED in {proves(error) for error in _as_answered(code)}
    }

    assert rejected - OF_SETTINGS == REFUSES | OF_TRIGGERS


@pytest.mark.parametrize("code", [*OF_CHANGES, *OF_OTHER_REQUESTS])
def test_the_answer_to_another_request_proves_nothing(code: str) -> None:
    about_a_change = {proves(error, About.CHANGE) for error in _as_answered(code)}

    assert {proves(error) for error in _as_answered(code)} == {Outcome.UNKNOWN}
    assert about_a_change == {Outcome.REJECTED if code in OF_CHANGES else Outcome.UNKNOWN}


def test_no_code_ever_proves_that_nothing_was_sent_or_that_an_order_was_accepted() -> None:
    concluded = {proves(error) for code in map(str, range(50_000, 60_001)) for error in _as_answered(code)}

    assert concluded == {Outcome.REJECTED, Outcome.UNKNOWN}


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
@pytest.mark.parametrize("code", ["51008", "50011", "50111"])
def test_a_servers_fault_proves_nothing_whatever_code_it_carries(code: str, status: int) -> None:
    assert proves(refusal(PLACE, Answered(code, "", status))) is Outcome.UNKNOWN


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_an_answer_that_is_not_okxs_proves_nothing(status: int) -> None:
    assert proves(Unknown("no answer of OKX's", PLACE, Answered("", "", status))) is Outcome.UNKNOWN


@pytest.mark.parametrize("kind", NotSent.__subclasses__())
def test_every_way_of_not_sending_is_not_sent(kind: type[OkxError]) -> None:
    assert proves(kind("nothing left", PLACE)) is Outcome.NOT_SENT


def _as_answered(code: str) -> list[OkxError]:
    """This code as a whole answer, and as the order's own row."""
    answered = Answered(code, "", 200)
    return [refusal(PLACE, answered), OrderRefused.from_answer(PLACE, answered), Refused("said", PLACE, answered)]
