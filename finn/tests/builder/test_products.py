"""A product is whole or not there."""

from pathlib import Path

import numpy as np
import pytest

from finn.builder import products


def test_file_appears_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "report" / "a.json"
    with products.file(path) as partial:
        partial.write_text("1")
        assert not path.exists()
    assert path.read_text() == "1"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_file_stays_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.json"
    products.write_json(path, {"old": 1})

    def interrupted() -> None:
        with products.file(path) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_text() == '{\n  "old": 1\n}\n'
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_directory_is_replaced_as_a_whole(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "stitched_ip"
    with products.directory(path) as place:
        (place / "old.sv").write_text("old")

    def interrupted() -> None:
        with products.directory(path) as place:
            (place / "new.sv").write_text("half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert [p.name for p in path.iterdir()] == ["old.sv"]
    with products.directory(path) as place:
        (place / "new.sv").write_text("new")
    assert [p.name for p in path.iterdir()] == ["new.sv"]
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_build_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / ".a.json.7.partial").write_text("half")
    (tmp_path / ".stitched_ip.7.partial").mkdir()
    (tmp_path / ".stitched_ip.7.partial" / "half.sv").write_text("half")
    (tmp_path / "keep").write_text("")
    products.remove_partial(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["keep", "report"]


def test_numbers_that_json_lacks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        products.write_json(tmp_path / "a.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_arrays(tmp_path: Path) -> None:
    products.write_array(tmp_path / "a.npy", np.arange(3))
    products.write_arrays(tmp_path / "a.npz", {"x": np.arange(3)})
    assert np.load(tmp_path / "a.npy").tolist() == [0, 1, 2]
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["x"].tolist() == [0, 1, 2]
