# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""One network on several devices: its layers cut into parts, each an accelerator of its own.

>>> from finn_examples import example, models
>>> first, second = split(example("tfc_w1a1_mnist").directory, after=["MVAU_1"])
>>> x, _ = example("tfc_w1a1_mnist").test_set()
>>> y = second.load("python").execute(first.load("python").execute(x))
>>> bool((y == models.tfc_w1a1_mnist("python").execute(x)).all())
True
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from finn.core.errors import nearest
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.partition import Array, subgraph
from finn.deploy import Accelerator, DeployError
from finn.deploy.simulated import SimulatedDevice, platform


@dataclass(frozen=True, eq=False)
class Part:
    """model : layers with their width converters and FIFOs. clk_ns : period of the clock that they are made for.

    input_shape : shape of one sample of the network, without the batch, which the part takes, too; None if it takes
    frames only.
    """

    name: str
    model: ModelWrapper
    clk_ns: float
    settings: Mapping[str, object]
    """Configuration of a build that goes on with these layers, relative to the directory of that build."""
    input_shape: tuple[int, ...] | None = None

    def load(self, target_platform: str = "rtlsim") -> Accelerator:
        """Its accelerator on a device. Raises as `finn.builder.accelerator.load`."""
        host = None if self.input_shape is None else _Reshape(self.input_shape)
        return Accelerator(platform(target_platform)(self.model, self.clk_ns), host)

    def save(self, directory: Path) -> None:
        """Write a new directory for `finn build`, which makes SystemVerilog, reports and bitstream of this part.

        Raises FileExistsError if it is there.
        """
        directory.mkdir(parents=True)
        self.model.save(str(directory / "model.onnx"))
        text = json.dumps(self.settings, indent=2)
        (directory / "dataflow_build_config.json").write_text(f"{text}\n", encoding="utf-8")


@dataclass(frozen=True)
class _Reshape:
    """The host's part before the first part: nothing but other shapes."""

    input_shape: tuple[int, ...] | None

    def run(self, samples: Array, accelerator: Callable[[Array], Array]) -> Array:
        return accelerator(samples)


def split(directory: str | Path, after: Sequence[str]) -> tuple[Part, ...]:
    """Cut the accelerator of a build directory behind the layers `after`, in the order of the data.

    What is needed for the first of them is the first part, and so on; the last part is what is left. What a part gives,
    in its order, is what the next one takes. FIFOs stay as deep as the whole needs them.
    Raises DeployError for names that are not there, or that leave a part empty or give it streams of a part before the
    one before it; and as `finn.builder.accelerator.load`.
    """
    from finn.builder.accelerator import load

    whole = load(directory, "python")
    device = whole.device
    if not isinstance(device, SimulatedDevice):
        raise DeployError(f"nothing is known about the layers of {device.platform}", where=str(directory))
    where = Path(directory).name
    members = _members(device.model, after, where)
    streams = _streams(device.model, members, where)
    settings = _settings(Path(directory))
    parts = []
    for k, (sources, sinks) in enumerate(pairwise(streams)):
        nodes = [node for node in device.model.graph.node if members[node.name] == k]
        shape = whole.host.input_shape if whole.host is not None and not k else None
        layers = subgraph(device.model, sources, sinks, nodes)
        parts.append(Part(f"{where}_{k}", layers, 1e3 / whole.fclk_mhz, settings, shape))
    return tuple(parts)


def _settings(directory: Path) -> dict[str, object]:
    """What the configuration of the whole says that holds for a part; and the steps that come behind FIFOs."""
    from finn.builder.build_dataflow import configuration
    from finn.builder.build_dataflow_config import default_build_dataflow_steps as steps

    kept = {"synth_clk_period_ns", "board", "fpga_part", "generate_outputs", "rtlsim_batch_size"}
    given = configuration(directory).model_dump(mode="json", include=kept, exclude_none=True)
    behind = steps[steps.index("step_create_stitched_ip") :]
    return {"output_dir": "output", **given, "steps": ["step_generate_estimate_reports", *behind]}


def _members(model: ModelWrapper, after: Sequence[str], where: str) -> dict[str, int]:
    """Of each node, by name: the part that it belongs to."""
    makers = {t: node for node in model.graph.node for t in node.output}
    names = {node.name: node for node in model.graph.node}
    members: dict[str, int] = {}
    for k, name in enumerate(after):
        if name not in names:
            raise DeployError(f"there is no layer {name!r}", where=where, remedy=nearest(name, list(names)))
        if name in members:
            why = f"what {after[members[name]]} needs has it already"
            raise DeployError(f"no part ends behind {name}", where=where, why=why, remedy="give another order")
        waiting = [names[name]]
        while waiting:
            node = waiting.pop()
            if node.name not in members:
                members[node.name] = k
                waiting += [makers[t] for t in node.input if t in makers]
    if len(members) == len(names):
        raise DeployError(f"nothing is left behind {after[-1]}", where=where, remedy="give an earlier layer")
    return {node.name: members.get(node.name, len(after)) for node in model.graph.node}


def _streams(model: ModelWrapper, members: dict[str, int], where: str) -> list[list[str]]:
    """The tensors before the first part, between parts, and behind the last one."""
    count = 1 + max(members.values())
    streams: list[list[str]] = [[t.name for t in model.graph.input], *([] for _ in range(count - 1))]
    streams.append([t.name for t in model.graph.output])
    made = {t: members[node.name] for node in model.graph.node for t in node.output}
    before = dict.fromkeys(streams[0], -1) | made
    for node in model.graph.node:
        for t in (t for t in node.input if t in before):
            if members[node.name] == before[t] + 1 and before[t] >= 0:
                streams[members[node.name]].append(t)
            elif members[node.name] != before[t]:
                _require_neighbours(t, before[t], members[node.name], where)
    for t in streams[-1]:
        _require_neighbours(t, made[t], count, where)
    return streams


def _require_neighbours(tensor: str, source: int, target: int, where: str) -> None:
    """Raise DeployError for a stream that passes by a part."""
    if target != source + 1:
        ends = ["the host" if source < 0 else f"part {source}", f"part {target}"]
        raise DeployError(
            f"the stream {tensor} would pass by part {source + 1}",
            where=where,
            why=f"it goes from {ends[0]} to {ends[1]}, and a part gives its streams to the next one only",
            remedy="cut where all streams end: not beside a branch that goes on",
        )
