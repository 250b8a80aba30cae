"""An exchange that speaks OKX's v5 API, deterministic, in process or on loopback.

A request comes in through `asgi` or directly through `exchange`, passes `keys` and `throttle`, and reaches one
of the `endpoints`. What it reads of the market is computed by `market` from `prices`, `tape`, `books` and
`bars`; what it does to the account goes through `intake`, `rules`, `dealing`, `matching` and `accounts` into
the `ledger`, which a `store` keeps.
"""
