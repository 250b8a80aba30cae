"""How the exchange says no: the codes it uses, and the two ways they travel.

`Refused` is about one order of a request and becomes a row with sCode, or the envelope where rows have none.
`RequestRefused` is about the request and becomes the envelope. The words are ours; a client should go by the code.
"""

from typing import Final

__all__ = ["HTTP_STATUS", "Refused", "RequestRefused"]

HTTP_STATUS: Final = {
    "50000": 400,
    "50001": 503,
    "50002": 400,
    "50006": 400,
    "50011": 429,
    "50014": 400,
    "50015": 400,
    "50115": 405,
    "50119": 401,
    "51000": 400,
    "58114": 400,
} | {str(code): 401 for code in range(50101, 50115)}
"""Where a code comes with another HTTP status than 200."""


class Refused(Exception):
    """One order was refused. `sub_code` refines some codes."""

    def __init__(self, code: str, message: str, sub_code: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.sub_code = sub_code


class RequestRefused(Exception):
    """The whole request was refused. At the gateway (`bare`) the answer has no `data`."""

    def __init__(self, code: str, message: str, *, bare: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.bare = bare

    @property
    def status(self) -> int:
        return HTTP_STATUS.get(self.code, 200)
