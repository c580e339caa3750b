"""The errors of a build. All say what, where, why and what to do; see `finn.core.errors.FinnError`."""

from finn.core.errors import FinnError


class BuildError(FinnError):
    """The build cannot go on for a reason outside the network: file system, missing tool, missing earlier step."""


class VerificationError(FinnError):
    """A verification input cannot be used, or a verification failed."""
