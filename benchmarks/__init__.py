"""Measurements. Not tests: nothing here passes or fails, it prints figures."""
