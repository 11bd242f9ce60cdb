/* Compare: got against want by one rule for every command: floats and complex numbers within atol + rtol * (largest
   finite |want|), NaN matches NaN, infinities by sign; everything else equal. In a ranked list (detections, the k
   largest) rows may change places with rows whose scores are as near as rounding makes them. */
#include "commands.h"

#include <math.h>
#include <string.h>

static double component(const Tensor *t, int64_t i, int part) {
    switch (t->dtype) {
    case DTYPE_C64:
        return (double)((const float *)t->data)[2 * i + part];
    case DTYPE_C128:
        return ((const double *)t->data)[2 * i + part];
    default:
        return tensor_get_f64(t, i);
    }
}

static bool strings_equal(const Tensor *a, int64_t i, const Tensor *b, int64_t k) {
    const StringElement *x = (const StringElement *)a->data + i, *y = (const StringElement *)b->data + k;
    return x->size == y->size && (x->size == 0 || memcmp(x->data, y->data, x->size) == 0);
}

/* What element i of got lacks to be element k of want; infinite where no tolerance helps. */
static double difference_of(const Tensor *got, int64_t i, const Tensor *want, int64_t k) {
    const DTypeClass class_ = dtype_info(want->dtype)->class_;
    if (class_ == CLASS_BYTES) return strings_equal(got, i, want, k) ? 0 : INFINITY;
    if (class_ != CLASS_FLOAT && class_ != CLASS_COMPLEX) {
        if (tensor_get_i64(got, i) == tensor_get_i64(want, k)) return 0;
        const double difference = fabs((double)tensor_get_i64(got, i) - (double)tensor_get_i64(want, k));
        return difference > 0 ? difference : 1;
    }
    double most = 0;
    for (int part = 0; part < (class_ == CLASS_COMPLEX ? 2 : 1); part++) {
        const double g = component(got, i, part), w = component(want, k, part);
        double difference = fabs(g - w);
        if (isnan(g) || isnan(w))
            difference = isnan(g) && isnan(w) ? 0 : INFINITY;
        else if (isinf(g) || isinf(w))
            difference = g == w ? 0 : INFINITY;
        if (difference > most) most = difference;
    }
    return most;
}

Comparison compare_tensors(const Tensor *got, const Tensor *want, double rtol, double atol) {
    Comparison c = {.worst = -1};
    c.same_type = got->dtype == want->dtype && got->rank == want->rank;
    for (int i = 0; c.same_type && i < got->rank; i++) c.same_type = got->dims[i] == want->dims[i];
    if (!c.same_type) return c;
    const int64_t n = tensor_count(want);
    const DTypeClass class_ = dtype_info(want->dtype)->class_;
    const bool real = class_ == CLASS_FLOAT || class_ == CLASS_COMPLEX;
    for (int64_t i = 0; real && i < n; i++)
        for (int part = 0; part < (class_ == CLASS_COMPLEX ? 2 : 1); part++) {
            const double w = fabs(component(want, i, part));
            if (isfinite(w) && w > c.max_want) c.max_want = w;
        }
    c.limit = real ? atol + rtol * c.max_want : 0;
    for (int64_t i = 0; i < n; i++) {
        const double difference = difference_of(got, i, want, i);
        if (c.worst < 0 || difference > c.max_difference) {
            c.max_difference = difference;
            c.worst = i;
        }
    }
    c.ok = c.max_difference <= c.limit;
    return c;
}

/* ---- ranked lists: scores [..., n] that never rise along n, and what lies beside them: tensors [..., n, ...] */

static bool is_ranking(const Tensor *t) {
    if (t->rank == 0 || !dtype_is_float(t->dtype)) return false;
    const int64_t n = t->dims[t->rank - 1], count = tensor_count(t);
    for (int64_t i = 1; i < count; i++)
        if (i % n != 0 && !(tensor_get_f64(t, i) <= tensor_get_f64(t, i - 1))) return false;
    return n > 1 && count > 0;
}

static bool lies_beside(const Tensor *scores, const Tensor *t) {
    bool fits = t->rank >= scores->rank && tensor_count(t) > 0;
    for (int i = 0; fits && i < scores->rank; i++) fits = t->dims[i] == scores->dims[i];
    return fits;
}

/* The largest difference between row i of a and row k of b. */
static double row_difference(const Tensor *a, int64_t i, const Tensor *b, int64_t k, int64_t rows) {
    const int64_t width = tensor_count(b) / rows;
    double most = 0;
    for (int64_t j = 0; j < width; j++) most = fmax(most, difference_of(a, i * width + j, b, k * width + j));
    return most;
}

typedef struct {
    const Comparison *c;
    const Tensor *got, *want;
    uint32_t n, scores; /* outputs; which of them ranks */
    int64_t rows;       /* of all lists together */
} Ranking;

static bool row_fits(const Ranking *r, int64_t i, int64_t k) {
    for (uint32_t o = 0; o < r->n; o++) {
        if (!r->c[o].same_type || !lies_beside(&r->want[r->scores], &r->want[o])) continue;
        if (!(row_difference(&r->got[o], i, &r->want[o], k, r->rows) <= r->c[o].limit)) return false;
    }
    return true;
}

/* Rows [first, last), whose scores lie together, in any order. */
static bool rows_fit(const Ranking *r, int64_t first, int64_t last) {
    Arena *scratch = arena_new();
    bool *used = NEW_ARRAY(scratch, bool, last - first), *found = NEW_ARRAY(scratch, bool, last - first), ok = true;
    for (int64_t i = first; i < last; i++) used[i - first] = found[i - first] = row_fits(r, i, i);
    for (int64_t i = first; ok && i < last; i++) {
        for (int64_t k = first; !found[i - first] && k < last; k++)
            if (!used[k - first] && row_fits(r, i, k)) used[k - first] = found[i - first] = true;
        ok = found[i - first];
    }
    arena_free(scratch);
    return ok;
}

static bool lists_fit(const Ranking *r) {
    const Tensor *scores = &r->want[r->scores];
    const int64_t size = scores->dims[scores->rank - 1];
    for (int64_t first = 0, last; first < r->rows; first = last) {
        for (last = first + 1; last % size != 0; last++)
            if (!(tensor_get_f64(scores, last - 1) - tensor_get_f64(scores, last) <= r->c[r->scores].limit)) break;
        if (!rows_fit(r, first, last)) return false;
    }
    return true;
}

void compare_rankings(Comparison *c, const Tensor *got, const Tensor *want, uint32_t n) {
    for (uint32_t s = 0; s < n; s++) {
        bool wrong = false;
        if (!c[s].ok || !is_ranking(&want[s])) continue;
        for (uint32_t i = 0; i < n; i++)
            wrong = wrong || (!c[i].ok && c[i].same_type && lies_beside(&want[s], &want[i]));
        const Ranking r = {c, got, want, n, s, tensor_count(&want[s])};
        if (!wrong || !lists_fit(&r)) continue;
        for (uint32_t i = 0; i < n; i++)
            if (!c[i].ok && c[i].same_type && lies_beside(&want[s], &want[i])) c[i].ok = c[i].as_set = true;
    }
}

/* ---- rounding */

/* How far the rows of want are from the nearest ones of exact in the same list. */
static double nearest_rows(const Tensor *exact, const Tensor *want, const Tensor *scores) {
    const int64_t rows = tensor_count(scores), size = scores->dims[scores->rank - 1];
    double most = 0;
    for (int64_t i = 0; i < rows; i++) {
        double nearest = row_difference(exact, i, want, i, rows);
        for (int64_t k = i / size * size; nearest > 0 && k < (i / size + 1) * size; k++)
            nearest = fmin(nearest, row_difference(exact, k, want, i, rows));
        if (isfinite(nearest)) most = fmax(most, nearest);
    }
    return most;
}

void compare_rounding(double *out, const Tensor *exact, const Tensor *want, uint32_t n) {
    enum { MOST_ROWS = 4096 };
    for (uint32_t i = 0; i < n; i++) {
        const Tensor *ranking = NULL;
        bool same = dtype_is_float(want[i].dtype) && exact[i].rank == want[i].rank;
        for (int k = 0; same && k < want[i].rank; k++) same = exact[i].dims[k] == want[i].dims[k];
        out[i] = 0;
        if (!same) continue;
        for (uint32_t s = 0; s < n && !ranking; s++)
            if (s != i && is_ranking(&want[s]) && lies_beside(&want[s], &want[i]) &&
                tensor_count(&want[s]) <= MOST_ROWS)
                ranking = &want[s];
        if (ranking) {
            out[i] = nearest_rows(&exact[i], &want[i], ranking);
            continue;
        }
        const int64_t count = tensor_count(&want[i]);
        for (int64_t k = 0; k < count; k++) {
            const double difference = difference_of(&exact[i], k, &want[i], k);
            if (isfinite(difference)) out[i] = fmax(out[i], difference);
        }
    }
}
