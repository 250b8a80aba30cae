"""A way to a server on loopback that takes time, as the way to an exchange does: a TCP proxy in its own process."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

__all__ = ["at_a_distance"]

_STREAM: Final = b"GET /ws/"


@contextmanager
def at_a_distance(
    port: int, round_trip_s: float, *, streams: bool = True, cut_after_s: float | None = None
) -> Iterator[int]:
    """The port behind which the server on `port` is that far away.

    Without `streams` WebSockets are turned away; with `cut_after_s` every connection is cut when it is so old.
    """
    ours, theirs = multiprocessing.Pipe()
    arguments = (theirs, port, round_trip_s / 2, streams, cut_after_s)
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=arguments, daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Any, port: int, one_way_s: float, streams: bool, cut_after_s: float | None) -> None:
    async def serve() -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            first = await reader.read(65_536)
            if first.startswith(_STREAM) and not streams:
                writer.close()
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            if cut_after_s is not None:
                asyncio.get_running_loop().call_later(cut_after_s, writer.transport.abort)
            await asyncio.gather(
                _carry(reader, far_writer, one_way_s, first), _carry(far_reader, writer, one_way_s, b"")
            )

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, one_way_s: float, first: bytes) -> None:
    """Bytes arrive in their order, each so much later; what is on its way does not hold up what is read."""
    loop = asyncio.get_running_loop()

    def arrive(data: bytes) -> None:
        if not writer.is_closing():
            writer.write(data) if data else writer.close()

    def later(data: bytes) -> None:
        loop.call_later(one_way_s, arrive, data)

    if first:
        later(first)
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            later(data)
    later(b"")
