"""QuantAvgPool2d with the channels on the last axis."""

from __future__ import annotations

from finn.transformation._layout_rules import to_first, to_last, transposed
from finn.transformation.constants import annotated
from finn.transformation.rewrite import Call, RuleTransformation, TensorRef, Var, op, require, rule

x = Var("x")
_POOL = {"stride": 2, "kernel": 2, "ibits": 4, "obits": 4, "signed": 1}


@rule(
    op.QuantAvgPool2d(x).named("pool"),
    shapes="x:n,c,4,6 | x:n,4,6,c",
    datatypes={"x": "INT4"},
    attributes=[{"pool": {**_POOL, "data_layout": "NCHW"}}, {"pool": {**_POOL, "data_layout": "NHWC"}}],
    equivalent={"another signed of QuantAvgPool2d": "it says the type of the values, not their arithmetic"},
)
def quant_avg_pool_channels_last(x: TensorRef, pool: Call) -> Call:
    """pool(x, NCHW) == first(pool(last(x), NHWC))"""
    require(pool.attributes.get("data_layout", "NCHW") == "NCHW", "the channels are last already")
    require(x.rank == 4, "this is no image")
    new = op.QuantAvgPool2d(transposed(x, to_last(4)), like=pool, data_layout="NHWC")
    typed = new if pool.result is None else annotated(new, pool.result.datatype)
    return op.Transpose(typed, perm=to_first(4))


class ChangeDataLayoutQuantAvgPool2d(RuleTransformation):
    """QuantAvgPool2d in NCHW becomes one in NHWC between two Transposes."""

    rules = (quant_avg_pool_channels_last,)
