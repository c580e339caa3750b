"""Published networks to test with: fetch them, make inputs for them. Their addresses are in model_zoo.json."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from finn.core.errors import ConfigError, FinnError, ModelError, nearest
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.util.basic import gen_finn_dt_tensor
from finn.util.cleanup import cleanup

TEMP = tempfile.gettempdir()
_TIMEOUT_SECONDS = 60

test_model_details: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "model_zoo.json").read_text(encoding="utf-8")
)["models"]
"""{name: description, url, shape of the input, range of its values}."""


class DownloadError(FinnError):
    """A file that cannot be fetched."""


def download_model(
    test_model: str,
    *,
    dl_dir: str | os.PathLike[str] = TEMP,
    do_cleanup: bool = False,
    return_modelwrapper: bool = False,
) -> str | ModelWrapper:
    """The path of a published network, or (return_modelwrapper) the network itself.

    It is fetched to `<dl_dir>/<test_model>.onnx`, unless it is there already. do_cleanup: take
    `<dl_dir>/<test_model>_clean.onnx`, made by `cleanup`, instead. ConfigError for an unknown name, DownloadError if it
    cannot be fetched, which leaves no file behind.
    """
    url = _details(test_model)["url"]
    path = Path(dl_dir) / f"{test_model}.onnx"
    if not path.is_file():
        _fetch(url, path)
    if do_cleanup:
        clean = path.with_name(f"{test_model}_clean.onnx")
        cleanup(path, out_file=clean)
        path = clean
    return ModelWrapper(path) if return_modelwrapper else str(path)


def qonnx_download_model() -> None:
    """The command line of `download_model`; it writes the path of the file."""
    parser = argparse.ArgumentParser(description="Fetch a published quantized network.")
    parser.add_argument(
        "test_model", choices=list(test_model_details), metavar="NAME", help=", ".join(test_model_details)
    )
    parser.add_argument("--dl-dir", default=TEMP, help="folder for the file (default: %(default)s)")
    parser.add_argument("--do-cleanup", action="store_true", help="also clean the network up")
    given = parser.parse_args()
    try:
        path = download_model(given.test_model, dl_dir=given.dl_dir, do_cleanup=given.do_cleanup)
    except FinnError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(f"{path}\n")


def get_random_input(test_model: str | ModelWrapper, seed: int = 42) -> np.ndarray:
    """A random input of a published network, uniform in the range of its inputs, as float32.

    Of a ModelWrapper: random values of the shape and the data type of its first input. Same seed, same values.
    ModelError if that shape is not fixed, ConfigError for an unknown name.
    """
    if isinstance(test_model, ModelWrapper):
        name = test_model.get_first_global_in()
        shape = test_model.get_tensor_shape(name)
        if shape is None or 0 in shape:
            raise ModelError(f"its shape is not fixed: {shape}", where=f"input '{name}'", remedy="run cleanup_model")
        return gen_finn_dt_tensor(test_model.get_tensor_datatype(name), shape, seed)
    details = _details(test_model)
    low, high = (np.float32(bound) for bound in details["range"])
    values = np.random.RandomState(seed).uniform(low, high, details["shape"])  # the generator of published goldens
    return np.asarray(values, dtype=np.float32)


def get_golden_in_and_output(test_model: str | ModelWrapper, seed: int = 42) -> tuple[np.ndarray, np.ndarray]:
    """`get_random_input`, and the first output of the network for it. A published network is fetched and cleaned up."""
    if isinstance(test_model, ModelWrapper):
        model = test_model
    else:
        model = ModelWrapper(str(download_model(test_model, do_cleanup=True)))
    value = get_random_input(test_model, seed)
    return value, execute_onnx(model, {model.get_first_global_in(): value})[model.get_first_global_out()]


def _details(name: str) -> dict[str, Any]:
    if name not in test_model_details:
        raise ConfigError(f"there is no published network '{name}'", remedy=nearest(name, list(test_model_details)))
    return test_model_details[name]


def _fetch(url: str, path: Path) -> None:
    """Download to a file, whole or not at all."""
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(handle, "wb") as file, urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as source:
            shutil.copyfileobj(source, file)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:  # urllib's errors are OSErrors
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is the answer, too
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise DownloadError(
            f"cannot fetch {url}", where=str(path), why=str(error), remedy="put the file there"
        ) from error
