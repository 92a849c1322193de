"""What to tell the user where programs cannot be run here."""

from cwm.core.errors import PrerequisiteError
from sandbox.errors import CapabilityMissing, SandboxUnavailable


def no_sandbox(error: SandboxUnavailable) -> PrerequisiteError:
    """Returns the error of a command, which names the option that decides."""
    is_package = isinstance(error, CapabilityMissing)
    option = "--capabilities" if is_package else "--isolation"
    return PrerequisiteError(f"SandboxUnavailable: {error} (The option is {option}.)")
