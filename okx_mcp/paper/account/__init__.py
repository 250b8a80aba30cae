"""What happens to an account: orders, positions, margin, triggers, fees and bills, and the store that keeps it."""
