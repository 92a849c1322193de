"""A server of the protocol's package that tells wrong arguments in our words."""

from typing import Any

from pydantic import ValidationError

from cwm.mcp.refusals import refusal_of


def tool_server_class() -> Any:
    """Returns the package's server, with that difference; needs the extra `[mcp]`."""
    from mcp.server import MCPServer  # noqa: PLC0415 - an extra
    from mcp.server.mcpserver.exceptions import ToolError  # noqa: PLC0415 - an extra

    server_class: Any = MCPServer[Any]

    class ToolServer(server_class):  # type: ignore[misc]
        async def call_tool(
            self, name: str, arguments: dict[str, Any], context: Any = None
        ) -> Any:
            try:
                return await super().call_tool(name, arguments, context)
            except ToolError as error:
                wrong = error.__cause__
                if not isinstance(wrong, ValidationError):
                    raise
                told = refusal_of(wrong.errors(include_url=False))
                raise ToolError(f"Error executing tool {name}: {told}") from wrong

    return ToolServer
