"""What OKX pushes over WebSockets, kept current for as long as somebody wants it.

`streams` is the way in: a feed for each channel, handed out for as long as it is used. A `session` keeps one
`connection` of a path up and closes it when nothing is wanted of it any more. What arrives is read by `messages` and
taken by the feeds: `feeds` keeps what is newest or comes in order, `books`, `holdings` and `orders` keep what adds up.
"""
