"""How a message is read and written: the one place that knows its structure."""
