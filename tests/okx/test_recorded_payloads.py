"""Real and documented answers of OKX are read whole: no row is refused and no documented field is lost.

The payloads lie beside the checkout and not in it; where they are missing these tests are skipped.
"""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import ValidationError

from okx_mcp.okx import models
from okx_mcp.okx.models import Row

FACTS: Final = Path(__file__).resolve().parents[3] / "shared" / "okx"
RECORDED: Final = FACTS / "recorded" / "rest"
INVENTORY: Final = FACTS / "endpoints.json"

MODEL_OF: Final[Mapping[str, type[Row]]] = {
    "GET.public.time": models.ServerTime,
    "GET.public.instruments": models.InstrumentRow,
    "GET.public.price-limit": models.PriceLimit,
    "GET.public.mark-price": models.MarkPrice,
    "GET.public.funding-rate": models.FundingRate,
    "GET.public.open-interest": models.OpenInterest,
    "GET.system.status": models.SystemStatus,
    "GET.market.ticker": models.Ticker,
    "GET.market.tickers": models.Ticker,
    "GET.market.books": models.OrderBook,
    "GET.market.candles": models.Candle,
    "GET.market.history-candles": models.Candle,
    "GET.market.trades": models.Trade,
    "GET.market.history-trades": models.Trade,
    "GET.market.index-tickers": models.IndexTicker,
    "GET.account.balance": models.Balance,
    "GET.account.positions": models.Position,
    "GET.account.config": models.AccountConfig,
    "GET.account.instruments": models.InstrumentRow,
    "GET.account.trade-fee": models.TradeFee,
    "GET.account.max-size": models.MaxSize,
    "GET.account.max-avail-size": models.MaxAvailSize,
    "POST.trade.order": models.OrderAck,
    "POST.trade.batch-orders": models.OrderAck,
    "POST.trade.cancel-order": models.CancelAck,
    "POST.trade.cancel-batch-orders": models.CancelAck,
    "POST.trade.amend-order": models.AmendAck,
    "POST.trade.amend-batch-orders": models.AmendAck,
    "GET.trade.order": models.Order,
    "GET.trade.orders-pending": models.Order,
    "GET.trade.orders-history": models.Order,
    "GET.trade.orders-history-archive": models.Order,
    "GET.trade.fills": models.Fill,
    "GET.trade.fills-history": models.Fill,
    "GET.asset.balances": models.FundingBalance,
    "POST.asset.transfer": models.Transfer,
    "GET.asset.transfer-state": models.Transfer,
}

# Some payloads were copied from comments of another program, where blanks got into numbers ("20 00").
# OKX never sent those, and a program that trades must not guess what they mean.
TORN: Final = re.compile(r"-?[0-9.]+(?: +[0-9.]+)+")
EXPONENT: Final = re.compile(r"-?[0-9.]+[eE][+-]?[0-9]+")

PAYLOADS: Final = [path for name in MODEL_OF for path in sorted((RECORDED / name).glob("*.json"))]

needs_inventory = pytest.mark.skipif(not INVENTORY.exists(), reason=f"no field inventory at {INVENTORY}")


@pytest.mark.skipif(not PAYLOADS, reason=f"no recorded payloads at {RECORDED}")
@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_documented_field_of_a_recorded_row_survives_reading_and_writing(path: Path) -> None:
    model, documented = MODEL_OF[path.parent.name], documented_fields(path.parent.name)
    payload = json.loads(path.read_text())

    for row in payload.get("data") or []:
        if is_torn(row):
            with pytest.raises(ValidationError, match="expected a plain decimal number"):
                model.model_validate(row)
        whole = mended(row)
        written = model.model_validate(whole).to_wire()

        if isinstance(whole, list):
            assert list(written.values()) == whole
        else:
            assert not list(lost(whole, written, documented))


@pytest.mark.skipif(not PAYLOADS, reason=f"no recorded payloads at {RECORDED}")
def test_refused_orders_were_recorded_with_their_code() -> None:
    acks = [
        MODEL_OF[path.parent.name].model_validate(row)
        for path in PAYLOADS
        if path.parent.name == "POST.trade.order"
        for row in json.loads(path.read_text())["data"]
    ]

    refused = [ack for ack in acks if isinstance(ack, models.OrderAck) and ack.s_code != "0"]
    assert refused
    assert all(ack.s_code and len(ack.s_code) == 5 for ack in refused)


@needs_inventory
@pytest.mark.parametrize("endpoint", MODEL_OF)
def test_every_documented_field_of_an_endpoint_has_its_place_in_the_model(endpoint: str) -> None:
    placed = set(aliases(MODEL_OF[endpoint]))

    assert not documented_fields(endpoint) - placed


@needs_inventory
@pytest.mark.parametrize("endpoint", MODEL_OF)
def test_a_documented_json_boolean_or_integer_is_written_as_one(endpoint: str) -> None:
    kinds = {"boolean": True, "integer": 7}
    sent = {f["name"]: kinds[f["type"]] for f in inventory(endpoint) if f["type"] in kinds and "." not in f["name"]}

    assert MODEL_OF[endpoint].model_validate(sent).to_wire() == sent


def inventory(endpoint: str) -> list[dict[str, str]]:
    method, path = endpoint.split(".", 1)
    rest: list[dict[str, Any]] = json.loads(INVENTORY.read_text())["rest"]
    wanted = (method, "/api/v5/" + path.replace(".", "/"))
    return next(row["fields"] for row in rest if (row["method"], row["path"]) == wanted)


def documented_fields(endpoint: str) -> set[str]:
    """The endpoint's fields, those of nested objects as `details.ccy`."""
    return {field["name"] for field in inventory(endpoint)}


def aliases(model: type[Row], prefix: str = "") -> Iterator[str]:
    """The names a model reads, in the same form."""
    model.model_rebuild()
    for field in model.model_fields.values():
        assert field.alias is not None
        yield prefix + field.alias
        for inner in re.findall(r"models\.\w+\.(\w+)", str(field.annotation)):
            nested = getattr(models, inner, None)
            if isinstance(nested, type) and issubclass(nested, Row):
                yield from aliases(nested, f"{prefix}{field.alias}.")


def lost(sent: Mapping[str, Any], written: Mapping[str, Any], documented: set[str]) -> Iterator[str]:
    """The documented fields of a row that are not written back as they were sent."""
    for name, value in sent.items():
        if name not in documented:
            continue
        if name not in written:
            yield name
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            inner = {field.removeprefix(f"{name}.") for field in documented if field.startswith(f"{name}.")}
            for before, after in zip(value, written[name], strict=True):
                yield from (f"{name}.{field}" for field in lost(before, after, inner))
        elif not same(value, written[name]):
            yield name


def same(sent: object, written: object) -> bool:
    """Equal, or the same boolean or number in its other JSON type."""
    if isinstance(sent, bool) or isinstance(written, bool):
        return str(sent).lower() == str(written).lower()
    if isinstance(sent, int | float) or EXPONENT.fullmatch(str(sent)):
        return Decimal(str(sent)) == Decimal(str(written))
    nothing = sent in (None, "") and written in (None, "", [])
    return nothing or bool(sent == written)


def is_torn(row: object) -> bool:
    return bool(row != mended(row))


def mended(value: Any) -> Any:
    match value:
        case str() if TORN.fullmatch(value):
            return value.replace(" ", "")
        case list():
            return [mended(part) for part in value]
        case dict():
            return {name: mended(part) for name, part in value.items()}
        case _:
            return value
