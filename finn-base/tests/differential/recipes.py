"""How a transformation of either package is made where it takes arguments: {name: f(class, look-up of other names)}."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Recipe = Callable[[Any, Callable[[str], Any]], Any]

PRUNED = {"global_in": {1: {1}}}
QUANTIZED = {"op_type": {"Relu": [(("output", 0), (0.25, 0, 4, 0, 0, "ROUND"))]}}

RECIPES: dict[str, Recipe] = {
    "transformation.change_batchsize.ChangeBatchSize": lambda kind, find: kind(3),
    "transformation.channels_last.ConvertToChannelsLastAndClean": lambda kind, find: kind(True),
    "transformation.channels_last.MoveOpPastFork": lambda kind, find: kind(["Mul"]),
    "transformation.composed.ComposedTransformation": lambda kind, find: kind(
        [find("transformation.general.ConvertSubToAdd")(), find("transformation.general.ConvertDivToMul")()]
    ),
    "transformation.expose_intermediate.ExposeIntermediateTensorsLambda": lambda kind, find: kind(
        lambda name, model: name.startswith("Relu")
    ),
    "transformation.expose_intermediate.ExposeIntermediateTensorsPatternList": lambda kind, find: kind(["Relu"]),
    "transformation.fixedpt_quantize.FixedPointQuantizeParams": lambda kind, find: kind("FIXED<8,4>"),
    "transformation.fixedpt_quantize.FixedPointQuantizeParamsFromDict": lambda kind, find: kind(
        {"Add_0_param0": "FIXED<8,4>"}
    ),
    "transformation.fold_constants.FoldConstants": lambda kind, find: kind([]),
    "transformation.fold_constants.FoldConstantsFiltered": lambda kind, find: kind(
        lambda model, node: node.op_type == "Quant"
    ),
    "transformation.general.GiveUniqueNodeNames": lambda kind, find: kind("part_"),
    "transformation.infer_datatypes.InferDataTypes": lambda kind, find: kind(True),
    "transformation.insert.InsertIdentity": lambda kind, find: kind("Relu_0_out0", "consumer"),
    "transformation.insert_topk.InsertTopK": lambda kind, find: kind(k=2),
    "transformation.pruning.ApplyMasks": lambda kind, find: kind(PRUNED),
    "transformation.pruning.PruneChannels": lambda kind, find: kind(PRUNED),
    "transformation.quantize_graph.QuantizeGraph": lambda kind, find: kind(QUANTIZED),
    "transformation.rebalance_conv.RebalanceIm2Col": lambda kind, find: kind(2),
}
