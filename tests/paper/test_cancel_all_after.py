"""trade/cancel-all-after: what is not renewed in time is cancelled, at its moment, by its tag."""

import pytest

from tests.paper.conftest import SECOND_US, Api, Clock

PATH = "trade/cancel-all-after"


def resting(api: Api, tag: str = "") -> str:
    return api.limit("buy", (api.last() * 97 / 100).quantize(api.last()), "0.01", tag=tag)


def test_a_time_that_runs_out_cancels_the_orders_of_its_tag_and_no_other(api: Api, clock: Clock) -> None:
    mine, other = resting(api, "mine"), resting(api, "other")

    row = api.post(PATH, {"timeOut": "10", "tag": "mine"}).row
    clock.pass_us(9 * SECOND_US)
    before = api.order(mine)["state"]
    clock.pass_us(2 * SECOND_US)
    after = api.order(mine)

    assert (row["triggerTime"], row["tag"]) == (str(int(row["ts"]) + 10_000), "mine")
    assert (before, after["state"], after["cancelSource"]) == ("live", "canceled", "20")
    assert after["uTime"] == row["triggerTime"]
    assert api.order(other)["state"] == "live"


def test_a_time_that_is_renewed_begins_anew_and_zero_switches_it_off(api: Api, clock: Clock) -> None:
    order = resting(api)

    for _ in range(3):
        api.post(PATH, {"timeOut": "10"})
        clock.pass_us(9 * SECOND_US)
    off = api.post(PATH, {"timeOut": "0"}).row
    clock.pass_us(60 * SECOND_US)

    assert (off["triggerTime"], off["tag"]) == ("0", "")
    assert api.order(order)["state"] == "live"


def test_without_a_tag_it_cancels_everything(api: Api, clock: Clock) -> None:
    orders = [resting(api, "mine"), resting(api)]

    api.post(PATH, {"timeOut": "10"})
    clock.pass_us(11 * SECOND_US)

    assert {api.order(each)["state"] for each in orders} == {"canceled"}


@pytest.mark.parametrize(
    ("time_out", "code"), [("9", "51000"), ("121", "51000"), ("1e1", "51000"), ("-10", "51000"), ("", "50014")]
)
def test_a_time_is_from_10_to_120_seconds_or_zero(api: Api, time_out: str, code: str) -> None:
    assert api.post(PATH, {"timeOut": time_out}).code == code
