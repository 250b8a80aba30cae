"""An exchange that speaks OKX's v5 API, deterministic, in process or on loopback.

A request comes in through `api.asgi` or directly through `exchange`, passes `api.keys` and `api.throttle`, and
reaches one of `api.endpoints`. What it reads of the market is computed by `market.quotes` from `prices`, `tape`,
`books` and `bars`; what it does to the account goes through `account.intake`, `rules`, `dealing`, `matching` and
`bookkeeping` into the `ledger`, which a `store` keeps.
"""
