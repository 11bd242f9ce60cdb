"""Makes siblings.tar.xz: cases of op types that tfops.tar.xz lacks, though their families are in it: encoders of what is decoded, gradients of
layers, further forms of an op. Needs TensorFlow; run by hand: python siblings.py."""
import os
import struct
import tempfile

from case_writer import Suite, np, strings, tf
from tensorflow.lite.python.convert import register_custom_opdefs

raw, const = tf.raw_ops, tf.constant
suite = Suite(os.path.join(os.path.dirname(os.path.abspath(__file__)), "siblings.tar.xz"))
case = suite.case
random = np.random.default_rng(1)
f32 = np.float32


def normal(*shape, dtype=f32):
    return random.standard_normal(shape).astype(dtype)


# ---- encoders
picture = (np.add.outer(np.arange(21) * 9, np.arange(27) * 7)[..., None] * [1, 3, 2] % 256).astype(np.uint8)
noise = random.integers(0, 256, [13, 17, 3]).astype(np.uint8)
for name, attrs in {
    "default": {}, "quality": {"quality": 30}, "progressive": {"progressive": True}, "optimised": {"optimize_size": True},
    "no_downsampling": {"chroma_downsampling": False}, "density": {"density_unit": "cm", "x_density": 11, "y_density": 7},
    "metadata": {"xmp_metadata": "<x/>"}, "rgb": {"format": "rgb"}, "worst": {"quality": 0}, "best": {"quality": 100},
}.items():
    case("EncodeJpeg." + name, lambda x: raw.EncodeJpeg(image=x, **attrs), noise if name in ("worst", "best") else picture)
case("EncodeJpeg.gray", lambda x: raw.EncodeJpeg(image=x, format="grayscale"), picture[..., :1])
case("EncodeJpegVariableQuality.50", lambda x, q: raw.EncodeJpegVariableQuality(images=x, quality=q), picture, np.int32(50))
for channels in (1, 2, 3, 4):
    image = np.concatenate([picture, noise[:1, :1, :1].repeat(21, 0).repeat(27, 1)], 2)[..., :channels]
    case(f"EncodePng.{channels}", lambda x: raw.EncodePng(image=x), image)
    case(f"EncodePng.{channels}_wide", lambda x: raw.EncodePng(image=x), image.astype(np.uint16) * 251)
case("EncodePng.batch", lambda x: raw.EncodePng(image=x, compression=9), np.stack([picture, picture // 2])[None])
case("EncodePng.stored", lambda x: raw.EncodePng(image=x, compression=0), noise)
case("EncodeWav.stereo", lambda x, r: raw.EncodeWav(audio=x, sample_rate=r), f32([[0, 0.5], [-1, 1], [2, -2], [1e-5, -0.3]]), np.int32(16000))

# ---- gradients of windows
ones = [1, 2, 2, 1]
image = random.integers(-3, 4, [2, 5, 7, 3]).astype(f32)  # with ties
for padding in ("SAME", "VALID"):
    attrs = {"ksize": [1, 3, 2, 1], "strides": ones, "padding": padding}
    y = raw.MaxPool(input=image, **attrs).numpy()
    case("MaxPoolGrad." + padding, lambda x, y, g: raw.MaxPoolGrad(orig_input=x, orig_output=y, grad=g, **attrs), image, y, normal(*y.shape))
    case("MaxPoolGradGrad." + padding, lambda x, y, g: raw.MaxPoolGradGrad(orig_input=x, orig_output=y, grad=g, **attrs), image, y, normal(*image.shape))
    case("MaxPoolGradV2." + padding, lambda x, y, g: raw.MaxPoolGradV2(orig_input=x, orig_output=y, grad=g, ksize=[1, 3, 2, 1], strides=ones,
         padding=padding), image.astype(np.float64), y.astype(np.float64), normal(*y.shape, dtype=np.float64))
    case("AvgPoolGrad." + padding, lambda g: raw.AvgPoolGrad(orig_input_shape=image.shape, grad=g, **attrs), normal(*y.shape))
    case("AvgPoolGrad.half_" + padding, lambda g: raw.AvgPoolGrad(orig_input_shape=image.shape, grad=g, **attrs), normal(*y.shape, dtype=np.float16),
         rtol=2e-3, atol=2e-3)
    volume = random.integers(-3, 4, [2, 4, 5, 3, 2]).astype(f32)
    attrs3 = {"ksize": [1, 2, 3, 2, 1], "strides": [1, 2, 1, 2, 1], "padding": padding}
    z = raw.MaxPool3D(input=volume, **attrs3).numpy()
    case("MaxPool3DGrad." + padding, lambda x, y, g: raw.MaxPool3DGrad(orig_input=x, orig_output=y, grad=g, **attrs3), volume, z, normal(*z.shape))
    case("AvgPool3DGrad." + padding, lambda g: raw.AvgPool3DGrad(orig_input_shape=volume.shape, grad=g, **attrs3), normal(*z.shape))
    where, places = raw.MaxPoolWithArgmax(input=image, **attrs)
    case("MaxPoolGradWithArgmax." + padding, lambda x, g, a: raw.MaxPoolGradWithArgmax(input=x, grad=g, argmax=a, **attrs), image, normal(*y.shape),
         places.numpy())
    case("MaxPool3DGradGrad." + padding, lambda x, y, g: raw.MaxPool3DGradGrad(orig_input=x, orig_output=y, grad=g, **attrs3), volume, z,
         normal(*volume.shape))
    dilation = {"strides": ones, "rates": [1, 1, 2, 1], "padding": padding}
    kernel = normal(2, 2, 3)
    d = raw.Dilation2D(input=image, filter=kernel, **dilation).numpy()
    case("Dilation2DBackpropInput." + padding, lambda x, f, g: raw.Dilation2DBackpropInput(input=x, filter=f, out_backprop=g, **dilation), image, kernel,
         normal(*d.shape))
    case("Dilation2DBackpropFilter." + padding, lambda x, f, g: raw.Dilation2DBackpropFilter(input=x, filter=f, out_backprop=g, **dilation), image, kernel,
         normal(*d.shape))
for overlapping in (False, True):
    pooled, rows, columns = raw.FractionalMaxPool(value=image, pooling_ratio=[1, 1.4, 1.7, 1], overlapping=overlapping, seed=3, seed2=4, deterministic=True)
    case(f"FractionalMaxPoolGrad.{overlapping}", lambda x, y, g, r, c: raw.FractionalMaxPoolGrad(orig_input=x, orig_output=y, out_backprop=g,
         row_pooling_sequence=r, col_pooling_sequence=c, overlapping=overlapping), image, pooled.numpy(), normal(*pooled.shape), rows.numpy(), columns.numpy())
    case(f"FractionalAvgPoolGrad.{overlapping}", lambda g, r, c: raw.FractionalAvgPoolGrad(orig_input_tensor_shape=np.int64(image.shape), out_backprop=g,
         row_pooling_sequence=r, col_pooling_sequence=c, overlapping=overlapping), normal(*pooled.shape), rows.numpy(), columns.numpy())

# ---- gradients of images
for corners, centers in ((False, False), (True, False), (False, True)):
    attrs = {"align_corners": corners, "half_pixel_centers": centers}
    mark = "corners" if corners else "centers" if centers else "plain"
    case("ResizeBilinearGrad." + mark, lambda g, x: raw.ResizeBilinearGrad(grads=g, original_image=x, **attrs), normal(2, 6, 5, 3), normal(2, 4, 7, 3))
    case("ResizeBicubicGrad." + mark, lambda g, x: raw.ResizeBicubicGrad(grads=g, original_image=x, **attrs), normal(2, 6, 5, 3), normal(2, 4, 7, 3))
    case("ResizeNearestNeighborGrad." + mark, lambda g: raw.ResizeNearestNeighborGrad(grads=g, size=[4, 7], **attrs), normal(2, 6, 5, 3))
boxes = f32([[0, 0, 1, 1], [0.2, 0.9, 0.7, 0.1], [-0.3, 0.1, 1.2, 0.6]])
for method in ("bilinear", "nearest"):
    case("CropAndResizeGradImage." + method, lambda g, b, i: raw.CropAndResizeGradImage(grads=g, boxes=b, box_ind=i, image_size=[2, 5, 6, 2], T=tf.float32,
         method=method), normal(3, 3, 4, 2), boxes, np.int32([1, 0, 1]))
case("CropAndResizeGradBoxes.bilinear", lambda g, x, b, i: raw.CropAndResizeGradBoxes(grads=g, image=x, boxes=b, box_ind=i), normal(3, 3, 4, 2),
     normal(2, 5, 6, 2), boxes, np.int32([1, 0, 1]))
case("CropAndResizeGradBoxes.one_pixel", lambda g, x, b, i: raw.CropAndResizeGradBoxes(grads=g, image=x, boxes=b, box_ind=i), normal(3, 1, 1, 2),
     random.integers(0, 255, [2, 5, 6, 2]).astype(np.uint8), boxes, np.int32([1, 0, 1]))
for mode in ("REFLECT", "SYMMETRIC"):
    case("MirrorPadGrad." + mode, lambda g: raw.MirrorPadGrad(input=g, paddings=[[1, 2], [0, 3], [2, 0]], mode=mode), normal(6, 7, 5))
x = normal(2, 2, 3, 9)
case("LRNGrad.plain", lambda g, x, y: raw.LRNGrad(input_grads=g, input_image=x, output_image=y, depth_radius=2, bias=1.5, alpha=0.3, beta=0.7),
     normal(*x.shape), x, raw.LRN(input=x, depth_radius=2, bias=1.5, alpha=0.3, beta=0.7).numpy())

# ---- gradients of layers
for padding, strides in (("SAME", [2, 1]), ("VALID", [2, 3])):
    attrs = {"strides": [1, *strides, 1], "padding": padding}
    image, kernel = normal(2, 9, 8, 3), normal(3, 2, 3, 4)
    y = tf.nn.conv2d(image, kernel, strides, padding).numpy()
    mark = f"{padding}_{strides[0]}{strides[1]}"
    case("Conv2DBackpropFilter." + mark, lambda x, g: raw.Conv2DBackpropFilter(input=x, filter_sizes=kernel.shape, out_backprop=g, **attrs), image,
         normal(*y.shape), atol=1e-5)
    attrs["strides"] = [1, strides[0], strides[0], 1]
    kernel = normal(3, 2, 3, 2)
    y = raw.DepthwiseConv2dNative(input=image, filter=kernel, **attrs).numpy()
    case("DepthwiseConv2dNativeBackpropFilter." + mark, lambda x, g: raw.DepthwiseConv2dNativeBackpropFilter(input=x, filter_sizes=kernel.shape,
         out_backprop=g, **attrs), image, normal(*y.shape), atol=1e-5)
volume, kernel = normal(2, 5, 4, 6, 2), normal(2, 3, 2, 2, 3)
y = raw.Conv3D(input=volume, filter=kernel, strides=[1, 2, 1, 2, 1], padding="SAME").numpy()
case("Conv3DBackpropFilterV2.SAME", lambda x, g: raw.Conv3DBackpropFilterV2(input=x, filter_sizes=kernel.shape, out_backprop=g, strides=[1, 2, 1, 2, 1],
     padding="SAME"), volume, normal(*y.shape), atol=1e-5)
for training in (False, True):
    for name, half in (("FusedBatchNormGrad", False), ("FusedBatchNormGradV2", True), ("FusedBatchNormGradV3", False)):
        op, dtype = getattr(raw, name), np.float16 if half else f32
        more = {"reserve_space_3": f32(0)} if name == "FusedBatchNormGradV3" else {}
        case(f"{name}.{'training' if training else 'frozen'}_{dtype.__name__}", lambda g, x, s, m, v: list(op(y_backprop=g, x=x, scale=s,
             reserve_space_1=m, reserve_space_2=v, is_training=training, epsilon=0.01, **more)), normal(2, 3, 4, 5, dtype=dtype), normal(2, 3, 4, 5, dtype=dtype),
             normal(5), normal(5), np.abs(normal(5)), rtol=2e-3 if half else 1e-5, atol=1e-2 if half else 1e-5)
x = f32([[-7, -6, -1, 0], [0.3, 2, 6.02, 9]])
case("FakeQuantWithMinMaxArgsGradient.plain", lambda g, x: raw.FakeQuantWithMinMaxArgsGradient(gradients=g, inputs=x), normal(2, 4), x)
for low, high in ((-1.03, 2.1), (0, 0), (0.5, 3)):
    case(f"FakeQuantWithMinMaxVarsGradient.{low}", lambda g, x, a, b: list(raw.FakeQuantWithMinMaxVarsGradient(gradients=g, inputs=x, min=a, max=b,
         num_bits=6, narrow_range=True)), normal(2, 4), x, f32(low), f32(high))
case("FakeQuantWithMinMaxVarsPerChannelGradient.plain", lambda g, x, a, b: list(raw.FakeQuantWithMinMaxVarsPerChannelGradient(gradients=g, inputs=x, min=a,
     max=b)), normal(2, 4), x, f32([-1, 0, 0, 0.5]), f32([1, 0, 5, 3]))
case("QuantizeAndDequantizeV4Grad.plain", lambda g, x, a, b: list(raw.QuantizeAndDequantizeV4Grad(gradients=g, input=x, input_min=a, input_max=b)),
     normal(2, 4), x, f32(-1), f32(2))
case("QuantizeAndDequantizeV4Grad.axis", lambda g, x, a, b: list(raw.QuantizeAndDequantizeV4Grad(gradients=g, input=x, input_min=a, input_max=b, axis=1)),
     normal(2, 4), x, f32([-1, 0, 1, 2]), f32([1, 2, 7, 8]))
case("StridedSliceGrad.steps", lambda g: raw.StridedSliceGrad(shape=[4, 5, 3], begin=[3, 1, 0], end=[0, 5, 0], strides=[-2, 1, 1], dy=g, end_mask=1,
     shrink_axis_mask=4), normal(2, 4))
case("StridedSliceGrad.plain", lambda g: raw.StridedSliceGrad(shape=[4, 5], begin=[1, 0], end=[3, 0], strides=[1, 1], dy=g, end_mask=2), normal(2, 5))
for k, (a, b) in enumerate((([2, 1, 3], [5, 1]), ([1, 2], [1, 2]), ([], [3, 1]), ([1], [1, 1]), ([1, 2, 1], [1, 1, 3]))):
    case(f"BroadcastGradientArgs.{k}", lambda a, b: list(raw.BroadcastGradientArgs(s0=a, s1=b)), np.int32(a), np.int32(b))
case("BroadcastGradientArgs.symbols", lambda x, y: list(raw.BroadcastGradientArgs(s0=tf.shape(x), s1=tf.shape(y))), normal(3, 1, 2), normal(3, 4, 1),
     shapes=[[-1, 1, 2], [-1, 4, 1]])
# ---- sparse tensors as strings, their gradients
indices, values, shape = np.int64([[0, 1, 2], [0, 3, 0], [2, 0, 1]]), f32([1.5, -2, 3]), np.int64([3, 4, 5])
words = strings("a", "", "long word")
for name, v in (("numbers", values), ("strings", words)):
    case("SerializeSparse." + name, lambda i, v, s: raw.SerializeSparse(sparse_indices=i, sparse_values=v, sparse_shape=s), indices, v, shape)
    case("SerializeManySparse." + name, lambda i, v, s: raw.SerializeManySparse(sparse_indices=i, sparse_values=v, sparse_shape=s), indices, v, shape)
    many = raw.SerializeManySparse(sparse_indices=indices, sparse_values=v, sparse_shape=shape).numpy()
    one = raw.SerializeSparse(sparse_indices=indices, sparse_values=v, sparse_shape=shape).numpy()
    for mark, s in (("one", one), ("many", many), ("deep", np.stack([many, many]))):
        case(f"DeserializeSparse.{name}_{mark}", lambda s: list(raw.DeserializeSparse(serialized_sparse=s, dtype=tf.string if v is words else tf.float32)), s)
    case(f"DeserializeManySparse.{name}", lambda s: list(raw.DeserializeManySparse(serialized_sparse=s, dtype=tf.string if v is words else tf.float32)), many)
case("SparseFillEmptyRowsGrad.plain", lambda i, g: list(raw.SparseFillEmptyRowsGrad(reverse_index_map=i, grad_values=g)), np.int64([0, 3, 4]), normal(6))
case("RaggedFillEmptyRowsGrad.plain", lambda i, g: list(raw.RaggedFillEmptyRowsGrad(reverse_index_map=i, grad_values=g)), np.int64([1, 2]), normal(4))
case("SparseSliceGrad.plain", lambda g, i, s, o: raw.SparseSliceGrad(backprop_val_grad=g, input_indices=i, input_start=s, output_indices=o), f32([7, 8]),
     np.int64([[0, 1], [1, 1], [2, 0], [2, 2]]), np.int64([1, 1]), np.int64([[0, 0], [1, 1]]))
case("SparseAddGrad.plain", lambda g, a, b, s: list(raw.SparseAddGrad(backprop_val_grad=g, a_indices=a, b_indices=b, sum_indices=s)), f32([7, 8, 9]),
     np.int64([[0, 1], [2, 0]]), np.int64([[1, 1], [2, 0]]), np.int64([[0, 1], [1, 1], [2, 0]]))
for kind in ("Sum", "Mean", "SqrtN"):
    attrs = {"indices": np.int32([3, 1, 1, 0]), "segment_ids": np.int32([0, 0, 1, 3])}
    case(f"SparseSegment{kind}Grad.plain", lambda g: getattr(raw, f"SparseSegment{kind}Grad")(grad=g, output_dim0=5, **attrs), normal(4, 3))
    case(f"SparseSegment{kind}GradV2.plain", lambda g: list(getattr(raw, f"SparseSegment{kind}GradV2")(grad=g, dense_output_dim0=5, **attrs)), normal(4, 3))

# ---- crosses, fits, random places
for hashed in (False, True):
    case(f"RaggedCross.{'hashed' if hashed else 'joined'}", lambda r, s, d: list(raw.RaggedCross(ragged_values=[r], ragged_row_splits=[np.int64([0, 2, 2, 3])],
         sparse_indices=[np.int64([[0, 0], [0, 3], [2, 1]])], sparse_values=[s], sparse_shape=[np.int64([3, 4])], dense_inputs=[d], input_order="DRS",
         hashed_output=hashed, num_buckets=1000 if hashed else 0, hash_key=956888297470, out_values_type=tf.int64 if hashed else tf.string,
         out_row_splits_type=tf.int64)), strings("a", "b", "c"), np.int64([7, -8, 9]), np.int64([[1, 2], [3, 4], [5, 6]]))
logits = normal(6, 3, 4)
label_indices, label_values = np.int64([[0, 0], [0, 1], [1, 0], [2, 0], [2, 1], [2, 2]]), np.int32([0, 1, 2, 1, 1, 0])
for attrs in ({}, {"preprocess_collapse_repeated": True}, {"ctc_merge_repeated": False}, {"ignore_longer_outputs_than_inputs": True}):
    lengths = np.int32([6, 4, 2 if "ignore_longer_outputs_than_inputs" in attrs else 5])
    for dtype in (f32, np.float64):
        case(f"CTCLoss.{'_'.join(attrs) or 'plain'}_{dtype.__name__}", lambda x, i, v, n: list(raw.CTCLoss(inputs=x, labels_indices=i, labels_values=v,
             sequence_length=n, **attrs)), logits.astype(dtype), label_indices, label_values, lengths)
for dtype, result in ((f32, tf.float32), (np.float64, tf.float64), (np.int8, tf.float32), (np.int64, tf.float64)):
    case(f"IsotonicRegression.{dtype.__name__}", lambda x: list(raw.IsotonicRegression(input=x, output_dtype=result)),
         random.integers(-9, 9, [2, 3, 8]).astype(dtype))
case("NearestNeighbors.three", lambda p, c: list(raw.NearestNeighbors(points=p, centers=c, k=3)), normal(5, 2), normal(7, 2))
case("NearestNeighbors.all", lambda p, c: list(raw.NearestNeighbors(points=p, centers=c, k=9)), normal(5, 2), normal(4, 2))
for dtype, most in ((np.int32, 10), (np.int64, 5000000000), (np.uint32, 70000), (np.uint64, 1)):
    case(f"RandomIndexShuffle.{dtype.__name__}", lambda i, s: raw.RandomIndexShuffle(index=i, seed=s, max_index=const(most, tf.as_dtype(dtype)), rounds=6),
         np.arange(2 if most < 10 else 10).astype(dtype), np.int32([3, -1, 77]))
for name, bounds in (("near", (-1.0, 2.0)), ("narrow", (0.3, 0.4)), ("far", (3.0, 9.0)), ("below", (-np.inf, -2.0)), ("above", (1.5, np.inf))):
    for dtype in (f32, np.float64):
        case(f"StatelessParameterizedTruncatedNormal.{name}_{dtype.__name__}", lambda s, a, b: raw.StatelessParameterizedTruncatedNormal(shape=[4, 2], seed=s,
             means=dtype([0.5, 0]), stddevs=dtype(1.5), minvals=a, maxvals=b), np.int32([5, 9]), dtype(bounds[0]), dtype(bounds[1]))
case("ParameterizedTruncatedNormal.seeded", lambda a, b: raw.ParameterizedTruncatedNormal(shape=[2, 5], means=f32([0, 1]), stdevs=f32([1, 2]), minvals=a,
     maxvals=b, seed=1, seed2=2), f32(-1), f32([2, 3]), check="shape")
# ---- decoders: pictures with other channels than are wanted, formats that the op is not named after
def bmp(channels):
    height, width = picture.shape[:2]
    alpha = np.concatenate([picture, picture[..., :1] // 2], 2)[::-1, :, [0] if channels == 1 else [2, 1, 0, 3][:channels]]
    rows = b"".join(row.tobytes() + bytes(-len(row.tobytes()) % 4) for row in alpha)
    header = struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, width, height, 1, channels * 8, 0, len(rows), 0, 0, 0, 0)
    return b"BM" + header + rows


def gif(frames):
    """4 x 3 pixels in four colors; codes of three bits, the table cleared again after every second pixel."""
    out = b"GIF89a" + struct.pack("<HHBBB", 4, 3, 0xF1, 0, 0) + bytes([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    for frame in range(frames):
        codes = [c for i in range(12) for c in ([4] if i % 2 == 0 else []) + [(i + frame) % 4]] + [5]
        bits = sum(code << (3 * k) for k, code in enumerate(codes))
        data = bits.to_bytes((3 * len(codes) + 7) // 8, "little")
        out += b"!\xf9\x04\x00\x0a\x00\x00\x00," + struct.pack("<HHHHB", 0, 0, 4, 3, 0) + bytes([2, len(data)]) + data + b"\0"
    return out + b";"


def content(data):
    return np.array(data, object)


for has, wants in ((1, 3), (1, 4), (3, 4), (4, 3), (4, 0)):
    case(f"DecodeBmp.{has}_to_{wants}", lambda s: raw.DecodeBmp(contents=s, channels=wants), content(bmp(has)))
case("DecodeGif.png", lambda s: raw.DecodeGif(contents=s), content(raw.EncodePng(image=picture[..., :1]).numpy()))
case("DecodePng.gif", lambda s: raw.DecodePng(contents=s, channels=3), content(gif(1)))
case("DecodeJpeg.gif", lambda s: raw.DecodeJpeg(contents=s), content(gif(1)))
for dtype in (tf.uint8, tf.uint16, tf.float32):
    case(f"DecodeImage.gif_{dtype.name}", lambda s: raw.DecodeImage(contents=s, dtype=dtype, expand_animations=False), content(gif(3)))
case("DecodeImage.known_gif", lambda x: tf.cast(raw.DecodeImage(contents=const(gif(3))), tf.float32) + x, f32(1))
for kind in ("Tanh", "Sigmoid", "Sqrt", "Rsqrt", "Reciprocal"):
    numbers = (normal(5) + 1j * normal(5)).astype(np.complex64)
    case(kind + "Grad.complex", lambda y, g: getattr(raw, kind + "Grad")(y=y, dy=g), numbers, numbers[::-1].copy())

# ---- an animation whose bytes are fed; sparse matrices
case("DecodeImage.fed_gif", lambda s: raw.DecodeImage(contents=s), content(gif(3)))
case("DecodeImage.fed_png", lambda s: raw.DecodeImage(contents=s), content(raw.EncodePng(image=picture).numpy()))
for rank, at, size in ((2, np.int64([[0, 1], [1, 0], [1, 3], [2, 2]]), [3, 4]), (3, np.int64([[0, 1, 1], [0, 2, 0], [1, 0, 3], [1, 2, 2]]), [2, 3, 4])):
    for dtype in (f32, np.complex128):
        numbers = normal(4, dtype=dtype) + (1j * normal(4) if dtype is np.complex128 else 0)
        numbers = numbers.astype(dtype)
        mark = f"{rank}_{dtype.__name__}"
        made = lambda v: raw.SparseTensorToCSRSparseMatrix(indices=at, values=v, dense_shape=size)
        case("CSRSparseMatrixToDense." + mark, lambda v: raw.CSRSparseMatrixToDense(sparse_input=made(v), type=v.dtype), numbers)
        case("CSRSparseMatrixToSparseTensor." + mark, lambda v: list(raw.CSRSparseMatrixToSparseTensor(sparse_matrix=raw.SparseMatrixTranspose(
             input=made(v), conjugate=True, type=v.dtype), type=v.dtype)), numbers)
        case("SparseMatrixNNZ." + mark, lambda v: raw.SparseMatrixNNZ(sparse_matrix=made(v)), numbers)
        case("CSRSparseMatrixComponents." + mark, lambda v, k: list(raw.CSRSparseMatrixComponents(csr_sparse_matrix=made(v), index=k, type=v.dtype)), numbers,
             np.int32(rank - 2))
        dense = normal(*size).astype(dtype)
        case("DenseToCSRSparseMatrix." + mark, lambda x: raw.CSRSparseMatrixToDense(sparse_input=raw.DenseToCSRSparseMatrix(dense_input=x, indices=at),
             type=x.dtype), dense)
        for name, attrs, turned in (("plain", {}, False), ("turned", {"transpose_a": True, "transpose_output": True}, True),
                                    ("adjoint", {"adjoint_a": True, "adjoint_b": True}, True)):
            other = normal(*size[:-2], size[-2] if turned else size[-1], 2).astype(dtype)
            other = np.swapaxes(other, -1, -2).copy() if "adjoint_b" in attrs else other
            case(f"SparseMatrixMatMul.{name}_{mark}", lambda v, b: raw.SparseMatrixMatMul(a=made(v), b=b, **attrs), numbers, other)

# ---- the op that ends TensorFlow Lite's detectors: answers of its interpreter
DETECTION = "TFLite_Detection_PostProcess"
kinds = {"max_detections": "int", "max_classes_per_detection": "int", "detections_per_class": "int", "num_classes": "int", "use_regular_nms": "bool"}
kinds |= {k: "float" for k in ("nms_score_threshold", "nms_iou_threshold", "y_scale", "x_scale", "h_scale", "w_scale")}
arguments = " ".join(f'input_arg {{ name: "i{k}" type: DT_FLOAT }}' for k in range(3)) + " ".join(f' output_arg {{ name: "o{k}" type: DT_FLOAT }}' for k in range(4))
register_custom_opdefs([f'name: "{DETECTION}" {arguments} ' + " ".join(f'attr {{ name: "{k}" type: "{t}" }}' for k, t in kinds.items())])


def detection(name, n, classes, ties=False, **attrs):
    attrs = {"max_detections": 5, "max_classes_per_detection": 1, "detections_per_class": 100, "num_classes": classes - 1, "use_regular_nms": False,
             "nms_score_threshold": 0.4, "nms_iou_threshold": 0.5, "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0} | attrs
    scores = random.uniform(0, 1, [1, n, classes]).astype(f32)
    anchors = random.uniform(0.2, 0.8, [n, 4]).astype(f32) * f32([1, 1, 0.5, 0.5])
    inputs = [normal(1, n, 4) / 2, np.round(scores * 4) / 4 if ties else scores, anchors]
    graph = tf.compat.v1.GraphDef()
    for i, x in enumerate(inputs):
        graph.node.add(name=f"x{i}", op="Placeholder", attr={"dtype": tf.compat.v1.AttrValue(type=1)})
        graph.node[i].attr["shape"].shape.CopyFrom(tf.TensorShape(x.shape).as_proto())
    node = graph.node.add(name="p", op=DETECTION, input=["x0", "x1", "x2"])
    for key, value in attrs.items():
        setattr(node.attr[key], {"int": "i", "bool": "b", "float": "f"}[kinds[key]], value)
    with tempfile.NamedTemporaryFile(suffix=".pb") as file:
        file.write(graph.SerializeToString())
        file.flush()
        names = ["p", "p:1", "p:2", "p:3"]
        converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(file.name, ["x0", "x1", "x2"], names, {f"x{i}": x.shape for i, x in enumerate(inputs)})
        converter.allow_custom_ops = True
        interpreter = tf.lite.Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], inputs[int(detail["name"][1])])
    interpreter.invoke()
    answers = [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
    suite.graph_case(name, graph, [(f"x{i}:0", x, list(x.shape)) for i, x in enumerate(inputs)], [(f"p:{i}", x) for i, x in enumerate(answers)])


detection("TFLite_Detection_PostProcess.fast", 12, 5)
detection("TFLite_Detection_PostProcess.fast_ties", 30, 5, ties=True)
detection("TFLite_Detection_PostProcess.fast_two_classes", 12, 3, max_classes_per_detection=2, max_detections=4, num_classes=3)
detection("TFLite_Detection_PostProcess.regular", 12, 5, use_regular_nms=True, detections_per_class=3)
detection("TFLite_Detection_PostProcess.regular_ties", 30, 5, ties=True, use_regular_nms=True, detections_per_class=10, max_detections=8)
detection("TFLite_Detection_PostProcess.regular_few", 6, 3, use_regular_nms=True, detections_per_class=10, max_detections=30, num_classes=3)
suite.close()
