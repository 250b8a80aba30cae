"""What an order does to an account: checks, matching, fees, bills, and the store that keeps it."""
