/* CTCBeamSearchDecoder: keeps the beam_width most probable label prefixes and extends them by each label, step by step,
   as TensorFlow's decoder does with its default scorer. A prefix is a node of a tree; what is not in the beam has
   probability zero but stays, since its children may be in it. */
#include "hostops/host.h"
#include <math.h>

typedef struct Prefix Prefix;

/* Logarithms of the probability of a prefix whose last step was a blank, was its last label, and of both. */
typedef struct {
    double total, blank, label;
} Odds;

struct Prefix {
    Prefix *parent, *first_child, *sibling;
    int64_t label;
    Odds old, now;
};

/* The best prefixes, best first; of equals the earlier. */
typedef struct {
    TfoptHostCall *call;
    Prefix **best, **branches;
    int64_t n, width;
    Prefix *block; /* where new prefixes come from */
    int64_t block_left;
    bool single; /* computed in f32 */
} Beam;

static const Odds NOTHING = {-INFINITY, -INFINITY, -INFINITY};

static double rounded(const Beam *b, double v) {
    return b->single ? (double)(float)v : v;
}

static double log_sum(const Beam *b, double x, double y) {
    if (isinf(x) && x < 0) return y;
    if (isinf(y) && y < 0) return x;
    const double high = x > y ? x : y, low = x > y ? y : x;
    if (b->single) return (double)((float)high + log1pf(expf((float)low - (float)high)));
    return high + log1p(exp(low - high));
}

static bool is_active(const Prefix *p) {
    return p->now.total > -INFINITY;
}

/* Puts a prefix among the best; the one that no longer is is given back by `dropped`. */
static void beam_push(Beam *b, Prefix *p, Prefix **dropped) {
    *dropped = NULL;
    if (b->n == b->width) {
        if (!(p->now.total > b->best[b->n - 1]->now.total)) {
            *dropped = p;
            return;
        }
        *dropped = b->best[--b->n];
    }
    int64_t i = b->n++;
    for (; i > 0 && p->now.total > b->best[i - 1]->now.total; i--) b->best[i] = b->best[i - 1];
    b->best[i] = p;
}

static bool is_candidate(const Beam *b, double total) {
    return total > -INFINITY && (b->n < b->width || total > b->best[b->n - 1]->now.total);
}

static Prefix *find_child(Prefix *p, int64_t label) {
    Prefix *c = p->first_child;
    while (c && c->label != label) c = c->sibling;
    return c;
}

static Prefix *new_prefix(Beam *b, Prefix *parent, int64_t label) {
    enum { BLOCK = 256 };
    if (b->block_left == 0) {
        b->block = tfopt_call_alloc(b->call, BLOCK, sizeof *b->block);
        if (!b->block) return NULL;
        b->block_left = BLOCK;
    }
    Prefix *p = b->block++;
    b->block_left--;
    *p = (Prefix){.parent = parent, .label = label, .old = NOTHING, .now = NOTHING};
    if (parent) {
        p->sibling = parent->first_child;
        parent->first_child = p;
    }
    return p;
}

/* One step: logits of all classes, the last of which is the blank. */
static bool step(Beam *b, const double *logits, int64_t classes) {
    double most = logits[0], sum = 0;
    for (int64_t k = 1; k < classes; k++) most = fmax(most, logits[k]);
    for (int64_t k = 0; k < classes; k++)
        sum = rounded(b, sum + (b->single ? (double)expf((float)(logits[k] - most)) : exp(logits[k] - most)));
    const double norm = rounded(b, most + rounded(b, log(sum)));
    const int64_t n = b->n;
    for (int64_t i = 0; i < n; i++) {
        b->branches[i] = b->best[i];
        b->branches[i]->old = b->branches[i]->now;
    }
    b->n = 0;
    Prefix *dropped;
    for (int64_t i = 0; i < n; i++) {
        Prefix *p = b->branches[i];
        if (p->parent) {
            if (is_active(p->parent)) {
                const double previous = p->label == p->parent->label ? p->parent->old.blank : p->parent->old.total;
                p->now.label = log_sum(b, p->now.label, previous);
            }
            p->now.label = rounded(b, p->now.label + rounded(b, logits[p->label] - norm));
        }
        p->now.blank = rounded(b, rounded(b, p->old.total + logits[classes - 1]) - norm);
        p->now.total = log_sum(b, p->now.blank, p->now.label);
        beam_push(b, p, &dropped);
    }
    for (int64_t i = 0; i < n; i++) {
        Prefix *p = b->branches[i];
        if (!is_candidate(b, p->old.total)) continue;
        for (int64_t label = 0; label < classes - 1; label++) {
            Prefix *child = find_child(p, label);
            if (child && is_active(child)) continue;
            const double previous = label == p->label ? p->old.blank : p->old.total;
            const double total = rounded(b, rounded(b, logits[label] - norm) + previous);
            if (!is_candidate(b, total)) {
                if (child) child->old = child->now = NOTHING;
                continue;
            }
            if (!child) child = new_prefix(b, p, label);
            if (!child) return false;
            child->now = (Odds){total, -INFINITY, total};
            beam_push(b, child, &dropped);
            if (dropped) dropped->now = NOTHING;
        }
    }
    return true;
}

/* Labels of a prefix from the last to the first; their number. */
static int64_t labels_of(const Prefix *p, bool merge, int64_t *out) {
    int64_t n = 0, previous = -1;
    for (; p->parent; p = p->parent) {
        if (!merge || p->label != previous) out[n++] = p->label;
        previous = p->label;
    }
    return n;
}

/* (inputs [time, batch, classes], sequence_length): indices…, values…, shapes… of the paths, log probabilities */
int32_t tfopt_host_ctc_beam_search_decoder(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *lengths = &call->inputs[1];
    const int64_t paths = tfopt_call_int(call, "top_paths", 1), width = tfopt_call_int(call, "beam_width", 100);
    if (t->rank != 3 || t->dims[2] < 1 || lengths->rank != 1 || lengths->dims[0] != t->dims[1])
        return tfopt_invalid(call, "inputs must be [time, batch, classes] and sequence_length [batch]");
    if (paths < 1 || width < paths || call->n_outputs != 3 * paths + 1)
        return tfopt_invalid(call, "top_paths must be between 1 and beam_width");
    const int64_t steps = t->dims[0], batch = t->dims[1], classes = t->dims[2], score_dims[2] = {batch, paths};
    const bool merge = tfopt_call_int(call, "merge_repeated", 1) != 0;
    int64_t *decoded = tfopt_call_alloc(call, steps * batch * paths + 1, sizeof *decoded),
            *counts = tfopt_call_zeroed(call, batch * paths + 1, sizeof *counts);
    double *logits = tfopt_call_alloc(call, classes, sizeof *logits);
    Beam b = {.call = call, .width = width, .single = t->dtype != TFOPT_F64};
    b.best = tfopt_call_alloc(call, width, sizeof *b.best);
    b.branches = tfopt_call_alloc(call, width, sizeof *b.branches);
    if (!decoded || !counts || !logits || !b.best || !b.branches ||
        !tfopt_host_output(call, (int32_t)(3 * paths), 2, score_dims))
        return tfopt_no_memory(call);
    for (int64_t i = 0; i < batch; i++) {
        const int64_t length = tfopt_int_at(lengths, i);
        if (length < 0 || length > steps) return tfopt_invalid(call, "sequence_length is out of range");
        Prefix *root = new_prefix(&b, NULL, -1);
        if (!root) return tfopt_no_memory(call);
        root->now = (Odds){0, 0, -INFINITY};
        b.n = 1;
        b.best[0] = root;
        for (int64_t s = 0; s < length; s++) {
            for (int64_t k = 0; k < classes; k++) logits[k] = tfopt_real_at(t, (s * batch + i) * classes + k);
            if (!step(&b, logits, classes)) return tfopt_no_memory(call);
        }
        if (b.n < paths) return tfopt_invalid(call, "there are fewer paths than requested");
        for (int64_t k = 0; k < paths; k++) {
            counts[i * paths + k] = labels_of(b.best[k], merge, decoded + (i * paths + k) * steps);
            tfopt_set_real(&call->outputs[3 * paths], i * paths + k, b.best[k]->now.total);
        }
    }
    for (int64_t k = 0; k < paths; k++) {
        int64_t total = 0, longest = 0;
        for (int64_t i = 0; i < batch; i++) {
            total += counts[i * paths + k];
            if (counts[i * paths + k] > longest) longest = counts[i * paths + k];
        }
        const int64_t dims[2] = {total, 2};
        int64_t *indices = tfopt_host_output(call, (int32_t)k, 2, dims),
                *values = tfopt_output_1d(call, (int32_t)(paths + k), total),
                *shape = tfopt_output_1d(call, (int32_t)(2 * paths + k), 2);
        if (!indices || !values || !shape) return tfopt_no_memory(call);
        for (int64_t i = 0; i < batch; i++) {
            const int64_t n = counts[i * paths + k];
            for (int64_t j = 0; j < n; j++) {
                *indices++ = i;
                *indices++ = j;
                *values++ = decoded[(i * paths + k) * steps + n - 1 - j];
            }
        }
        shape[0] = batch;
        shape[1] = longest;
    }
    return TFOPT_OK;
}
