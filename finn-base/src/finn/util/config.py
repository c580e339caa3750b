"""Attributes of custom nodes, to and from JSON files."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from finn.core.domains import is_custom_domain
from finn.core.errors import ConfigError, ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.registry import op_for


def extract_model_config_to_json(
    model: ModelWrapper, json_filename: str | os.PathLike[str], attr_names_to_extract: Iterable[str]
) -> None:
    """Write {"Defaults": {}, node name: {attribute: value}} for these attributes of the custom nodes.

    Attributes that a node does not set are written with their default; nodes that have none of them are left out.
    `finn.transformation.general.ApplyConfig` reads the file. It is written whole or not at all.

    ModelError if two nodes to be written have the same name, or one has none; ConfigError for a tensor attribute.
    """
    wanted = list(attr_names_to_extract)
    config: dict[str, dict[str, Any]] = {"Defaults": {}}
    count: Counter[str] = Counter()
    for node in model.graph.node:
        if not is_custom_domain(node.domain):
            continue
        custom_op = op_for(model, node)
        kinds = custom_op.get_nodeattr_types()
        tensors = [name for name in wanted if name in kinds and kinds[name][0] == "t"]
        if tensors:
            raise ConfigError(f"attribute '{tensors[0]}' of '{node.name}' is a tensor, which JSON cannot hold")
        entry = {name: custom_op.get_nodeattr(name) for name in wanted if name in kinds}
        if entry:
            config[node.name] = entry
            count[node.name] += 1
    taken = [name for name, number in count.items() if number > 1 or name in ("", "Defaults")]
    if taken:
        raise ModelError(f"the node name '{taken[0]}' is not unique", remedy="apply GiveUniqueNodeNames first")
    _write(Path(json_filename), json.dumps(config, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".config") as folder:
        new = Path(folder) / path.name
        new.write_text(text)
        new.replace(path)
