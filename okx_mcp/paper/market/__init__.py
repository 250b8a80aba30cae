"""Prices, books, trades and candles of every moment, cut from one path that a seed and a time determine."""
