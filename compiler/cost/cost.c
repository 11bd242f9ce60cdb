/* cost: the roofline and what each class of node costs on its own. Numbers are predictions of one core from the
   machine's row: good enough to compare alternatives (fuse or not, split or not), not to quote. Unknown sizes count as
   their smallest value, at least 1, so that a batch is 1. */
#include "cost/cost.h"
#include <math.h>
#include <string.h>

/* Bandwidth of the smallest level that holds `bytes` of working set. */
static double bandwidth(const Machine *m, double bytes) {
    if (bytes <= m->l1_kib * 1024.0) return m->l1_gbs;
    if (bytes <= m->l2_kib * 1024.0) return m->l2_gbs;
    if (bytes <= m->l3_kib * 1024.0) return m->l3_gbs;
    return m->memory_gbs;
}

Cost cost_roofline(const Machine *m, double flops, double efficiency, double bytes) {
    CHECK(efficiency > 0);
    double compute = flops / (m->gflops * efficiency), traffic = bytes / bandwidth(m, bytes);
    return (Cost){compute > traffic ? compute : traffic, flops, bytes};
}

double cost_read(const Machine *m, double bytes, double all) {
    return bytes / bandwidth(m, all);
}

int cost_threads(const Machine *m, double ns, int max) {
    int best = 1;
    double best_ns = ns;
    for (int t = 2; t <= max; t++) {
        double with = ns / t + m->fork_ns;
        if (with < best_ns * 0.95) { /* a further thread must pay for itself */
            best = t;
            best_ns = with;
        }
    }
    return best;
}

static double typical(const Graph *g, Dim d) {
    if (dim_is_const(d)) return (double)d.value;
    int64_t lo, hi;
    dim_range(&g->dims, d, &lo, &hi);
    return lo < 1 ? 1 : (double)lo;
}

static double elements(const Graph *g, const Shape *s) {
    double n = 1;
    for (int i = 0; i < s->rank; i++) n *= typical(g, s->dims[i]);
    return n;
}

static double value_bytes(const Graph *g, ValueId v) {
    const Value *value = value_at(g, v);
    return elements(g, &value->shape) * (double)dtype_size(value->dtype);
}

/* Multiply-adds of a contraction, times two. */
static double contraction_flops(const Graph *g, const Node *n) {
    const Shape *out = &value_at(g, n->outputs[0])->shape, *a = &value_at(g, n->inputs[0])->shape,
                *b = &value_at(g, n->inputs[1])->shape;
    if (n->op == OP_MATMUL) {
        Dim k = a->dims[a->rank - (node_int(n, "transpose_a", 0) ? 2 : 1)];
        return 2 * elements(g, out) * typical(g, k);
    }
    double taps_channels = elements(g, b) / typical(g, b->dims[b->rank - 1]); /* taps * channels of a group */
    if (n->op == OP_CONV) return 2 * elements(g, out) * taps_channels;
    return 2 * elements(g, a) * taps_channels; /* conv_transpose: every dy element meets every tap and channel */
}

/* Vector operations an output element of the other ops costs, times one lane's share. */
static double work_per_element(const Graph *g, const Node *n) {
    const OpInfo *info = op_info(n->op);
    if (info->flags & OP_FLAG_EWISE) return info->cost;
    if (n->op == OP_SOFTMAX || n->op == OP_LOG_SOFTMAX) return 20;
    if (n->op == OP_LAYER_NORM) return 8;
    if (n->op == OP_POOL) {
        const Attr *window = node_attr(n, "window");
        double taps = 1;
        for (uint32_t i = 0; window && i < window->n; i++) taps *= (double)window->v.ints[i];
        return taps;
    }
    if (n->op == OP_RESIZE) return 10;
    if (n->op == OP_CUMULATE) return 8;
    if (n->op == OP_LSTM || n->op == OP_GRU) {
        const Shape *w = &value_at(g, n->inputs[n->op == OP_LSTM ? 3 : 2])->shape;
        return 2 * elements(g, w) / typical(g, w->dims[w->rank - 1]);
    }
    return 1;
}

Cost cost_node(const Graph *g, NodeId id, const Machine *m) {
    const Node *n = node_at(g, id);
    uint32_t flags = op_info(n->op)->flags;
    if (flags & (OP_FLAG_CONSTANT | OP_FLAG_VIEW)) return (Cost){0, 0, 0};
    double bytes = 0, largest = 0;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        const Value *in = value_at(g, n->inputs[i]);
        bytes += value_bytes(g, n->inputs[i]);
        largest = fmax(largest, elements(g, &in->shape));
    }
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        bytes += value_bytes(g, n->outputs[i]);
        largest = fmax(largest, elements(g, &value_at(g, n->outputs[i])->shape));
    }
    if (flags & OP_FLAG_REGIONS) { /* one trip: good enough to order alternatives */
        Cost sum = {0, 0, 0};
        for (uint32_t r = 0; r < n->n_regions; r++) {
            const Region *region = region_at(g, n->regions[r]);
            for (uint32_t i = 0; i < region->nodes.len; i++) {
                Cost c = cost_node(g, region->nodes.data[i], m);
                sum = (Cost){sum.ns + c.ns, sum.flops + c.flops, sum.bytes + c.bytes};
            }
        }
        return sum;
    }
    if (flags & OP_FLAG_CONTRACTION) return cost_roofline(m, contraction_flops(g, n), 0.6, bytes);
    /* An elementwise `add` moves one vector a cycle at best, half of the FMA peak's two flops: efficiency 0.5. */
    return cost_roofline(m, largest * work_per_element(g, n), 0.5, bytes);
}
