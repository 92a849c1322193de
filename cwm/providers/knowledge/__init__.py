"""World knowledge models: task and state knowledge that guides the next action."""
