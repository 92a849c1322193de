"""Exceptions of the project: what a caller, the machine or a service got wrong.

The tree (a test compares it with the classes)::

    CwmError
    ├── ConfigError
    ├── DataError
    ├── PrerequisiteError
    ├── BudgetExhausted
    ├── LLMError
    ├── ClusterError
    └── InternalError

What a candidate program does wrong is never an exception: it is a
`sandbox.Outcome`, a value.
"""


class CwmError(Exception):
    """Base of the errors that a command shows without a traceback."""


class ConfigError(CwmError):
    """A setting, or a combination of settings, that breaks a stated rule."""


class DataError(CwmError):
    """Recorded data, or a file of them, that does not have the stated form."""


class PrerequisiteError(CwmError):
    """Something that must be installed first; the message has the install line."""


class BudgetExhausted(CwmError):  # noqa: N818 - an event, not a fault
    """The normal end of a run that has used what it was allowed to use."""


class LLMError(CwmError):
    """A language-model service that did not answer as agreed.

    Attributes:
        retryable: Whether the same request may succeed later (rate limit,
            time-out, server fault) as opposed to never (bad key, unknown model).
        is_about_prompt: Whether this prompt is what is refused (too long, filtered),
            so that another one may be answered.
    """

    def __init__(
        self, message: str, *, retryable: bool, is_about_prompt: bool = False
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.is_about_prompt = is_about_prompt


class ClusterError(CwmError):
    """Workers of a crew, or a whole cluster, that were lost and cannot be replaced."""


class InternalError(CwmError):
    """A broken invariant of ours: a bug to report, with the journal."""
