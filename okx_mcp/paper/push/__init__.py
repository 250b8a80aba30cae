"""The WebSocket face of the paper exchange: /ws/v5/public, /ws/v5/private and /ws/v5/business.

`server` keeps the connections and tells them what became of orders; a `connection` answers one client and decides what
is due to it; `pushes` says what each channel sends, `order_rows` what it says of orders; `sockets` carries the texts.
"""
