"""A way to a server on loopback that takes time, as the way to an exchange does: a TCP proxy in its own process."""

import asyncio
import itertools
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Faults", "at_a_distance"]

_STREAM: Final = b"GET /ws/"


@dataclass(frozen=True, slots=True)
class Faults:
    """What befalls each connection when it is so old: it is cut, and every so many-th goes dumb instead."""

    after_s: float
    dumb_one_in: int


@contextmanager
def at_a_distance(
    port: int, round_trip_s: float, *, streams: bool = True, faults: Faults | None = None
) -> Iterator[int]:
    """The port behind which the server on `port` is that far away. Without `streams` WebSockets are turned away."""
    ours, theirs = multiprocessing.Pipe()
    arguments = (theirs, port, round_trip_s / 2, streams, faults)
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=arguments, daemon=True)
    process.start()
    theirs.close()  # so that a child that dies is not waited for
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Any, port: int, one_way_s: float, streams: bool, faults: Faults | None) -> None:
    async def serve() -> None:
        numbers = itertools.count(1)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            first = await reader.read(65_536)
            if first.startswith(_STREAM) and not streams:
                writer.close()
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            is_dumb = False

            def befall(number: int) -> None:
                nonlocal is_dumb
                if faults is not None and number % faults.dumb_one_in == 0:
                    is_dumb = True
                else:
                    writer.transport.abort()

            if faults is not None:
                asyncio.get_running_loop().call_later(faults.after_s, befall, next(numbers))
            await asyncio.gather(
                _carry(reader, far_writer, one_way_s, first, lambda: is_dumb),
                _carry(far_reader, writer, one_way_s, b"", lambda: is_dumb),
            )

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


async def _carry(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    one_way_s: float,
    first: bytes,
    is_dumb: Callable[[], bool],
) -> None:
    """Bytes arrive in their order, each so much later; what is on its way does not hold up what is read."""
    loop = asyncio.get_running_loop()

    def arrive(data: bytes) -> None:
        if not writer.is_closing():
            writer.write(data) if data else writer.close()

    def later(data: bytes) -> None:
        if not (data and is_dumb()):
            loop.call_later(one_way_s, arrive, data)

    if first:
        later(first)
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            later(data)
    later(b"")
