"""The errors of a build. All say what, where, why and what to do; see `finn.core.errors.FinnError`."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from finn.core.errors import FinnError

log = logging.getLogger(__name__)


class BuildError(FinnError):
    """The build cannot go on for a reason outside the network: file system, missing tool, missing earlier step."""


class VerificationError(FinnError):
    """A verification input cannot be used, or a verification failed."""


@contextmanager
def foreseen(remedy: str) -> Iterator[None]:
    """Turn what is no error of ours into one. remedy: for what nobody foresaw."""
    try:
        yield
    except FinnError:
        raise
    except OSError as error:
        raise _explain(error) from error
    except Exception as error:
        log.debug("unexpected error", exc_info=True)
        what = f"{type(error).__name__}: {error}"
        why = "an error that nobody foresaw"
        raise BuildError(what, why=why, remedy=remedy) from error


def _explain(error: OSError) -> BuildError:
    where = str(error.filename or "")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BuildError("the disk is full", where=where, remedy="free some space, or choose another output_dir")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = "choose an output_dir that you may write to"
        return BuildError("the file or directory cannot be used", where=where, why=str(error.strerror), remedy=remedy)
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        remedy = "choose another output_dir, or remove the file"
        return BuildError("a file is where a directory is needed", where=where, why=str(error.strerror), remedy=remedy)
    what = f"the file system refused: {error.strerror or error}"
    return BuildError(what, where=where, remedy="see build_dataflow.log")
