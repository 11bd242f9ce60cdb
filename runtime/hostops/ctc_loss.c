/* CTCLoss: minus the logarithm of the probability of label sequences, summed over all ways to align them with the
   steps, and its gradient. Forward and backward probabilities are logarithms (Graves 2012, chapter 7). The blank is the
   last class. */
#include "hostops/host.h"
#include <math.h>
#include <string.h>

typedef struct {
    TfoptHostCall *call;
    int64_t steps, batch, classes;
    bool collapse, merge, ignore_longer;
    const int64_t *labels; /* of one sequence */
    int64_t n_labels;
    int64_t *path; /* blank, label, blank, label …, blank */
    int64_t n;
    double *y;            /* [length, classes]: probabilities */
    double *alpha, *beta; /* [length, n] */
    double *shares;       /* [classes] */
} Loss;

static double log_sum(double a, double b) {
    if (a == -INFINITY) return b;
    if (b == -INFINITY) return a;
    return a > b ? a + log1p(exp(b - a)) : b + log1p(exp(a - b));
}

static double log_y(const Loss *l, int64_t t, int64_t u) {
    return log(l->y[t * l->classes + l->path[u]]);
}

/* Whether a path may go from place u to u + 2: between unlike labels, or any where repeats are not merged. */
static bool can_skip(const Loss *l, int64_t u) {
    return u + 2 < l->n && l->path[u] != l->classes - 1 && !(l->merge && l->path[u] == l->path[u + 2]);
}

static bool can_stay(const Loss *l, int64_t u) {
    return l->merge || l->path[u] == l->classes - 1;
}

/* First and one past the last place that can be reached by step t and from which the end can be. */
static void reach(const Loss *l, int64_t t, int64_t length, int64_t *from, int64_t *to) {
    *from = l->n - 2 * (length - t) > 0 ? l->n - 2 * (length - t) : 0;
    *to = l->n < 2 * (t + 1) ? l->n : 2 * (t + 1);
}

static void forward(const Loss *l, int64_t length) {
    int64_t from, to;
    for (int64_t i = 0; i < length * l->n; i++) l->alpha[i] = -INFINITY;
    l->alpha[0] = log_y(l, 0, 0);
    if (l->n > 1) l->alpha[1] = log_y(l, 0, 1);
    for (int64_t t = 1; t < length; t++) {
        const double *before = l->alpha + (t - 1) * l->n;
        reach(l, t, length, &from, &to);
        for (int64_t u = from; u < to; u++) {
            double sum = can_stay(l, u) ? before[u] : -INFINITY;
            if (u > 0) sum = log_sum(sum, before[u - 1]);
            if (u > 1 && can_skip(l, u - 2)) sum = log_sum(sum, before[u - 2]);
            l->alpha[t * l->n + u] = log_y(l, t, u) + sum;
        }
    }
}

static void backward(const Loss *l, int64_t length) {
    int64_t from, to;
    for (int64_t i = 0; i < length * l->n; i++) l->beta[i] = -INFINITY;
    for (int64_t u = l->n > 1 ? l->n - 2 : 0; u < l->n; u++) l->beta[(length - 1) * l->n + u] = 0;
    for (int64_t t = length - 2; t >= 0; t--) {
        const double *after = l->beta + (t + 1) * l->n;
        reach(l, t, length, &from, &to);
        for (int64_t u = from; u < to; u++) {
            double sum = can_stay(l, u) ? after[u] + log_y(l, t + 1, u) : -INFINITY;
            if (u + 1 < l->n) sum = log_sum(sum, after[u + 1] + log_y(l, t + 1, u + 1));
            if (can_skip(l, u)) sum = log_sum(sum, after[u + 2] + log_y(l, t + 1, u + 2));
            l->beta[t * l->n + u] = sum;
        }
    }
}

/* The labels without those that are dropped, with blanks around; a status of the run. */
static int32_t make_path(Loss *l) {
    bool ended = false;
    l->n = 0;
    if (l->n_labels == 0) return tfopt_invalid(l->call, "Labels length is zero in a batch");
    for (int64_t i = 0; i < l->n_labels; i++) {
        const int64_t label = l->labels[i];
        if (i > 0 && l->collapse && label == l->labels[i - 1]) continue;
        if (label >= l->classes - 1) {
            ended = true;
            continue;
        }
        if (ended) return tfopt_invalid(l->call, "Saw a non-null label following a null label");
        if (label < 0) return tfopt_invalid(l->call, "All labels must be nonnegative integers");
        l->path[l->n++] = l->classes - 1;
        l->path[l->n++] = label;
    }
    l->path[l->n++] = l->classes - 1;
    return TFOPT_OK;
}

/* Loss of one sequence of the batch; its gradient goes to output 1. */
static int32_t sequence(Loss *l, int64_t b, int64_t length) {
    const TfoptTensor *in = &l->call->inputs[0], *gradient = &l->call->outputs[1];
    int32_t status = make_path(l);
    if (status != TFOPT_OK) return status;
    if (!l->ignore_longer && l->n_labels > length)
        return tfopt_invalid(l->call, "Not enough time for target transition sequence");
    if (length == 0 || l->n_labels > length) return TFOPT_OK;
    for (int64_t t = 0; t < length; t++) {
        double *y = l->y + t * l->classes, most = -INFINITY, sum = 0;
        for (int64_t k = 0; k < l->classes; k++) {
            y[k] = tfopt_real_at(in, (t * l->batch + b) * l->classes + k);
            if (y[k] > most) most = y[k];
        }
        for (int64_t k = 0; k < l->classes; k++) sum += y[k] = exp(y[k] - most);
        for (int64_t k = 0; k < l->classes; k++) y[k] /= sum;
    }
    forward(l, length);
    backward(l, length);
    double total = -INFINITY;
    for (int64_t u = 0; u < l->n; u++) total = log_sum(total, l->alpha[u] + l->beta[u]);
    tfopt_set_real(&l->call->outputs[0], b, -total);
    for (int64_t t = 0; t < length; t++) {
        for (int64_t k = 0; k < l->classes; k++) l->shares[k] = -INFINITY;
        for (int64_t u = 0; u < l->n; u++) {
            double *share = &l->shares[l->path[u]];
            *share = log_sum(*share, l->alpha[t * l->n + u] + l->beta[t * l->n + u]);
        }
        for (int64_t k = 0; k < l->classes; k++) {
            const double taken = total == -INFINITY ? 0 : exp(l->shares[k] - total);
            tfopt_set_real(gradient, (t * l->batch + b) * l->classes + k, l->y[t * l->classes + k] - taken);
        }
    }
    return TFOPT_OK;
}

/* (inputs [time, batch, classes], labels as indices and values, sequence_length [batch]) -> (loss [batch], gradient) */
int32_t tfopt_host_ctc_loss(TfoptHostCall *call) {
    const TfoptTensor *in = &call->inputs[0], *indices = &call->inputs[1], *values = &call->inputs[2],
                      *lengths = &call->inputs[3];
    if (in->rank != 3 || indices->rank != 2 || indices->dims[1] != 2 || values->rank != 1 ||
        values->dims[0] != indices->dims[0] || lengths->rank != 1 || lengths->dims[0] != in->dims[1])
        return tfopt_invalid(call, "needs inputs [time, batch, classes], sparse labels and sequence_length [batch]");
    Loss l = {.call = call,
              .steps = in->dims[0],
              .batch = in->dims[1],
              .classes = in->dims[2],
              .collapse = tfopt_call_int(call, "preprocess_collapse_repeated", 0) != 0,
              .merge = tfopt_call_int(call, "ctc_merge_repeated", 1) != 0,
              .ignore_longer = tfopt_call_int(call, "ignore_longer_outputs_than_inputs", 0) != 0};
    const int64_t all = values->dims[0];
    if (l.classes < 1 || l.steps < 1 || l.batch < 1) return tfopt_invalid(call, "inputs must not be empty");
    int64_t longest = 0, run = 0, *labels = tfopt_call_alloc(call, all + 1, sizeof *labels);
    for (int64_t i = 0; i < all; i++) {
        const int64_t row = tfopt_int_at(indices, 2 * i);
        if (row < 0 || row >= l.batch || (i > 0 && row < tfopt_int_at(indices, 2 * i - 2)))
            return tfopt_invalid(call, "labels must be sorted by sequence, each of the batch");
        run = i > 0 && row == tfopt_int_at(indices, 2 * i - 2) ? run + 1 : 1;
        if (run > longest) longest = run;
    }
    int64_t cells;
    if (__builtin_mul_overflow(l.steps, 2 * longest + 1, &cells)) return tfopt_no_memory(call);
    l.path = tfopt_call_alloc(call, 2 * longest + 1, sizeof *l.path);
    l.y = tfopt_call_alloc(call, l.steps * l.classes, sizeof *l.y);
    l.alpha = tfopt_call_alloc(call, cells, sizeof *l.alpha);
    l.beta = tfopt_call_alloc(call, cells, sizeof *l.beta);
    l.shares = tfopt_call_alloc(call, l.classes, sizeof *l.shares);
    void *loss = tfopt_output_1d(call, 0, l.batch), *gradient = tfopt_output_like(call, 1, in);
    if (!labels || !l.path || !l.y || !l.alpha || !l.beta || !l.shares || !loss || !gradient)
        return tfopt_no_memory(call);
    memset(loss, 0, (size_t)l.batch * tfopt_dtype_bytes(in->dtype));
    memset(gradient, 0, (size_t)tfopt_elements(in) * tfopt_dtype_bytes(in->dtype));
    for (int64_t i = 0; i < all; i++) labels[i] = tfopt_int_at(values, i);
    l.labels = labels;
    for (int64_t b = 0, at = 0; b < l.batch; b++, at += l.n_labels) {
        const int64_t length = tfopt_int_at(lengths, b);
        if (length < 0 || length > l.steps) return tfopt_invalid(call, "sequence_length is out of range");
        l.labels = labels + at;
        l.n_labels = 0;
        while (at + l.n_labels < all && tfopt_int_at(indices, 2 * (at + l.n_labels)) == b) l.n_labels++;
        const int32_t status = sequence(&l, b, length);
        if (status != TFOPT_OK) return status;
    }
    return TFOPT_OK;
}
