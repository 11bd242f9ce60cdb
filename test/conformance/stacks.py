"""Cases of TF1's stacks: gradients of loops as the TF1 API makes them. usage: stacks.py FOLDER"""
from make_case import *
v1 = tf.compat.v1
def v1_case(name, build, *feeds):
    with tf.Graph().as_default() as g:
        v1.disable_control_flow_v2()
        holders = [v1.placeholder(tf.as_dtype(x.dtype), [None] * x.ndim, name=f"x{i}") for i, x in enumerate(feeds[0])]
        out = build(*holders)
        for k, values in enumerate(feeds):
            with v1.Session(graph=g) as s:
                ans = s.run(out, dict(zip(holders, values)))
            write_case(f"{name}_{k}", g.as_graph_def(), list(zip(holders, values)), list(zip(out, ans)), "value")
def power(x, n):
    y = v1.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, tf.sin(a) * a), [0, x])[1]
    return [y, tf.gradients(y, x)[0]]
v1_case("stack_loop", power, [v(3), scalar(3)], [v(3), scalar(1)], [v(2), scalar(6)])
def nested(x, n):
    def outer(i, a):
        b = v1.while_loop(lambda j, b: j < i, lambda j, b: (j + 1, tf.sin(b) + b * 0.5), [0, a])[1]
        return i + 1, b * a
    y = v1.while_loop(lambda i, a: i < n, outer, [0, x])[1]
    return [y, tf.gradients(y, x)[0]]
v1_case("stack_nested", nested, [v(3) / 4, scalar(3)], [v(3) / 4, scalar(1)])
def growing(x, n):
    y = v1.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, tf.concat([a, a[:1] * 2], 0)), [0, x], shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])])[1]
    return [y, tf.gradients(tf.reduce_sum(y * y), x)[0]]
v1_case("stack_growing", growing, [v(3), scalar(3)])
