"""Makes edge_values.tar.xz: NaN, infinities, what does not fit and the like, in ops that treat them in ways of their own.

Needs TensorFlow; run by hand when a case is added: python edge_values.py
"""
import os

from case_writer import Suite, np, tf

raw = tf.raw_ops
suite = Suite(os.path.join(os.path.dirname(os.path.abspath(__file__)), "edge_values.tar.xz"))
nan, inf = np.nan, np.inf
floats = ("float32", "float64", "float16", "bfloat16")


def as_type(values, dtype):
    with np.errstate(all="ignore"):
        return np.asarray(values, np.float64).astype(tf.as_dtype(dtype).as_numpy_dtype)


# ---- casts of what does not fit: in whole vectors, where TensorFlow's answer does not depend on the place
wide = [nan, inf, -inf, 1e30, -1e30, 127.5, 128, -128.9, -129, 255.9, 256, 300, -1, -1.5, 32767.9, -32768.5, -32769, 2147483520]
wide += [2147483648, -2147483648, -2147483904, 3e9, -3e9, 4294967040, 4294967296, 5e9, -5e9, 9.2233715e18, 2.0**63, -(2.0**63)]
wide += [-1e19, 1.2e19, 1.8446743e19, 2.0**64, 2e19, 1e38]
for dtype in floats:
    short_wraps = dtype in ("float64", "float16")  # to uint8, from 32768 on
    for to in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"):
        numbers = [1.0 if to == "uint8" and short_wraps and v > 32767 else v for v in wide]
        numbers = as_type((numbers + [1.0] * 128)[:128], dtype)
        if to == "uint8" and short_wraps:
            numbers = np.where(numbers > 32767, np.ones_like(numbers), numbers)
        suite.case(f"Cast.{dtype}_{to}", lambda x, t=to: raw.Cast(x=x, DstT=tf.as_dtype(t)), numbers)

# ---- maxima of windows pass NaN over; none is below the lowest number
rows = [3, nan, -1, inf, nan, -inf, -inf, -0.0, 2, nan, nan, -2, 0, 5]
for dtype in floats:
    image = np.stack([as_type(rows, dtype), as_type(rows[::-1], dtype)], 1).reshape(1, 14, 1, 2)
    for size, stride in ((2, 1), (3, 2), (1, 2)):
        pool = {"ksize": [1, size, 1, 1], "strides": [1, stride, 1, 1], "padding": "SAME"}
        suite.case(f"MaxPool.{dtype}_{size}{stride}", lambda x, p=pool: raw.MaxPool(input=x, **p), image, shapes=[[-1, -1, 1, 2]])
        suite.case(
            f"MaxPoolV2.{dtype}_{size}{stride}",
            lambda x, k, s: raw.MaxPoolV2(input=x, ksize=k, strides=s, padding="SAME"),
            image, np.int32(pool["ksize"]), np.int32(pool["strides"]),
        )
    suite.case(
        f"Dilation2D.{dtype}",
        lambda x, t=dtype: raw.Dilation2D(
            input=x, filter=tf.zeros([2, 1, 2], t), strides=[1, 1, 1, 1], rates=[1, 1, 1, 1], padding="SAME"
        ),
        image,
    )
    suite.case(f"ArgMax.of_infinities_{dtype}", lambda x: [raw.ArgMax(input=x, dimension=0), raw.ArgMin(input=-x, dimension=0)],
               np.array([-inf, tf.as_dtype(dtype).min], image.dtype))
    suite.case(f"UniqueV2.zeros_{dtype}", lambda x: [*raw.UniqueV2(x=x, axis=[0]), *raw.UniqueV2(x=tf.stack([x, x], 1), axis=[0])],
               as_type([0, -0.0, 1, -0.0, nan, nan], dtype))
for dtype in ("float32", "bfloat16"):
    volume = np.repeat(as_type(rows, dtype), 8).reshape(1, 7, 2, 1, 8)
    for padding in ("SAME", "VALID"):
        pool = {"ksize": [1, 2, 2, 1, 1], "strides": [1, 1, 1, 1, 1], "padding": padding}
        suite.case(f"MaxPool3D.{dtype}_{padding}", lambda x, p=pool: raw.MaxPool3D(input=x, **p), volume)
suite.refused("HistogramFixedWidth.nan", lambda x: raw.HistogramFixedWidth(values=x, value_range=[0.0, 1.0], nbins=4), np.float32([0, nan]))

# ---- linear algebra of what is singular, indefinite or not finite
for dtype in (np.float32, np.float64):
    kind = np.dtype(dtype).name
    for lower in (False, True):
        suite.case(
            f"MatrixTriangularSolve.zero_{kind}_{lower}",
            lambda a, b, w=lower: raw.MatrixTriangularSolve(matrix=a, rhs=b, lower=w),
            np.diag([2, 0, 4]).astype(dtype), np.ones([3, 2], dtype),
        )
    for name, matrix in {"negative": -np.diag([4.0, 9]), "zero": np.zeros([2, 2]), "nan": [[1, nan], [0, 1]], "inf": [[inf, 1], [0, 1]],
                         "turn": [[0, -1], [1, 0]], "regular": [[4, 1], [1, 3]]}.items():
        suite.case(f"MatrixSquareRoot.{name}_{kind}", lambda a: raw.MatrixSquareRoot(input=a), dtype(matrix), rtol=1e-4, atol=1e-5)
    infinite = dtype([[1, 0], [inf, 2]])
    suite.case(f"Svd.inf_{kind}", lambda a: raw.Svd(input=a)[0], infinite)
    suite.refused(f"SelfAdjointEigV2.inf_{kind}", lambda a: raw.SelfAdjointEigV2(input=a)[0], infinite)
    suite.refused(f"MatrixInverse.nan_{kind}", lambda a: raw.MatrixInverse(input=a), dtype([[nan]]))
    suite.refused(f"MatrixSolve.nan_{kind}", lambda a: raw.MatrixSolve(matrix=a, rhs=tf.ones_like(a)), dtype([[nan]]))
    suite.refused(f"Lu.nan_{kind}", lambda a: raw.Lu(input=a)[0], dtype([[nan]]))

# ---- vectors of one element are no scalars, though their element is there to be read
table = np.arange(12, dtype=np.float32).reshape(4, 3)
for name, build in {
    "TopKV2": lambda x, v: raw.TopKV2(input=x, k=v)[0],
    "NthElement": lambda x, v: raw.NthElement(input=x, n=v),
    "OneHot": lambda x, v: raw.OneHot(indices=tf.cast(x, tf.int32), depth=v, on_value=1.0, off_value=0.0),
    "Split": lambda x, v: raw.Split(axis=v, value=x, num_split=3)[0],
    "Cumsum": lambda x, v: raw.Cumsum(x=x, axis=v),
}.items():
    suite.refused(f"{name}.vector_for_scalar", build, table, np.int32([1]))
suite.refused("InvertPermutation.twice", lambda x: tf.transpose(x, raw.InvertPermutation(x=[0, 0])), table)
suite.refused(
    "UnsortedSegmentJoin.negative",
    lambda i: raw.UnsortedSegmentJoin(inputs=["a", "b"], segment_ids=i, num_segments=2), np.int32([0, -1]),
)
suite.case(
    "SparseSegmentSumGrad.no_rows",
    lambda g: raw.SparseSegmentSumGrad(grad=g, indices=[0, 1], segment_ids=[0, 0], output_dim0=0), np.ones([1, 3], np.float32),
)
suite.case(  # 0 * -inf is NaN; one row of labels is for all
    "SoftmaxCrossEntropyWithLogits.no_share",
    lambda x, y, z: [*raw.SoftmaxCrossEntropyWithLogits(features=x, labels=y), *raw.SoftmaxCrossEntropyWithLogits(features=x, labels=z)],
    np.float32([[-inf, 1, 2], [3, 4, 5], [nan, 1, 1], [inf, 1, 2]]), np.float32([[0, 1, 0]] * 2 + [[0, 0, 0]] * 2), np.float32([[0, 0.5, 0.5]]),
)
for to in ("qint8", "quint8", "qint16"):  # a NaN among the numbers is the level 0
    suite.case(
        f"QuantizeV2.nan_{to}",
        lambda x, t=to: [*raw.QuantizeV2(input=x, min_range=-1.0, max_range=1.0, T=getattr(tf, t), mode="MIN_FIRST")],
        np.resize(np.float32([nan, 1, -1, 0.5]), 64),
    )
suite.close()
