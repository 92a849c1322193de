"""A server of the protocol's package that tells wrong arguments in our words.

Imported only by who serves: the package comes with an extra.
"""

from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, InputRequiredResult
from pydantic import ValidationError

from cwm.mcp.refusals import refusal_of


class ToolServer(MCPServer[Any]):
    """The package's server, with that difference."""

    async def call_tool(
        self,
        name: str,
        arguments: dict[str, Any],
        context: "Context[Any, Any] | None" = None,
    ) -> CallToolResult | InputRequiredResult:
        """Calls a tool.

        Raises:
            ToolError: If the call is refused, or fails.
        """
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            wrong = error.__cause__
            if not isinstance(wrong, ValidationError):
                raise
            told = refusal_of(wrong.errors(include_url=False))
            raise ToolError(f"Error executing tool {name}: {told}") from wrong
