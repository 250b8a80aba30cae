"""Finding an endpoint by words: plain scores, the same answer for the same words."""

import re
from collections.abc import Iterable
from typing import Final

from okx_mcp.okx.reading import ReadEndpoint

__all__ = ["found"]

_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_SAYS_NOTHING: Final = frozenset(
    {"a", "all", "an", "and", "are", "by", "do", "for", "from", "get", "how", "i", "in", "is", "it", "me", "of", "on"}
    | {"or", "show", "the", "to", "what", "which", "with"}
)
_PATH, _SUMMARY, _PARAMETER = 3, 4, 1
_ROOMS: Final = ("market", "public", "account", "trade", "asset")
_BEGINNING: Final = 4
"""Letters that two words must share from the start to count, half, as the same: borrow and borrowing."""


def found(endpoints: Iterable[ReadEndpoint], query: str) -> list[ReadEndpoint]:
    """Those that fit the words, the best first; none where no word fits.

    A word counts by where it stands: in the path or the summary most, among the parameters least. Endpoints that
    fit more of the words come before those that fit one of them well.
    """
    words = _words(query) - _SAYS_NOTHING or _words(query)
    scored = [(each, [_score(each, word) for word in sorted(words)]) for each in endpoints]
    fitting = [(each, scores) for each, scores in scored if any(scores)]
    fitting.sort(key=lambda pair: (-sum(map(bool, pair[1])), -sum(pair[1]), *_nearness(pair[0])))
    return [each for each, _ in fitting]


def _nearness(endpoint: ReadEndpoint) -> tuple[int, int, str]:
    """What comes first of those that fit alike: short paths, then what most people mean."""
    room = endpoint.path.partition("/")[0]
    return len(_words(endpoint.path)), _ROOMS.index(room) if room in _ROOMS else len(_ROOMS), endpoint.path


def _score(endpoint: ReadEndpoint, word: str) -> int:
    places = (
        (_PATH, _words(endpoint.path)),
        (_SUMMARY, _words(endpoint.what)),
        (_PARAMETER, {part for each in endpoint.parameters for part in _words(each.name)}),
    )
    return sum(weight * _fits(word, written) for weight, written in places)


def _fits(word: str, written: set[str]) -> int:
    """2 for the word itself, 1 for one that begins alike, else 0."""
    if word in written:
        return 2
    return int(len(word) >= _BEGINNING and any(each.startswith(word) or _begins(word, each) for each in written))


def _begins(word: str, written: str) -> bool:
    return len(written) >= _BEGINNING and word.startswith(written)


def _words(text: str) -> set[str]:
    """The words of a text or a name in lower case, without a plural's s."""
    return {each.lower().removesuffix("s") if len(each) > 3 else each.lower() for each in _WORD.findall(text)}  # noqa: PLR2004
