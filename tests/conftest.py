import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "httpx2(**options): options of the router behind `httpx2_mock`")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
