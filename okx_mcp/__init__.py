"""An MCP server through which a language model reads and trades an OKX account."""

__version__ = "0.1.0"
