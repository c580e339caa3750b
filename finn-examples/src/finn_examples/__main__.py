# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""``python -m finn_examples`` lists the examples and where they are."""

import sys

from finn_examples import examples


def main() -> None:
    for example in examples():
        sys.stdout.write(f"{example.name}\t{example.title}\n\t{example.directory}\n")


if __name__ == "__main__":
    main()
