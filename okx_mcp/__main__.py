"""`python -m okx_mcp` is the okx-mcp command."""

from okx_mcp.cli import main

main()
