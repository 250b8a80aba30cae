"""The proving ground: experiments that break what can break around an order, and count what went wrong.

    python -m tests.proving lives --n 1000 --seed 1

prints one JSON line and ends with 0 only if nothing was doubled, lost, misreported or left unresolved. What failed is
told step by step on standard error, with the command that replays it.
"""
