"""Who says how probable a change is, with a hypothesis or without one."""
