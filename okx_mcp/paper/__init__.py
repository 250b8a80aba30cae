"""An exchange that speaks OKX's v5 API, deterministic, in process or on loopback.

A request comes in through `api.asgi` or directly through `exchange`, passes `api.keys` and `api.throttle`, and
reaches one of `api.endpoints`. What it reads of the market is computed by `market.quotes` from `prices`, `tape`,
`books` and `bars`, for every instrument of the `listing`. Before it acts, `account.timeline` lets everything happen
to the account that did since the last request: fills, triggers, funding, expiry, liquidation. What it does goes through
`account.intake`, `rules` or `position_rules`, `dealing`, `matching` and `bookkeeping` or `position_fills` into the
`ledger`, which a `store` keeps.
"""
