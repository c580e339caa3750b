"""The other side of `peer.Peer`: `python -m differential.worker` answers requests until its standard input ends.

A request is a pickled (function of `both`, arguments), an answer a pickled ("done", value) or ("raised", type, text),
each behind its length in 8 bytes.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
import traceback
from typing import Any, BinaryIO

from . import both  # noqa: TID252 - test helpers are no installed package

LENGTH = struct.Struct("<Q")


def read(stream: BinaryIO) -> Any:
    """The next message; EOFError at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    return pickle.loads(stream.read(LENGTH.unpack(head)[0]))


def write(stream: BinaryIO, message: Any) -> None:
    data = pickle.dumps(message)
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def answer(name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    try:
        return "done", both.quietly(getattr(both, name), "qonnx", *arguments)
    except Exception as error:  # noqa: BLE001 - a black box may raise anything
        return "raised", type(error).__name__, f"{error}\n{traceback.format_exc()}"


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the package prints must not get among the answers
    while True:
        try:
            name, arguments = read(sys.stdin.buffer)
        except EOFError:
            return
        write(answers, answer(name, arguments))


if __name__ == "__main__":
    main()
