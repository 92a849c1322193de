"""A script: a client that has the program of the run `run` verified by `cwm.mcp`."""

import sys
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main() -> None:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "cwm.mcp", "run"]
    )
    async with Client(stdio_client(server)) as client:
        task = await client.call_tool("describe", {})
        source = Path("run/world_model.py").read_text()
        found = await client.call_tool("verify", {"source": source})
    sys.stdout.write(f"{task.content[0].text}\n{found.structured_content}\n")


if __name__ == "__main__":
    anyio.run(main)
