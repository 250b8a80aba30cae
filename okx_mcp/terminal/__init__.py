"""What a person does in a terminal, outside of any chat."""
