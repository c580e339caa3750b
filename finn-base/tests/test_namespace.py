"""`finn` is a namespace package: one stray __init__.py would hide the other distributions without a warning."""

from pathlib import Path

import finn.core


def test_the_namespace_has_no_init() -> None:
    namespace = Path(finn.core.__file__).parents[1]
    assert not (namespace / "__init__.py").exists()


def test_every_package_has_an_init_and_is_typed() -> None:
    namespace = Path(finn.core.__file__).parents[1]
    for package in ("core", "custom_op", "transformation", "analysis", "util"):
        assert (namespace / package / "__init__.py").is_file()
        assert (namespace / package / "py.typed").is_file()
