"""What a person reads, turned back into the body that it stands for; None where it is none, or contradicts itself.

Shares no code with what writes the text. What is not said in it, because it follows from the account and the kind of
instrument, is derived here once more: tdMode of a pair without margin, and tgtCcy.
"""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, ROUND_UP, Context, Decimal
from typing import Any, Final

from tests.proving.intents import Rules

__all__ = ["Body", "RulesOf", "body_of_line", "body_of_text"]

Body = dict[str, Any]

_N: Final = r"[0-9]+(?:\.[0-9]+)?"
_CCY: Final = r"[A-Z0-9]+"
_ID: Final = r"[A-Z0-9_]+(?:-[A-Z0-9_]+)+"
_USD: Final = r"[0-9,]+\.[0-9]{2} USD"
_AWAY: Final = rf"(?:{_N} % (?:above|below)|less than 0\.01 % from)"
_FAR: Final = "(?:, FAR AWAY)?"
_KINDS: Final = {
    "trigger order": "trigger",
    "stop-loss order": "conditional",
    "take-profit order": "conditional",
    "take-profit and stop-loss order, one cancels the other": "oco",
    "trailing stop": "move_order_stop",
}
_TERMS: Final = (
    rf"(?:, (?P<tdMode>cash|cross|isolated)(?: {_N}x)?)?(?:, margin in (?P<marginCcy>{_CCY}))?"
    r"(?:, (?P<posSide>long|short) position)?(?P<reduces>, reduce only)?"
)
_STAYS: Final = re.sub(r"\?P<[A-Za-z]+>", "?:", _TERMS)
"""The terms of an order that would change, which no body says again."""
_WAS: Final = rf"{_N} at (?:{_N}|(?:market|{_N}) once [^,]+?)"
"""Size and price of an order that would change, or size and what it waits for."""
_LEVERAGE: Final = (
    rf"set leverage of (?P<levered>{_ID})(?: and [0-9]+ more contracts? of its family)?, "
    r"(?P<mgnMode>cross|isolated)(?: (?P<leverSide>long|short))?, "
    rf"(?:from {_N}x )?to (?P<lever>{_N})x"
)
_TRANSFER: Final = (
    rf"transfer (?P<amt>{_N}) (?P<ccy>{_CCY}) from the (?P<from>funding|trading) to the (?P<to>funding|trading) account"
)
_TITLE: Final = re.compile(
    r"(?P<env>PAPER \(no real money\)|DEMO \(no real money\)|LIVE, REAL MONEY): (?:"
    rf"(?P<side>buy|sell) (?P<instId>{_ID}), (?P<ordType>[a-z_]+|{'|'.join(_KINDS)}){_TERMS}"
    rf"|change (?:buy|sell) (?P<changed>{_ID}) order (?P<ordId>[0-9]+), now {_WAS}{_STAYS}, to"
    rf"|{_LEVERAGE}|{_TRANSFER})"
)
_REST: Final = tuple(
    map(
        re.compile,
        (
            r"Size: (?P<size>.+)",
            rf"Price: (?P<atMarket>at market, about )?(?P<px>{_N}) (?P<pxCcy>{_CCY})"
            rf"(?:, {_AWAY} the last price {_N}{_FAR})?",
            rf"Waits: (?P<waits>.+?); the last price is (?P<last>{_N}) now(?:, {_N} is {_AWAY} it{_FAR})*",
            r"Effect: [ -~]+",
            r"Then: once it is filled OKX (?P<does>sells it|buys it back) at market when the last price reaches "
            r"(?P<then>[ -~]+)",
            r"Fee: [ -~]+",
            rf"Value: (?:about )?(?P<value>{_N}) {_CCY}, (?:counted as (?P<usd>{_USD}) of {_USD} for one order"
            r"|not counted: it can only reduce)",
            rf"Day: {_USD} of {_USD} in 24 hours, with this order",
            rf"Available there: {_N} {_CCY}",
            r"Ticket: (?P<ticket>[a-z0-9]+), good until [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z"
            rf"(?:; prices asked for, {_N} s old)?",
        ),
    )
)
_WAITS: Final = re.compile(
    rf"at (?P<orderPx>market|{_N}) once the (?P<triggerType>last|mark|index) price reaches (?P<triggerPx>{_N})"
    rf"|at market once the last price has (?P<turned>risen from its lowest|fallen from its highest)"
    rf"(?: since it reached (?P<activePx>{_N}))? by (?P<percent>{_N}) %"
    r"|at market once the (?P<exitType>last|mark|index) price reaches "
    rf"(?P<exits>{_N} \((?:take profit|stop loss)\)(?: or {_N} \(stop loss\))?)"
)
_EXIT: Final = re.compile(
    rf"(?P<name>take profit|stop loss) (?P<price>{_N})"
    rf"|(?P<before>{_N}) \((?P<after>take profit|stop loss)(?:, {_AWAY} the price{_FAR})?\)"
)
_DISTANCES: Final = (
    (
        re.compile(rf"(?P<price>{_N}) \w+, (?P<percent>{_N}) % (?P<way>above|below) the last price (?P<other>{_N})"),
        None,
    ),
    (re.compile(rf"(?P<price>{_N}) is (?P<percent>{_N}) % (?P<way>above|below) it"), "last"),
    (re.compile(rf"(?P<price>{_N}) \([a-z ]+, (?P<percent>{_N}) % (?P<way>above|below) the price"), "px"),
)
"""How far a price is from another that is beside it, or on a line of its own."""
_OF_LINE: Final = tuple(
    re.compile(rf"(?P<env>PAPER|DEMO|LIVE): {each}")
    for each in (
        rf"(?P<side>buy|sell) (?P<size>.+?) at (?P<px>{_N}) (?P<pxCcy>{_CCY}) = (?P<value>{_N}) {_CCY} "
        rf"\((?P<instId>{_ID}) limit order(?:, (?P<ordType>post_only|ioc|fok))?{_TERMS}"
        r"(?:, then (?P<then>[a-z0-9. ]+))?\)",
        rf"(?P<side>buy|sell) for (?P<spent>{_N}) (?P<spentCcy>{_CCY}) at market, about {_N} {_CCY} at (?P<px>{_N}) "
        rf"\((?P<instId>{_ID}) (?P<atMarket>market) order{_TERMS}(?:, then (?P<then>[a-z0-9. ]+))?\)",
        rf"(?P<side>buy|sell) (?P<size>.+?) at market, about (?P<about>{_N} {_CCY}) at (?P<px>{_N}) "
        rf"\((?P<instId>{_ID}) (?P<atMarket>market|closing) order{_TERMS}(?:, then (?P<then>[a-z0-9. ]+))?\)",
        rf"(?P<side>buy|sell) (?P<size>.+?) (?P<waits>at (?:market|{_N}) (?:once|at) .+)"
        rf"(?:, about | = )(?P<about>{_N} {_CCY}) \((?P<instId>{_ID}) "
        rf"(?P<way>{'|'.join(_KINDS)}){_TERMS}\)",
        rf"change order (?P<ordId>[0-9]+) to (?:buy|sell) (?P<size>.+?) at (?P<px>{_N}) (?P<pxCcy>{_CCY}) = "
        rf"(?P<value>{_N}) {_CCY} \((?P<changed>{_ID}){_STAYS}(?:, then [a-z0-9. ]+)?, was {_N} at {_N}\)",
        rf"change order (?P<ordId>[0-9]+) to (?:buy|sell) (?P<size>.+?) (?P<waits>at (?:market|{_N}) once .+)"
        rf"(?:, about | = )(?P<about>{_N} {_CCY}) \((?P<changed>{_ID}) "
        rf"(?P<way>{'|'.join(_KINDS)}){_STAYS}, was {_WAS}\)",
        _LEVERAGE,
        _TRANSFER,
    )
)
_READING: Final = re.compile(rf"(?P<about>about )?(?P<n>{_N}) (?P<of>{_CCY}|contracts of {_N} {_CCY})(?: premium)?")
_DOLLARS: Final = ("USDT", "USDC", "USD")
_TWELVE: Final = Context(prec=12, rounding=ROUND_HALF_EVEN)
_FUNDING_OR_TRADING: Final = {"funding": "6", "trading": "18"}
_NEW: Final = "clOrdId"
_NEW_ALGO: Final = "algoClOrdId"


RulesOf = Callable[[str], Rules]
"""The rules of an instrument, which are not on the ticket."""


class _ContradictionError(Exception):
    """The text says two things, or none."""


def body_of_text(lines: list[str], rules_of: RulesOf, environment: str = "paper") -> Body | None:
    """Of the lines under which a person is asked; None also for what is none of this environment."""
    title, *rest = lines
    read = _TITLE.fullmatch(title)
    said: dict[str, str | None] = {} if read is None else read.groupdict()
    for line in rest:
        found = [match for match in (pattern.fullmatch(line) for pattern in _REST) if match]
        if len(found) != 1:
            return None
        said |= found[0].groupdict()
    said["ordType"] = _KINDS.get(said.get("ordType") or "", said.get("ordType"))
    is_whole = read is not None and read["env"].startswith(environment.upper()) and said.get("ticket")
    if not all(_is_so_far(said, line) for line in rest):
        return None
    return _body(said, rules_of) if is_whole else None


def _is_so_far(said: dict[str, str | None], line: str) -> bool:
    """Whether every distance on the line is the one from the price that it names."""
    for pattern, beside in _DISTANCES:
        for found in pattern.finditer(line):
            other = Decimal((said[beside] if beside else found["other"]) or "0")
            off = (Decimal(found["price"]) - other) / other * 100
            is_above = found["way"] == "above"
            if (
                abs(off).quantize(Decimal("0.01"), ROUND_HALF_EVEN) != Decimal(found["percent"])
                or (off > 0) != is_above
            ):
                return False
    return True


def body_of_line(line: str, ticket_id: str, rules_of: RulesOf, environment: str = "paper") -> Body | None:
    """Of the one line that an approval card shows; None also for what is none of this environment."""
    for pattern in _OF_LINE:
        read = pattern.fullmatch(line)
        if read is not None and read["env"] == environment.upper():
            said: dict[str, str | None] = {"ticket": ticket_id, **read.groupdict()}
            said.setdefault("ordType", None)
            if said.get("side") and said["ordType"] is None:
                at_market = "market" if said.get("atMarket") else "limit"
                said["ordType"] = _KINDS[said["way"] or ""] if said.get("way") else at_market
            if said.get("side") and said["tdMode"] is None:
                said["tdMode"] = "cash"
            return _body(said, rules_of)
    return None


def _body(said: dict[str, str | None], rules_of: RulesOf) -> Body | None:
    try:
        if said.get("lever"):
            side = {"posSide": said["leverSide"]} if said["leverSide"] else {}
            return {"instId": said["levered"], "lever": said["lever"], "mgnMode": said["mgnMode"], **side}
        if said.get("amt"):
            ways = {end: _FUNDING_OR_TRADING[said[end] or ""] for end in ("from", "to")}
            return {"type": "0", "ccy": said["ccy"], "amt": said["amt"], **ways, "clientId": said["ticket"]}
        if said.get("ordId"):
            waits = _new_waits(said, said.get("waits"))
            size = _size(said, rules_of(said["changed"] or ""))["sz"]
            ids = {"instId": said["changed"], "algoId" if waits else "ordId": said["ordId"], "reqId": said["ticket"]}
            return ids | {"newSz": size} | (waits or {"newPx": said["px"]})
        return _order(said, rules_of)
    except _ContradictionError:
        return None


def _order(said: dict[str, str | None], rules_of: RulesOf) -> Body:
    rules = rules_of(said["instId"] or "")
    body: Body = {name: said[name] for name in ("instId", "tdMode", "side", "ordType")}
    if said["posSide"]:
        body["posSide"] = said["posSide"]
    elif said["reduces"]:
        body["reduceOnly"] = True
    if said["marginCcy"]:
        body["ccy"] = said["marginCcy"]
    waits = said.get("waits")
    body |= _waits(said, waits) if waits else {}
    body |= _size(said, rules)
    counts = (body["ordType"], body["side"]) == ("conditional", "buy") if waits else said.get("atMarket")
    if rules["instType"] == "SPOT" and counts:
        body.setdefault("tgtCcy", "base_ccy")
    else:
        body.pop("tgtCcy", None)
    if said["ordType"] in ("limit", "post_only", "ioc", "fok"):
        body["px"] = said["px"]
    body[_NEW_ALGO if waits else _NEW] = said["ticket"]
    if said.get("does") not in (None, "sells it" if said["side"] == "buy" else "buys it back"):
        raise _ContradictionError
    if said.get("then"):
        body["attachAlgoOrds"] = [{"attachAlgoClOrdId": f"{said['ticket']}x", **_exits(said["then"] or "", "last")}]
    return body


def _new_waits(said: dict[str, str | None], waits: str | None) -> Body:
    """What a change says of the prices that are waited for: all of them, and of none which price it is."""
    if waits is None:
        return {}
    said["ordType"] = _KINDS[said["way"] or ""] if said.get("way") else "oco" if " or " in waits else None
    found = {"ordPx" if name == "orderPx" else name: price for name, price in _waits(said, waits).items()}
    return {f"new{name[0].upper()}{name[1:]}": price for name, price in found.items() if not name.endswith("Type")}


def _waits(said: dict[str, str | None], waits: str) -> Body:
    read = _WAITS.fullmatch(waits)
    if read is None:
        raise _ContradictionError
    if read["triggerPx"]:
        at = "-1" if read["orderPx"] == "market" else read["orderPx"]
        said["px"] = read["triggerPx"] if at == "-1" else at
        return {"triggerPx": read["triggerPx"], "triggerPxType": read["triggerType"], "orderPx": at}
    if read["percent"]:
        if (read["turned"] == "risen from its lowest") != (said["side"] == "buy"):
            raise _ContradictionError
        said["px"] = _most_of_trail(read["activePx"] or said.get("last"), read["percent"], said["side"])
        since = {"activePx": read["activePx"]} if read["activePx"] else {}
        return {"callbackRatio": f"{(Decimal(read['percent']) / 100).normalize():f}", **since}
    exits = _exits(read["exits"], read["exitType"])
    said["px"] = max((exits[name] for name in ("tpTriggerPx", "slTriggerPx") if name in exits), key=Decimal)
    if (len(exits) > 3) != (said["ordType"] == "oco"):  # three fields each
        raise _ContradictionError
    return exits


def _most_of_trail(since: str | None, percent: str, side: str | None) -> str | None:
    """What a trailing order is valued at: a buy at the highest that it may still pay, a sale where it begins."""
    if since is None:
        return None
    return f"{Decimal(since) * (1 + Decimal(percent) / 100):f}" if side == "buy" else since


def _exits(text: str, price_type: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for what, price in (
        (each["name"] or each["after"], each["price"] or each["before"]) for each in _EXIT.finditer(text)
    ):
        name = {"take profit": "tp", "stop loss": "sl"}[what]
        found |= {f"{name}TriggerPx": price, f"{name}TriggerPxType": price_type, f"{name}OrdPx": "-1"}
    if not found or _EXIT.sub("", text).strip() not in ("", "or"):
        raise _ContradictionError
    return found


# --- sizes --------------------------------------------------------------------------------------------------------


def _size(said: dict[str, str | None], rules: Rules) -> Body:
    """sz, and tgtCcy of a pair: every reading has to be the same size at the price that is shown."""
    if said.get("spent"):
        if said["spentCcy"] != rules["quoteCcy"]:
            raise _ContradictionError
        return {"sz": said["spent"], "tgtCcy": "quote_ccy"}
    texts = [*(said["size"] or "").split(" = "), *filter(None, [said.get("about")])]
    readings = [_READING.fullmatch(each) for each in texts]
    if not readings or None in readings:
        raise _ContradictionError
    found = [(each["n"], each["of"]) for each in readings if each is not None]
    price, value = _number(said.get("px")), _number(said.get("value"))
    if rules["instType"] == "SPOT":
        size = _of_pair(found, rules, price, value)
    else:
        size = _of_contracts(found, rules, price, value)
    _check_dollars(said, rules, value)
    return size


def _number(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None


def _of_pair(found: list[tuple[str, str]], rules: Rules, price: Decimal | None, value: Decimal | None) -> Body:
    by_ccy = {ccy: Decimal(number) for number, ccy in found}
    base, quote = by_ccy.get(rules["baseCcy"]), by_ccy.get(rules["quoteCcy"], value)
    first = found[0][1]
    if (
        base is None
        or not by_ccy.keys() <= {rules["baseCcy"], rules["quoteCcy"]}
        or (None not in (quote, value) and quote != value)
    ):
        raise _ContradictionError
    if price is not None and quote is not None:
        is_same = base * price == quote if first == rules["baseCcy"] else base == _TWELVE.divide(quote, price)
        if not is_same:
            raise _ContradictionError
    return {"sz": found[0][0], "tgtCcy": "base_ccy" if first == rules["baseCcy"] else "quote_ccy"}


def _of_contracts(found: list[tuple[str, str]], rules: Rules, price: Decimal | None, value: Decimal | None) -> Body:
    base_ccy, _, quote_ccy = rules["uly"].partition("-")
    (contracts, of), *others = found
    worth = Decimal(rules["ctVal"]) * Decimal(rules["ctMult"] or 1)
    if of != f"contracts of {worth.normalize():f} {rules['ctValCcy']}":
        raise _ContradictionError
    total = Decimal(contracts) * worth
    is_worth_base = rules["ctValCcy"] == base_ccy
    pays_in = rules["settleCcy"] if rules["instType"] == "OPTION" else quote_ccy
    true: set[tuple[Decimal, str]] = {(total, rules["ctValCcy"])}
    if price is not None:
        true.add((total * price, pays_in) if is_worth_base else (_TWELVE.divide(total, price), base_ccy))
    read = {(Decimal(number), ccy) for number, ccy in others}
    if (price is not None and not read <= true) or not read:
        raise _ContradictionError
    if value is not None and price is not None and value != (total * price if is_worth_base else total):
        raise _ContradictionError
    return {"sz": contracts}


def _check_dollars(said: dict[str, str | None], rules: Rules, value: Decimal | None) -> None:
    """A value in a dollar currency is that many dollars, where nothing but the price shown can be paid."""
    quote_ccy = rules["quoteCcy"] or rules["uly"].partition("-")[2]
    is_exact = said.get("side") == "buy" and not said.get("atMarket") and not said.get("waits")
    if value is None or not said.get("usd") or rules["instType"] == "OPTION" or quote_ccy not in _DOLLARS:
        return
    in_dollars = Decimal((said["usd"] or "").removesuffix(" USD").replace(",", ""))
    if is_exact and in_dollars != value.quantize(Decimal("0.01"), ROUND_UP):
        raise _ContradictionError
