# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What is trained how. A name such as ``tfc_w1a1_mnist`` is a network, its bit widths, and its data.

A new network is one more entry of RECIPES; it can then be trained with any bit widths.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from brevitas_export import models
from brevitas_export.data import intrusion, keywords, radio, tasks
from brevitas_export.data.tasks import Task
from brevitas_export.models.dense import ChannelsLast
from finn.core.errors import ConfigError, nearest

FORM = re.compile(r"(?P<network>\w+)_w(?P<weight>[1-8])a(?P<act>[1-8])_(?P<data>\w+)")
MOST_SHIPPED = 1000


@dataclass(frozen=True)
class Recipe:
    """net : of bits of weights and of activations. title : of the model card, behind which the bit widths stand.

    max_shift : pixels by which pictures are moved in training, in each direction. clip : weights stay within -1..1.
    shipped : how many held-out samples are written beside the network, at most.
    exported : from the trained network to the one that is exported, whose last axis has the scores.
    build : of dataflow_build_config.json what is not the same for all.
    """

    title: str
    net: Callable[[int, int], nn.Module]
    task: Callable[[], Task]
    epochs: int
    learning_rate: float = 0.01
    batch: int = 100
    max_shift: int = 0
    clip: bool = False
    shipped: int = MOST_SHIPPED
    exported: Callable[[nn.Module], nn.Module] = lambda net: net
    build: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Chosen:
    """A recipe with bit widths."""

    name: str
    recipe: Recipe
    weight_bits: int
    act_bits: int

    def net(self) -> nn.Module:
        """A new network, with the random weights that are next. Raises ValueError if it has no such bit widths."""
        return self.recipe.net(self.weight_bits, self.act_bits)


def digits() -> Task:
    return tasks.digits().pixels()


def mnist() -> Task:
    return tasks.mnist().pixels()


def strokes() -> Task:
    return tasks.strokes().pixels()


def spoken() -> Task:
    return tasks.of_split(keywords.keywords(), 1 / 128, keywords.ABOUT)


def signals() -> Task:
    """The held-out frames begin with three of each modulation and noise level, of 30."""
    return tasks.of_split(radio.radio(), 1 / 128, radio.ABOUT)


def flows() -> Task:
    return tasks.of_split(intrusion.intrusion(), 1.0, intrusion.ABOUT)


RECIPES: dict[tuple[str, str], Recipe] = {
    ("tfc", "mnist"): Recipe(
        "TFC, 784-64-64-64-10, on MNIST", models.tfc, mnist, 200, 0.02, max_shift=1, clip=True,
        build={"target_fps": 10**6},
    ),
    ("sfc", "mnist"): Recipe(
        "SFC, 784-256-256-256-10, on MNIST", models.sfc, mnist, 100, 0.02, max_shift=1, clip=True,
        build={"target_fps": 10**5},
    ),
    ("lfc", "mnist"): Recipe(
        "LFC, 784-1024-1024-1024-10, on MNIST", models.lfc, mnist, 60, 0.01, max_shift=1, clip=True,
        build={"target_fps": 10**4},
    ),
    ("tfc", "fashion"): Recipe(
        "TFC, 784-64-64-64-10, on Fashion-MNIST", models.tfc, tasks.fashion, 15, clip=True, build={"target_fps": 10**6}
    ),
    ("cnv", "fashion"): Recipe(
        "CNV on Fashion-MNIST of 32 pixels", lambda w, a: models.cnv(w, a, channels=1), tasks.fashion_padded, 10,
        clip=True, shipped=400, build={"target_fps": 1000},
    ),
    ("cnv_small", "mnist"): Recipe(
        "Small CNV on MNIST", models.cnv_small, mnist, 30, max_shift=1, clip=True, build={"target_fps": 5000}
    ),
    ("cnv_small", "fashion"): Recipe(
        "Small CNV on Fashion-MNIST", models.cnv_small, tasks.fashion, 8, clip=True, shipped=500,
        build={"target_fps": 5000},
    ),
    ("resnet8", "digits"): Recipe(
        "ResNet-8 on digits of 8x8 pixels", models.resnet8, digits, 40, build={"target_fps": 20000}
    ),
    ("mobilenet_v1", "mnist"): Recipe(
        "Small MobileNet-v1 on MNIST", models.mobilenet_v1_small, mnist, 20, build={"target_fps": 5000}
    ),
    ("unet", "strokes"): Recipe(
        "Small U-Net that finds the pixels of digits", models.unet_small, strokes, 20, shipped=300,
        exported=ChannelsLast, build={"target_fps": 5000},
    ),
    ("kws_mlp", "keywords"): Recipe(
        "MLP that spots spoken keywords, 490-256-256-256-12", models.kws_mlp, spoken, 20, 0.005, batch=200,
        build={"target_fps": 10**5},
    ),
    ("vgg10", "radio"): Recipe(
        "VGG-10 that tells modulations of radio signals", models.vgg10, signals, 20, 0.005, shipped=396,
        build={"target_fps": 5000},
    ),
    ("mlp", "intrusion"): Recipe(
        "MLP that finds attacks among network flows, 593-64-64-64-2", models.intrusion_mlp, flows, 40, batch=200,
        clip=True, shipped=2000, build={"target_fps": 10**6},
    ),
}  # fmt: skip


def chosen(name: str) -> Chosen:
    """The recipe of that name. Raises ConfigError with the nearest names."""
    found = FORM.fullmatch(name)
    recipe = RECIPES.get((found["network"], found["data"])) if found else None
    if found is None or recipe is None:
        raise ConfigError(
            f"there is no recipe {name!r}",
            why="a name is a network, its bits of weights and activations, and its data: " + nearest(name, names()),
            remedy="see --list",
        )
    return Chosen(name, recipe, int(found["weight"]), int(found["act"]))


def names(bits: str = "w2a2") -> list[str]:
    """All names, with some bit widths."""
    return [f"{network}_{bits}_{data}" for network, data in RECIPES]
