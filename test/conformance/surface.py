"""Makes surface.tar.xz: what whole layers and public functions of TensorFlow's API hold that op by op suites lack: gradients inside of a graph
(saliency maps, attacks), sizes computed by arithmetic on constants. Needs TensorFlow; run by hand: python surface.py."""
import os

from case_writer import Suite, np, tf

raw = tf.raw_ops
suite = Suite(os.path.join(os.path.dirname(os.path.abspath(__file__)), "surface.tar.xz"))
case = suite.case
random = np.random.default_rng(1)


def normal(*shape, dtype=np.float32):
    return random.standard_normal(shape).astype(dtype)


def gradients(f, *x):
    """Of the results of f, weighed so that no two elements count alike."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(*x)
        loss = tf.reduce_sum(y * tf.reshape(tf.sin(tf.range(tf.size(y), dtype=y.dtype)) + 1.5, tf.shape(y)))
    return tape.gradient(loss, x)


# ---- paddings and cuts whose sizes are constants by arithmetic, gradients of cuts
image = normal(2, 8, 9, 3)
for name, shape in (("fixed", None), ("free", [-1, -1, -1, -1])):
    case(f"central_crop_gradient.{name}", lambda x: gradients(lambda a: tf.image.central_crop(a, 0.6), x), image, shapes=[shape])
    case(f"crop_gradient.{name}", lambda x: gradients(lambda a: tf.image.crop_to_bounding_box(a, 1, 2, 4, 5), x), image, shapes=[shape])
case("Pad.by_columns", lambda x, b, a: tf.pad(x, tf.stack([b, a], axis=1)), image, np.int32([0, 1, 2, 0]), np.int32([1, 0, 3, 0]))
case("Pad.by_transposed", lambda x, p: tf.pad(x, tf.transpose(p)), image, np.int32([[0, 1, 2, 0], [1, 0, 3, 0]]))
case("Pad.by_ratio", lambda x: tf.pad(x, tf.stack([[0, 0], [0, tf.cast(tf.math.ceil(tf.constant(7.5) / 2), tf.int32)], [1, 1], [0, 0]])), image)

# ---- resampling, incomplete gamma functions
for kernel in ("lanczos3", "gaussian", "box", "triangle", "keyscubic", "mitchellcubic"):
    case("ScaleAndTranslateGrad." + kernel, lambda g, x, s, t: raw.ScaleAndTranslateGrad(grads=g, original_image=x, scale=s, translation=t,
         kernel_type=kernel, antialias=kernel != "keyscubic"), normal(2, 5, 4, 3), image, np.float32([0.6, 0.4]), np.float32([0.3, -0.7]))
case("ScaleAndTranslateGrad.larger", lambda g, x, s, t: raw.ScaleAndTranslateGrad(grads=g, original_image=x, scale=s, translation=t),
     normal(1, 11, 13, 2), normal(1, 5, 4, 2), np.float32([2.2, 3.25]), np.float32([0, 0]), shapes=[[-1, -1, -1, -1], [-1, -1, -1, -1], [-1], [-1]])
for dtype in (np.float32, np.float64):
    a = np.array([0.5, 1, 2.5, 7, 20, 100, 0.01, 3, 0, -1, 2, 5], dtype)
    x = np.array([0.3, 2, 2.4, 12, 15, 130, 4, 0, 1, 1, -1, np.inf], dtype)
    case("IgammaGradA." + dtype.__name__, lambda a, x: raw.IgammaGradA(a=a, x=x), a, x, rtol=2e-4 if dtype == np.float32 else 1e-9)
case("IgammaGradA.broadcast", lambda a, x: gradients(tf.math.igammac, a, x), np.float32([[1], [2.5]]), np.float32([0.5, 1.5, 4]), rtol=1e-4)

# ---- cells
T, B, I, U = 4, 3, 5, 2
weights, bias = normal(I + U, 4 * U), normal(4 * U)
x, cs, h = normal(T, B, I), normal(B, U), normal(B, U)
peepholes = [normal(U) for _ in range(3)]
for use in (False, True):
    mark = "peephole" if use else "plain"
    rest = dict(wci=peepholes[0], wcf=peepholes[1], wco=peepholes[2], b=bias, use_peephole=use)
    step = [t.numpy() for t in raw.LSTMBlockCell(x=x[0], cs_prev=cs, h_prev=h, w=weights, **rest)]
    case("LSTMBlockCellGrad." + mark, lambda x, c, h, w, i, s, f, o, ci, co, cg, hg: list(raw.LSTMBlockCellGrad(
        x=x, cs_prev=c, h_prev=h, w=w, i=i, cs=s, f=f, o=o, ci=ci, co=co, cs_grad=cg, h_grad=hg, **rest)), x[0], cs, h, weights, *step[:6],
        normal(B, U), normal(B, U), shapes=[[-1, I]] + [[-1, U]] * 2 + [None] + [[-1, U]] * 8)
    for name, forward, backward in (("BlockLSTMGrad", raw.BlockLSTM, raw.BlockLSTMGrad), ("BlockLSTMGradV2", raw.BlockLSTMV2, raw.BlockLSTMGradV2)):
        for length, shape in ((T, None), (2, [-1, -1, I])):
            steps = [t.numpy() for t in forward(seq_len_max=tf.constant(length, tf.int64), x=x, cs_prev=cs, h_prev=h, w=weights, **rest)]
            steps = [np.where(np.arange(T)[:, None, None] < length, s, 0).astype(np.float32) for s in steps]
            case(f"{name}.{mark}_{length}", lambda n, x, c, h, w, i, s, f, o, ci, co, hs, cg, hg: list(backward(
                seq_len_max=n, x=x, cs_prev=c, h_prev=h, w=w, i=i, cs=s, f=f, o=o, ci=ci, co=co, h=hs, cs_grad=cg, h_grad=hg, **rest)),
                np.int64(length), x, cs, h, weights, *steps, normal(T, B, U), normal(T, B, U), rtol=1e-4, atol=1e-5,
                shapes=[None, shape, None, None, None] + [shape and [-1, -1, U]] * 9)
w_ru, w_c = normal(I + U, 2 * U), normal(I + U, U)
step = [t.numpy() for t in raw.GRUBlockCell(x=x[0], h_prev=h, w_ru=w_ru, w_c=w_c, b_ru=bias[:2 * U], b_c=bias[:U])]
for name, shape in (("fixed", None), ("free", -1)):
    case("GRUBlockCellGrad." + name, lambda x, h, r, u, c, g: list(raw.GRUBlockCellGrad(x=x, h_prev=h, w_ru=w_ru, w_c=w_c, b_ru=bias[:2 * U], b_c=bias[:U],
         r=r, u=u, c=c, d_h=g)), x[0], h, *step[:3], normal(B, U), shapes=[shape and [-1, I]] + [shape and [-1, U]] * 5)

# ---- a call of which one result is needed; the op behind the other is none that is compiled
@tf.function
def double_and_sample(x):
    return x * 2, tf.math.sobol_sample(2, 3)


case("PartitionedCall.one_result", lambda x: double_and_sample(x)[0], normal(2, 4), shapes=[[-1, 4]])
suite.close()
