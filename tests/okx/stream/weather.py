"""A wire that fails beneath a stream: cut, stalled, late, held up, half a frame, lost, doubled, overtaken."""

import random
from collections import Counter, deque
from dataclasses import dataclass

from okx_mcp.okx.stream.socket import OpenSocket, Socket, SocketClosed
from tests.clocks import VirtualClock

__all__ = ["FaultySocket", "Weather"]


class Weather:
    """What befalls messages with rows: a share of each, by a seed; `is_fair` while nothing does."""

    def __init__(self, clock: VirtualClock, seed: int, **shares: float) -> None:
        self.is_fair = False
        self.met: Counter[str] = Counter()
        self._clock = clock
        self._random = random.Random(seed)  # noqa: S311
        self._shares = shares

    def over(self, open_socket: OpenSocket) -> OpenSocket:
        async def opened(url: str) -> Socket:
            return FaultySocket(await open_socket(url), self)

        return opened

    def next(self) -> str | None:
        drawn = self._random.random()
        for name, share in self._shares.items():
            drawn -= share
            if drawn < 0 and not self.is_fair:
                self.met[name] += 1
                return name
        return None

    async def delay(self, name: str) -> None:
        shortest_s, longest_s = {"late": (0.05, 0.4), "held": (1.0, 15.0)}[name]
        await self._clock.sleep(self._random.uniform(shortest_s, longest_s))

    async def for_ever(self) -> None:
        await self._clock.sleep(1e9)

    def code(self) -> int:
        return self._random.choice([1006, 1001, 4002, 4004, 4005, 4006, 4008, 4009])


@dataclass
class FaultySocket:
    """A socket in this weather."""

    inner: Socket
    weather: Weather

    def __post_init__(self) -> None:
        self.next: deque[str] = deque()

    async def send(self, text: str) -> None:
        await self.inner.send(text)

    async def receive(self) -> str:
        if self.next:
            return self.next.popleft()
        text = await self.inner.receive()
        if '"data"' not in text:
            return text
        match self.weather.next():
            case "cut":
                await self.inner.close()
                raise SocketClosed(self.weather.code())
            case "half":
                return text[: len(text) // 2]
            case "twice":
                self.next.append(text)
            case "overtaken":
                later = await self.inner.receive()
                self.next.append(text)
                return later
            case "lost":
                return await self.receive()
            case "stalled":
                await self.weather.for_ever()
            case "held" | "late" as name:
                await self.weather.delay(name)
        return text

    async def close(self) -> None:
        await self.inner.close()
