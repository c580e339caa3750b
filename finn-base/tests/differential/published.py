"""What both packages publish, from the list of published names, and what of it has no comparison."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from finn.custom_op.base import CustomOp
from finn.transformation.base import Transformation

from . import both  # noqa: TID252 - test helpers are no installed package

NAMES = json.loads((Path(__file__).parents[1] / "published_names.json").read_text())

NOT_COMPARED = {
    "transformation.base.NodeLocalTransformation": "abstract",
    "transformation.base.Transformation": "abstract",
    "transformation.create_generic_partitions.PartitionFromDict": "writes files under random names; the partitions "
    "are compared by execution in the tests of partitions",
    "transformation.create_generic_partitions.PartitionFromLambda": "the same",
    "transformation.extend_partition.ExtendPartition": "needs the files of a partition",
    "transformation.general.ApplyConfig": "not in qonnx 1.0",
    "transformation.merge_onnx_models.MergeONNXModels": "qonnx keeps one input and output and forgets domains",
    "transformation.pruning.RemoveMaskedChannels": "qonnx does not end on models without masks",
    "custom_op.base.CustomOp": "abstract",
    "custom_op.channels_last.base_wrapped_op.ChannelsLastWrappedOp": "abstract",
    "custom_op.general.genericpartition.GenericPartition": "needs the files of a partition",
}
"""Published operators and transformations without a comparison, and why."""


def classes(kind: type[Any]) -> list[str]:
    """Names below `finn` of all published subclasses of `kind`."""
    found = []
    for module, names in NAMES.items():
        for name in names:
            dotted = f"{module.removeprefix('finn.')}.{name}"
            value = both.find("finn", dotted) if both.exists("finn", dotted) else None
            if inspect.isclass(value) and issubclass(value, kind):
                found.append(dotted)
    return found


def transformations() -> list[str]:
    """Published transformations that are compared, without the "transformation."."""
    return [n.removeprefix("transformation.") for n in classes(Transformation) if n not in NOT_COMPARED]


def operators() -> list[str]:
    """Published operators that are compared: general.Quant."""
    found = {name: name.split(".") for name in classes(CustomOp) if name not in NOT_COMPARED}
    return sorted({f"{parts[1]}.{parts[-1]}" for parts in found.values()})
