/* horizontal: matrix products, or convolutions with the same window, that share their input and have constant weights
   become one with the weights side by side, and the element-wise ops that follow all of them alike become one as well
   with their constants side by side: the projections of an attention, the pointwise branches of an inception block.
   What each branch had are slices of the channels, which are views; a branch whose reader could not take it so stays
   out. Only where the predicted time becomes less.      needs: weights and biases folded, canonical form      keeps:
   shapes, order */
#include "rewrite.h"

#include <string.h>

enum { MAX_BRANCHES = 16, MAX_LEVELS = 16, MAX_WAYS = 8 };
static const double STEP_NS = 150; /* what a kernel more costs besides its work */

/* One of the contractions and the values that follow from it, in the same order for all: 0 is the contraction's. */
typedef struct {
    NodeId node;
    ValueId values[MAX_LEVELS];
    int64_t channels;
} Branch;

typedef struct {
    Unit *u;
    Graph *g;
    const Users *users;
    uint32_t n_values; /* values made by this sweep have no users there */
    bool *done;        /* per node of before the sweep: contractions that are part of another by now */
    Branch branches[MAX_BRANCHES];
    uint32_t n;
    int levels;
} Fusion;

/* ---- what can go together */

/* The dim of the weights along which the result's channels lie. */
static int channel_axis(const Graph *g, const Node *n) {
    int rank = shape_at(g, n->inputs[1])->rank;
    return n->op == OP_MATMUL && node_int(n, "transpose_b", 0) ? rank - 2 : rank - 1;
}

static bool is_candidate(const Fusion *f, NodeId id) {
    const Node *n = node_at(f->g, id);
    if (n->dead || (n->op != OP_MATMUL && n->op != OP_CONV) || f->done[id.i]) return false;
    if (n->op == OP_CONV && node_int(n, "groups", 1) != 1) return false;
    const Tensor *w = value_const(f->g, n->inputs[1]);
    const Shape *out = shape_at(f->g, n->outputs[0]);
    if (!w || n->inputs[1].i >= f->n_values || n->outputs[0].i >= f->n_values || f->users[n->inputs[1].i].n != 1)
        return false;
    for (int i = 0; n->op == OP_MATMUL && i < w->rank - 2; i++)
        if (w->dims[i] != 1) return false;
    return out->rank >= 2 && !value_const(f->g, n->inputs[0]) && w->dims[channel_axis(f->g, n)] >= 1;
}

static bool same_attrs(const Node *a, const Node *b) {
    if (a->n_attrs != b->n_attrs) return false;
    for (uint32_t i = 0; i < a->n_attrs; i++)
        if (!attr_equal(&a->attrs[i], &b->attrs[i])) return false;
    return true;
}

/* Whether a and b are the same but for their weights, and those but for the number of channels. */
static bool go_together(const Graph *g, const Node *a, const Node *b) {
    const Tensor *v = value_const(g, a->inputs[1]), *w = value_const(g, b->inputs[1]);
    if (a->op != b->op || a->region.i != b->region.i || a->inputs[0].i != b->inputs[0].i || v->dtype != w->dtype ||
        v->rank != w->rank || dtype_at(g, a->outputs[0]) != dtype_at(g, b->outputs[0]) || !same_attrs(a, b))
        return false;
    int axis = channel_axis(g, a);
    for (int i = 0; i < v->rank; i++)
        if (i != axis && v->dims[i] != w->dims[i]) return false;
    return shape_at(g, a->outputs[0])->rank == shape_at(g, b->outputs[0])->rank;
}

/* Whether c is a constant with one element, or one for each channel along the last dim, in front of which all are 1. */
static bool is_along_channels(const Graph *g, ValueId c, int64_t channels) {
    const Tensor *t = value_const(g, c);
    if (!t || t->rank > 4) return false;
    int64_t count = tensor_count(t);
    return count == 1 || (count == channels && t->dims[t->rank - 1] == channels);
}

/* ---- readers of slices */

/* Whether `id` reads its operand v element by element, or by rows that need not follow each other. */
static bool reads_slices(const Fusion *f, NodeId id, ValueId v, int depth) {
    static const bool by_rows[N_OPS] = {
        [OP_REDUCE] = true,     [OP_ARG_REDUCE] = true,     [OP_SOFTMAX] = true, [OP_LOG_SOFTMAX] = true,
        [OP_LAYER_NORM] = true, [OP_POOL] = true,           [OP_CONV] = true,    [OP_PAD] = true,
        [OP_RESIZE] = true,     [OP_SPACE_TO_BATCH] = true,
    };
    const Node *n = node_at(f->g, id);
    if ((op_info(n->op)->flags & OP_FLAG_EWISE) || n->op == OP_MATMUL || n->op == OP_TRANSPOSE) return true;
    if (n->op == OP_RESHAPE && depth < 4) { /* either it keeps rows, or it is part of what its only reader computes */
        ValueId y = n->outputs[0];
        if (y.i >= f->n_values || f->users[y.i].is_result || f->users[y.i].n == 0) return false;
        const Shape *from = shape_at(f->g, v), *to = shape_at(f->g, y);
        bool rows = to->rank >= 2 && dim_equal(from->dims[from->rank - 1], to->dims[to->rank - 1]);
        for (uint32_t i = 0; i < f->users[y.i].n; i++) {
            NodeId reader = f->users[y.i].nodes[i];
            const Node *r = node_at(f->g, reader);
            bool inside = f->users[y.i].n == 1 && r->op == OP_TRANSPOSE;
            if (!inside && !(rows && reads_slices(f, reader, y, depth + 1))) return false;
        }
        return true;
    }
    return by_rows[n->op] && n->inputs[0].i == v.i && (n->n_inputs < 2 || n->inputs[1].i != v.i);
}

static int level_of(const Branch *b, int levels, ValueId v) {
    for (int i = 0; i < levels; i++)
        if (b->values[i].i == v.i) return i;
    return -1;
}

/* Whether node id is behind one of the first `levels` values of the branch. */
static bool is_inside(const Fusion *f, const Branch *b, NodeId id) {
    const Node *n = node_at(f->g, id);
    return n->n_outputs == 1 && level_of(b, f->levels, n->outputs[0]) >= 0;
}

/* Whether somebody who is not fused reads the value of this level. */
static bool is_read_outside(const Fusion *f, const Branch *b, int level) {
    const Users *users = &f->users[b->values[level].i];
    for (uint32_t i = 0; i < users->n; i++)
        if (!is_inside(f, b, users->nodes[i])) return true;
    return users->is_result;
}

static bool can_be_sliced(const Fusion *f, const Branch *b, int level) {
    const Users *users = &f->users[b->values[level].i];
    for (uint32_t i = 0; i < users->n; i++)
        if (!is_inside(f, b, users->nodes[i]) && !reads_slices(f, users->nodes[i], b->values[level], 0)) return false;
    return !users->is_result;
}

/* ---- what follows all branches alike */

/* Whether user m of branch k does to its values what user n of branch 0 does to its own. */
static bool same_step(const Fusion *f, const Node *n, const Node *m, uint32_t k) {
    const Branch *a = &f->branches[0], *b = &f->branches[k];
    if (n->op != m->op || n->n_inputs != m->n_inputs || n->n_outputs != 1 || m->n_outputs != 1 || !same_attrs(n, m) ||
        m->outputs[0].i >= f->n_values || !shape_equal(shape_at(f->g, m->outputs[0]), shape_at(f->g, b->values[0])) ||
        dtype_at(f->g, n->outputs[0]) != dtype_at(f->g, m->outputs[0]))
        return false;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        int level = level_of(a, f->levels, n->inputs[i]);
        if (level != level_of(b, f->levels, m->inputs[i])) return false;
        if (level >= 0) continue;
        if (!is_along_channels(f->g, n->inputs[i], a->channels) ||
            !is_along_channels(f->g, m->inputs[i], b->channels) ||
            dtype_at(f->g, n->inputs[i]) != dtype_at(f->g, m->inputs[i]))
            return false;
    }
    return true;
}

/* Takes one more step that all branches have; false when there is none. */
static bool next_level(Fusion *f) {
    const Branch *first = &f->branches[0];
    if (f->levels == MAX_LEVELS) return false;
    for (int level = 0; level < f->levels; level++) {
        const Users *users = &f->users[first->values[level].i];
        for (uint32_t i = 0; i < users->n && users->n <= MAX_WAYS; i++) {
            const Node *n = node_at(f->g, users->nodes[i]);
            if (n->dead || !(op_info(n->op)->flags & OP_FLAG_EWISE) || is_inside(f, first, users->nodes[i]) ||
                n->outputs[0].i >= f->n_values || !same_step(f, n, n, 0))
                continue;
            ValueId found[MAX_BRANCHES] = {n->outputs[0]};
            uint32_t k = 1;
            for (; k < f->n; k++) {
                const Users *others = &f->users[f->branches[k].values[level].i];
                for (uint32_t j = 0; j < others->n && j < MAX_WAYS && !found[k].i; j++) {
                    const Node *m = node_at(f->g, others->nodes[j]);
                    if (!m->dead && !is_inside(f, &f->branches[k], others->nodes[j]) && same_step(f, n, m, k))
                        found[k] = m->outputs[0];
                }
                if (!found[k].i) break;
            }
            if (k < f->n) continue;
            for (k = 0; k < f->n; k++) f->branches[k].values[f->levels] = found[k];
            f->levels++;
            return true;
        }
    }
    return false;
}

/* Levels that somebody outside reads; their last one in *out_last. */
static int levels_read(const Fusion *f, int *out_last) {
    int n = 0;
    for (int level = 0; level < f->levels; level++) {
        bool read = false;
        for (uint32_t k = 0; k < f->n; k++) read = read || is_read_outside(f, &f->branches[k], level);
        if (!read) continue;
        n++;
        *out_last = level;
    }
    return n;
}

/* The levels that are fused: as many as leave one that others read, which a kernel with an epilogue can give. */
static int choose_levels(Fusion *f) {
    int last = 0;
    f->levels = 1;
    while (next_level(f)) continue;
    while (levels_read(f, &last) > 1) f->levels--;
    return last;
}

/* ---- cost */

static int64_t typical(const Graph *g, Dim d) {
    int64_t low, high;
    dim_range(&g->dims, d, &low, &high);
    return low < 1 ? 1 : low;
}

static double value_bytes(const Graph *g, ValueId v) {
    const Shape *s = shape_at(g, v);
    double n = (double)dtype_size(dtype_at(g, v));
    for (int i = 0; i < s->rank; i++) n *= (double)typical(g, s->dims[i]);
    return n;
}

/* Predicted time of a contraction like n with so many channels. */
static double product_ns(const Fusion *f, const Node *n, int64_t channels) {
    const Graph *g = f->g;
    const Shape *out = shape_at(g, n->outputs[0]), *w = shape_at(g, n->inputs[1]);
    DType dtype = dtype_at(g, n->outputs[0]);
    int64_t rows = 1, depth = 1;
    for (int i = 0; i + 1 < out->rank; i++) rows *= typical(g, out->dims[i]);
    int axis = channel_axis(g, n);
    for (int i = 0; i < w->rank; i++)
        if (i != axis) depth *= typical(g, w->dims[i]);
    return cost_product(f->u->machine, dtype, rows, channels, depth) + STEP_NS;
}

/* One by one, the results are made, read and forgotten, so that they can lie in the same memory, near by. All at once
   they may not fit into L2 beside the input and the weights that pass through it: what is more than the largest of them
   goes out, is written back and read again. (Measured: three projections of 128 rows to 384 columns took 9 % longer as
   one on a core with 2 MB.) */
static double spilled_ns(const Fusion *f, const Node *n) {
    const Machine *m = f->u->machine;
    double results = 0, largest = 0;
    for (uint32_t k = 0; k < f->n; k++) {
        double bytes = value_bytes(f->g, f->branches[k].values[0]);
        results += bytes;
        if (bytes > largest) largest = bytes;
    }
    bool fits = results + value_bytes(f->g, n->inputs[0]) <= m->l2_kib * 1024.0 / 3;
    return fits ? 0 : 3 * (results - largest) / m->l3_gbs;
}

/* What comes on top: element-wise ops that were the epilogue of one branch read its slice in a kernel of their own, and
   convolutions with several taps find the channels of neighbouring pixels apart. */
static double extra_ns(const Fusion *f, const Branch *b, int level) {
    const Users *users = &f->users[b->values[level].i];
    double ns = 0;
    for (uint32_t i = 0; i < users->n; i++) {
        const Node *n = node_at(f->g, users->nodes[i]);
        if (is_inside(f, b, users->nodes[i])) continue;
        if (op_info(n->op)->flags & OP_FLAG_EWISE)
            ns += STEP_NS + 2 * value_bytes(f->g, b->values[level]) / f->u->machine->l2_gbs;
        else if (n->op == OP_CONV)
            ns += 0.01 * cost_node(f->g, users->nodes[i], f->u->machine).ns;
    }
    return ns;
}

/* ---- the rewrite */

/* The operand of all branches' steps side by side; a scalar that is the same everywhere stays one. */
static ValueId join_constants(Fusion *f, Rewriter *w, int level, uint32_t operand, const char *name) {
    ValueId parts[MAX_BRANCHES];
    const Tensor *first = NULL;
    bool same = true;
    for (uint32_t k = 0; k < f->n; k++) {
        const Node *n = node_at(f->g, value_at(f->g, f->branches[k].values[level])->def);
        const Tensor *t = value_const(f->g, n->inputs[operand]);
        parts[k] = n->inputs[operand];
        if (k == 0) first = t;
        same = same && tensor_count(t) == 1 && tensor_equal(t, first);
    }
    if (same) return parts[0];
    for (uint32_t k = 0; k < f->n; k++) {
        const Tensor *t = value_const(f->g, parts[k]);
        int64_t channels = f->branches[k].channels;
        Tensor flat = tensor_new(f->g->arena, t->dtype, 1, &channels);
        size_t size = dtype_size(t->dtype);
        bool one = tensor_count(t) == 1;
        for (int64_t i = 0; i < channels; i++)
            memcpy((char *)(uintptr_t)flat.data + (size_t)i * size,
                   (const char *)t->data + (one ? 0 : (size_t)i * size), size);
        parts[k] = build_const(f->g, w->r, &flat, name);
    }
    Attr axis = attr_int("axis", 0);
    return insert_op(w, OP_CONCAT, name, f->n, parts, 1, &axis);
}

/* The values of all branches at `level`, as one. */
static ValueId build_joined(Fusion *f, Rewriter *w, ValueId weights, int last) {
    ValueId joined[MAX_LEVELS] = {{0}};
    for (int level = 0; level <= last; level++) {
        NodeId id = value_at(f->g, f->branches[0].values[level])->def;
        const Node *n = node_at(f->g, id);
        const char *name = n->name;
        uint32_t n_inputs = n->n_inputs;
        ValueId inputs[3] = {{0}};
        if (n_inputs > ARRAY_LEN(inputs)) return (ValueId){0};
        for (uint32_t i = 0; i < n_inputs; i++) {
            ValueId x = node_at(f->g, id)->inputs[i];
            int from = level == 0 ? -1 : level_of(&f->branches[0], level, x);
            if (level == 0)
                inputs[i] = i == 0 ? x : weights;
            else
                inputs[i] = from >= 0 ? joined[from] : join_constants(f, w, level, i, name);
            if (!inputs[i].i) return inputs[i];
        }
        joined[level] = insert_like(w, id, n_inputs, inputs);
        if (!joined[level].i) return joined[level];
    }
    return joined[last];
}

static ValueId slice_channels(Rewriter *w, ValueId x, int64_t first, const Shape *to, const char *name) {
    Dim begin[MAX_RANK];
    int64_t strides[MAX_RANK];
    for (int i = 0; i < to->rank; i++) begin[i] = dim_const(0), strides[i] = 1;
    begin[to->rank - 1] = dim_const(first);
    Arena *a = w->u->scratch;
    Attr attrs[] = {attr_dims(a, "begin", (size_t)to->rank, begin), attr_dims(a, "size", (size_t)to->rank, to->dims),
                    attr_ints(a, "strides", (size_t)to->rank, strides)};
    return insert_op(w, OP_SLICE, name, 1, &x, 3, attrs);
}

static bool rewrite(Fusion *f, int last) {
    Graph *g = f->g;
    const Node *n = node_at(g, f->branches[0].node);
    Rewriter w = {.u = f->u, .g = g, .r = n->region};
    const char *name = n->name;
    ValueId weights[MAX_BRANCHES], slices[MAX_BRANCHES];
    for (uint32_t k = 0; k < f->n; k++) weights[k] = node_at(g, f->branches[k].node)->inputs[1];
    uint32_t before = g->nodes.len;
    Attr axis = attr_int("axis", channel_axis(g, n));
    ValueId joined = insert_op(&w, OP_CONCAT, name, f->n, weights, 1, &axis);
    bool ok = joined.i && value_const(g, joined);
    if (ok) joined = build_joined(f, &w, joined, last);
    ok = ok && joined.i;
    int64_t first = 0;
    for (uint32_t k = 0; ok && k < f->n; k++) {
        Shape to = *shape_at(g, f->branches[k].values[last]);
        const char *of = node_at(g, value_at(g, f->branches[k].values[last])->def)->name;
        slices[k] = slice_channels(&w, joined, first, &to, of);
        first += f->branches[k].channels;
        ok = slices[k].i != 0;
    }
    if (!ok) { /* what was built leads nowhere */
        for (uint32_t i = before; i < g->nodes.len; i++)
            if (!node_at(g, (NodeId){i})->dead) graph_remove(g, (NodeId){i});
        return false;
    }
    for (uint32_t k = 0; k < f->n; k++) {
        f->done[f->branches[k].node.i] = true;
        graph_replace_uses(g, f->branches[k].values[last], slices[k]);
    }
    return true;
}

/* Fuses what shares the input of `id`; true if it did. */
static bool fuse_siblings(Fusion *f, NodeId id) {
    const Node *n = node_at(f->g, id);
    ValueId x = n->inputs[0];
    f->n = 0;
    if (x.i >= f->n_values) return false;
    const Users *users = &f->users[x.i];
    for (uint32_t i = 0; i < users->n && f->n < MAX_BRANCHES; i++) {
        NodeId other = users->nodes[i];
        if (!is_candidate(f, other) || node_at(f->g, other)->inputs[0].i != x.i ||
            !go_together(f->g, n, node_at(f->g, other)))
            continue;
        const Shape *w = shape_at(f->g, node_at(f->g, other)->inputs[1]);
        bool known = false; /* a node that reads x twice is listed twice */
        for (uint32_t k = 0; k < f->n; k++) known = known || f->branches[k].node.i == other.i;
        if (known) continue;
        f->branches[f->n++] = (Branch){.node = other,
                                       .values = {node_at(f->g, other)->outputs[0]},
                                       .channels = w->dims[channel_axis(f->g, n)].value};
    }
    /* Leaves out branches that cannot be sliced; the others may then have more in common. */
    int last = 0;
    for (bool again = true; again && f->n >= 2;) {
        last = choose_levels(f);
        again = false;
        for (uint32_t k = 0; k < f->n && !again; k++) {
            if (can_be_sliced(f, &f->branches[k], last)) continue;
            memmove(&f->branches[k], &f->branches[k + 1], (f->n - k - 1) * sizeof *f->branches);
            f->n--;
            again = true;
        }
    }
    if (f->n < 2) return false;
    double before = 0, extra = 0;
    int64_t channels = 0;
    for (uint32_t k = 0; k < f->n; k++) {
        before += product_ns(f, n, f->branches[k].channels);
        extra += extra_ns(f, &f->branches[k], last);
        if (__builtin_add_overflow(channels, f->branches[k].channels, &channels)) return false;
    }
    double after = product_ns(f, n, channels) + spilled_ns(f, n) + extra;
    if (after >= before || !rewrite(f, last)) return false;
    n = node_at(f->g, f->branches[0].node);
    rewrite_record(f->u, "horizontal", n->op == OP_CONV ? "convolutions of one input" : "products of one input",
                   n->name, before, after);
    return true;
}

bool pass_horizontal(Unit *u) {
    bool any = false, again = u->machine != NULL;
    enum { MAX_SWEEPS = 3 };
    for (int sweep = 0; again && sweep < MAX_SWEEPS; sweep++) {
        Fusion f = {.u = u, .g = u->g, .users = graph_users(u->g, u->scratch), .n_values = u->g->values.len};
        uint32_t n_nodes = u->g->nodes.len;
        f.done = NEW_ARRAY(u->scratch, bool, n_nodes);
        again = false;
        for (uint32_t i = 1; i < n_nodes; i++) {
            NodeId id = {i};
            if (is_candidate(&f, id) && fuse_siblings(&f, id)) again = true;
        }
        if (!again) break;
        any = true;
        graph_sort(u->g);
        drop_unused(u->g, u->scratch);
    }
    return any;
}
