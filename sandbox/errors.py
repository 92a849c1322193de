"""Exceptions of the sandbox: what is nobody's candidate's fault."""


class SandboxUnavailable(RuntimeError):  # noqa: N818 - named after the event
    """The sandbox itself does not work here; no candidate was judged."""


class CapabilityMissing(SandboxUnavailable):
    """A package is not installed that a capability needs."""


class ProtocolError(ValueError):
    """Bytes from a child that are not what was agreed."""
