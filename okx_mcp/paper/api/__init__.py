"""How requests are let in and answered: keys, rate limits, envelopes, and one function an endpoint."""
