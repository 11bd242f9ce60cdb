/* random_contract: matrix products, convolutions, windows, resizing and recurrent cells. Filters are constants most of
   the time, as in models. */
#include "random_graph.h"

#include <math.h>
#include <string.h>

static double size_of(const Maker *m, Dim d) {
    return fmax(1, (double)dim_value(m->w, d, 0));
}

bool random_matmul(Maker *m, OpId op) {
    ValueId a = pick_value(m, "FFFFI", 2, 4);
    if (!a.i) return false;
    DType t = maker_value(m, a)->dtype, other = t, result = DTYPE_NONE;
    bool bytes = t == DTYPE_S8;
    if (bytes && random_chance(m->r, 40)) other = DTYPE_U8;
    if ((t == DTYPE_F16 || t == DTYPE_BF16) && random_chance(m->r, 25)) result = DTYPE_F32;
    Shape s = maker_value(m, a)->shape, b = {.rank = 2};
    bool transpose_a = random_chance(m->r, 25), transpose_b = random_chance(m->r, 35);
    Dim k = s.dims[s.rank - (transpose_a ? 2 : 1)], n = random_chance(m->r, 85) ? dim_const(pick_size(m)) : pick_dim(m);
    if (random_chance(m->r, 35)) { /* a batch on both sides */
        b.rank = random_chance(m->r, 80) ? s.rank : (int)random_between(m->r, 2, 4);
        for (int i = 0; i < b.rank - 2; i++) {
            int from = s.rank - b.rank + i;
            b.dims[i] =
                from >= 0 && random_chance(m->r, 75) ? s.dims[from] : dim_const(random_chance(m->r, 70) ? 1 : 2);
        }
    }
    b.dims[b.rank - 2] = transpose_b ? n : k;
    b.dims[b.rank - 1] = transpose_b ? k : n;
    if (shape_value_count(m->w, &b) > m->w->largest) return false;
    ValueId right = pick_like(m, other, &b);
    Attr attrs[] = {attr_int("transpose_a", transpose_a), attr_int("transpose_b", transpose_b),
                    attr_type("dtype", result)};
    float magnitude = magnitude_of(m, a) + magnitude_of(m, right) + (float)log2(size_of(m, k)) / 2;
    return keep_as(m, make_node(m, op, 2, (ValueId[]){a, right}, result ? 3 : 2, attrs), magnitude);
}

/* ---- windows */

/* Dims of an image with 1 to 3 spatial dims of which those of a filter have to be constants. */
static ValueId pick_image(Maker *m, const char *classes) {
    ValueId x = pick_value(m, classes, 3, 5);
    if (!x.i) return x;
    Shape s = maker_value(m, x)->shape;
    bool good = dim_is_const(s.dims[s.rank - 1]) && s.dims[s.rank - 1].value > 0;
    if (good && random_chance(m->r, 60)) return x;
    DType t = maker_value(m, x)->dtype;
    s = (Shape){.rank = (int)random_between(m->r, 3, random_chance(m->r, 80) ? 4 : 5)};
    for (int i = 0; i < s.rank; i++)
        s.dims[i] = random_chance(m->r, 15) ? pick_dim(m) : dim_const(random_between(m->r, 2, 11));
    s.dims[0] = random_chance(m->r, 30) ? pick_dim(m) : dim_const(random_between(m->r, 1, 2));
    static const int64_t channels[] = {1, 2, 3, 4, 5, 8, 12, 16, 17, 24, 32};
    s.dims[s.rank - 1] = dim_const(channels[random_below(m->r, ARRAY_LEN(channels))]);
    while (shape_value_count(m->w, &s) > m->w->largest) {
        int at = (int)random_below(m->r, s.rank);
        s.dims[at] = dim_const(dim_is_const(s.dims[at]) ? s.dims[at].value / 2 + 1 : 2);
    }
    return make_leaf(m, t, &s);
}

typedef struct {
    int64_t window[3], strides[3], dilations[3];
    Dim before[3], after[3];
} Window;

static void pick_window(Maker *m, const Shape *s, Window *w) {
    static const int64_t sizes[] = {1, 3, 3, 2, 3, 5, 4};
    int64_t same = sizes[random_below(m->r, ARRAY_LEN(sizes))],
            stride = random_chance(m->r, 65) ? 1 : random_between(m->r, 2, 3);
    for (int i = 0; i < s->rank - 2; i++) {
        w->window[i] = random_chance(m->r, 80) ? same : sizes[random_below(m->r, ARRAY_LEN(sizes))];
        w->strides[i] = random_chance(m->r, 85) ? stride : random_between(m->r, 1, 3);
        w->dilations[i] = random_chance(m->r, 85) ? 1 : random_between(m->r, 1, 3);
        int64_t reach = (w->window[i] - 1) * w->dilations[i], least = dim_value(m->w, s->dims[i + 1], 0);
        for (int b = 1; b < N_BINDINGS; b++)
            if (dim_value(m->w, s->dims[i + 1], b) < least) least = dim_value(m->w, s->dims[i + 1], b);
        int64_t pad = random_chance(m->r, 55) ? reach : reach + 1 > least ? reach + 1 - least : 0;
        if (random_chance(m->r, 10)) pad += random_below(m->r, 3);
        w->before[i] = dim_const(random_chance(m->r, 15) ? random_below(m->r, pad + 1) : pad / 2);
        w->after[i] = dim_const(pad - w->before[i].value);
    }
}

static uint32_t window_attrs(Maker *m, const Window *w, size_t n, Attr *a) {
    Arena *arena = m->g->arena;
    a[0] = attr_ints(arena, "strides", n, w->strides);
    a[1] = attr_ints(arena, "dilations", n, w->dilations);
    a[2] = attr_dims(arena, "before", n, w->before);
    a[3] = attr_dims(arena, "after", n, w->after);
    return 4;
}

/* Groups that divide the channels: mostly 1, or one a channel. */
static int64_t pick_groups(Maker *m, int64_t channels) {
    if (random_chance(m->r, 60)) return 1;
    if (random_chance(m->r, 60)) return channels;
    for (int64_t g = random_between(m->r, 1, 4); g > 1; g--)
        if (channels % g == 0) return g;
    return 1;
}

static ValueId make_filter(Maker *m, DType t, const Shape *s) {
    if (random_chance(m->r, 12) && !m->w->edges)
        return pick_like(m, t, s); /* 0 of the padding times infinity is a matter of taste */
    int64_t dims[MAX_RANK];
    for (int i = 0; i < s->rank; i++) dims[i] = s->dims[i].value;
    Fill fill = dtype_is_float(t) && random_chance(m->r, 60) ? FILL_UNIFORM : FILL_SMALL_INTEGERS;
    Tensor w = random_tensor(m->g->arena, m->r, t, s->rank, dims, fill, 0, false);
    return build_const(m->g, m->region, &w, "");
}

/* Multiplications of the node, roughly: the reference runs it several times. */
static bool too_much(const Maker *m, const Shape *out, double taps) {
    return (double)shape_value_count(m->w, out) * taps > 3e6;
}

bool random_conv(Maker *m, OpId op) {
    ValueId x = pick_image(m, "FFFFFI");
    if (!x.i) return false;
    DType t = maker_value(m, x)->dtype;
    Shape s = maker_value(m, x)->shape, filter = {.rank = s.rank};
    Window w;
    pick_window(m, &s, &w);
    int spatial = s.rank - 2;
    int64_t channels = s.dims[s.rank - 1].value, groups = pick_groups(m, channels);
    double taps = 1;
    for (int i = 0; i < spatial; i++) filter.dims[i] = dim_const(w.window[i]), taps *= (double)w.window[i];
    filter.dims[spatial] = dim_const(channels / groups);
    filter.dims[spatial + 1] = dim_const(groups * random_between(m->r, 1, groups > 4 ? 2 : 9));
    taps *= (double)filter.dims[spatial].value;
    Attr a[5];
    uint32_t n = window_attrs(m, &w, (size_t)spatial, a);
    a[n++] = attr_int("groups", groups);
    if (shape_value_count(m->w, &filter) > m->w->largest) return false;
    ValueId weights = make_filter(m, t, &filter), y = make_node(m, op, 2, (ValueId[]){x, weights}, n, a);
    if (!y.i || too_much(m, &maker_value(m, y)->shape, taps)) return false;
    return keep_as(m, y, magnitude_of(m, x) + 1 + (float)log2(taps) / 2);
}

/* The gradient of a convolution: sizes that lead to its input. */
bool random_conv_transpose(Maker *m, OpId op) {
    ValueId x = pick_image(m, "F");
    if (!x.i) return false;
    DType t = maker_value(m, x)->dtype;
    Shape s = maker_value(m, x)->shape, filter = {.rank = s.rank};
    int spatial = s.rank - 2;
    Window w;
    Dim size[3];
    pick_window(m, &s, &w);
    int64_t filters = s.dims[s.rank - 1].value, groups = random_chance(m->r, 85) ? 1 : pick_groups(m, filters);
    double taps = (double)filters;
    for (int i = 0; i < spatial; i++) {
        int64_t reach = (w.window[i] - 1) * w.dilations[i], pad = random_chance(m->r, 50) ? reach : 0;
        w.before[i] = dim_const(pad / 2);
        w.after[i] = dim_const(pad - pad / 2);
        Dim less = dim_sub(&m->g->dims, s.dims[i + 1], dim_const(1)),
            wide = dim_mul(&m->g->dims, less, dim_const(w.strides[i]));
        size[i] = dim_add(&m->g->dims, wide, dim_const(reach + 1 - pad + random_below(m->r, w.strides[i])));
        filter.dims[i] = dim_const(w.window[i]);
        taps *= (double)w.window[i];
        for (int b = 0; b < N_BINDINGS; b++)
            if (dim_value(m->w, size[i], b) < 1) return false;
    }
    filter.dims[spatial] = dim_const(random_between(m->r, 1, 6));
    filter.dims[spatial + 1] = dim_const(filters);
    Attr a[6];
    uint32_t n = window_attrs(m, &w, (size_t)spatial, a);
    a[n++] = attr_dims(m->g->arena, "size", (size_t)spatial, size);
    a[n++] = attr_int("groups", groups);
    if (shape_value_count(m->w, &filter) > m->w->largest) return false;
    ValueId weights = make_filter(m, t, &filter), y = make_node(m, op, 2, (ValueId[]){x, weights}, n, a);
    if (!y.i || too_much(m, &maker_value(m, y)->shape, taps)) return false;
    return keep_as(m, y, magnitude_of(m, x) + 1 + (float)log2(taps) / 2);
}

bool random_pool(Maker *m, OpId op) {
    bool average = random_chance(m->r, 50);
    ValueId x = pick_image(m, average ? "F" : "FIU");
    if (!x.i) return false;
    Shape s = maker_value(m, x)->shape;
    size_t n = (size_t)s.rank - 2;
    Window w;
    pick_window(m, &s, &w);
    for (size_t i = 0; i < n; i++) { /* no window lies in padding alone */
        int64_t reach = (w.window[i] - 1) * w.dilations[i];
        if (w.before[i].value > reach || w.after[i].value > reach || w.dilations[i] > 1)
            w.before[i] = w.after[i] = dim_const(0);
        for (int b = 0; b < N_BINDINGS; b++)
            if (dim_value(m->w, s.dims[i + 1], b) + w.before[i].value + w.after[i].value <= reach ||
                dim_value(m->w, s.dims[i + 1], b) < 1)
                return false;
    }
    Attr a[6] = {attr_string("kind", average ? "avg" : "max"), attr_ints(m->g->arena, "window", n, w.window)};
    uint32_t n_attrs = 2 + window_attrs(m, &w, n, a + 2);
    return keep(m, make_node(m, op, 1, &x, n_attrs, a));
}

bool random_resize(Maker *m, OpId op) {
    ValueId x = pick_value(m, "FFFIU", 4, 4);
    if (!x.i || m->w->edges) return false; /* differences of infinities are a matter of how it is written */
    Shape s = maker_value(m, x)->shape;
    for (int i = 1; i < 3; i++)
        for (int b = 0; b < N_BINDINGS; b++)
            if (dim_value(m->w, s.dims[i], b) < 1) return false;
    int64_t how = random_below(m->r, 3);
    Dim size[2];
    for (int i = 0; i < 2; i++) {
        size[i] = random_chance(m->r, 60) ? dim_const(random_between(m->r, 1, 20))
                                          : dim_mul(&m->g->dims, s.dims[i + 1], dim_const(random_between(m->r, 1, 2)));
        for (int b = 0; b < N_BINDINGS; b++)
            if (dim_value(m->w, size[i], b) < 1) return false;
    }
    Attr a[] = {attr_string("kind", random_chance(m->r, 50) ? "nearest" : "bilinear"),
                attr_dims(m->g->arena, "size", 2, size), attr_int("align_corners", how == 1),
                attr_int("half_pixel", how == 2)};
    return keep(m, make_node(m, op, 1, &x, 4, a));
}

/* ---- recurrent cells */

/* Small weights: large ones make a chaos of every rounding. */
static ValueId make_weights(Maker *m, DType t, const Shape *s) {
    int64_t dims[MAX_RANK];
    for (int i = 0; i < s->rank; i++) dims[i] = s->dims[i].value;
    Tensor w = random_tensor(m->g->arena, m->r, t, s->rank, dims, FILL_UNIFORM, 0, false);
    for (int64_t i = tensor_count(&w); i-- > 0;) tensor_set_f64(&w, i, tensor_get_f64(&w, i) / 4);
    ValueId v = build_const(m->g, m->region, &w, "");
    return v;
}

static bool make_cell(Maker *m, OpId op, int64_t gates, uint32_t states, uint32_t biases) {
    static const int64_t widths[] = {1, 2, 3, 4, 5, 8, 16, 17};
    DType t = random_chance(m->r, 85) ? DTYPE_F32 : DTYPE_F64;
    Dim batch = pick_dim(m), inputs = dim_const(random_between(m->r, 1, 9)),
        hidden = dim_const(widths[random_below(m->r, ARRAY_LEN(widths))]);
    Dim steps = random_chance(m->r, 80) ? dim_const(random_between(m->r, 1, 6)) : pick_dim(m),
        wide = dim_const(gates * hidden.value);
    Shape x = {.rank = 3, .dims = {steps, batch, inputs}}, state = {.rank = 2, .dims = {batch, hidden}},
          w = {.rank = 2, .dims = {inputs, wide}}, recurrent = {.rank = 2, .dims = {hidden, wide}},
          bias = {.rank = 1, .dims = {wide}};
    if (shape_value_count(m->w, &x) > m->w->largest || dim_value(m->w, steps, 0) > 20 || dim_value(m->w, steps, 1) > 20)
        return false;
    ValueId in[8];
    uint32_t n = 0;
    in[n++] = pick_like(m, t, &x);
    for (uint32_t i = 0; i < states; i++) in[n++] = pick_like(m, t, &state);
    in[n++] = make_weights(m, t, &w);
    in[n++] = make_weights(m, t, &recurrent);
    for (uint32_t i = 0; i < biases; i++) in[n++] = make_filter(m, t, &bias);
    for (uint32_t i = 0; i < n; i++)
        if (!in[i].i) return false;
    Attr lstm[] = {attr_float("forget_bias", random_chance(m->r, 50) ? 1 : 0),
                   attr_float("cell_clip", random_chance(m->r, 70) ? 0 : 0.5)};
    Attr gru = attr_int("reset_after", random_chance(m->r, 50));
    NodeSpec spec = {.op = op,
                     .name = "",
                     .inputs = in,
                     .n_inputs = n,
                     .attrs = op == OP_LSTM ? lstm : &gru,
                     .n_attrs = op == OP_LSTM ? 2 : 1};
    NodeId node = graph_add(m->g, m->region, &spec, &m->d);
    if (!node.i) return false;
    for (uint32_t i = 0; i <= states; i++) keep_as(m, node_at(m->g, node)->outputs[i], i == 2 ? 3 : 0);
    return true;
}

bool random_lstm(Maker *m, OpId op) {
    return make_cell(m, op, 4, 2, 1);
}

bool random_gru(Maker *m, OpId op) {
    return make_cell(m, op, 3, 1, 2);
}
