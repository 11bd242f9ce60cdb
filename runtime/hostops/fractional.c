/* FractionalMaxPool and FractionalAvgPool: an image is cut into regions of two neighbouring sizes in random order, each
   of which gives one pixel. The order is TensorFlow's for the same seeds. */
#include "hostops/random.h"
#include <math.h>
#include <string.h>

/* Sizes of `out` regions that cover `in` pixels, as where they begin (out + 1 numbers). */
static void cut(TfoptStream *s, int64_t in, int64_t out, bool pseudo_random, int64_t *begins) {
    const int64_t k = in / out, larger = in % out;
    if (pseudo_random && larger) {
        const double alpha = (double)in / (double)out;
        const double limit = fmin((double)(k + 2) / alpha - 1, (double)(in + 1 - k) / alpha - (double)(out - 1));
        const double u = tfopt_stream_uniform(s) * limit;
        begins[0] = 1;
        for (int64_t i = 1; i < out; i++) begins[i] = (int64_t)ceil(alpha * ((double)i + u));
        for (int64_t i = 0; i < out; i++) begins[i] -= 1;
    } else {
        int64_t *sizes = begins + 1; /* shuffled in place, then summed up */
        for (int64_t i = 0; i < out; i++) sizes[i] = k + (i < larger);
        for (int64_t i = 0; larger && i + 1 < out; i++) {
            const int64_t other = i + tfopt_stream_word(s) % (uint32_t)(out - i), size = sizes[i];
            sizes[i] = sizes[other];
            sizes[other] = size;
        }
        begins[0] = 0;
        for (int64_t i = 0; i < out; i++) begins[i + 1] += begins[i];
    }
    begins[out] = in;
}

typedef struct {
    bool average, overlapping;
    const int64_t *rows, *columns;
    int64_t out_y, out_x;
} Pooling;

static int64_t end_of(const int64_t *begins, int64_t i, int64_t n, bool overlapping) {
    const int64_t end = begins[i + 1] + overlapping;
    return end < begins[n] ? end : begins[n];
}

static void pool(const Pooling *p, const TfoptTensor *t, const TfoptTensor *out) {
    const int64_t in_y = t->dims[1], in_x = t->dims[2], channels = t->dims[3];
    const bool real = tfopt_is_float_type(t->dtype), single = t->dtype == TFOPT_F32;
    for (int64_t to = 0, n = t->dims[0] * p->out_y * p->out_x; to < n; to++) {
        const int64_t i = to / p->out_x % p->out_y, j = to % p->out_x, image = to / (p->out_x * p->out_y);
        const int64_t y0 = p->rows[i], y1 = end_of(p->rows, i, p->out_y, p->overlapping);
        const int64_t x0 = p->columns[j], x1 = end_of(p->columns, j, p->out_x, p->overlapping);
        const int64_t count = (y1 - y0) * (x1 - x0);
        for (int64_t c = 0; c < channels; c++) {
            double value = p->average ? 0 : -INFINITY;
            int64_t whole = p->average ? 0 : INT64_MIN;
            for (int64_t y = y0; y < y1; y++) {
                for (int64_t x = x0; x < x1; x++) {
                    const int64_t at = ((image * in_y + y) * in_x + x) * channels + c;
                    const double v = real ? tfopt_real_at(t, at) : 0;
                    const int64_t w = real ? 0 : tfopt_int_at(t, at);
                    value = p->average ? value + v : v > value ? v : value;
                    if (single) value = (double)(float)value;
                    whole = p->average ? (int64_t)((uint64_t)whole + (uint64_t)w) : w > whole ? w : whole;
                }
            }
            if (t->dtype == TFOPT_S32 && p->average) whole = (int32_t)(uint32_t)whole;
            if (real)
                tfopt_set_real(out, to * channels + c, p->average ? value / (double)count : value);
            else
                tfopt_set_int(out, to * channels + c, p->average && count > 0 ? whole / count : whole);
        }
    }
}

static int32_t fractional_pool(TfoptHostCall *call, bool average) {
    const TfoptTensor *t = &call->inputs[0];
    const TfoptAttr *ratio = tfopt_call_attr(call, "pooling_ratio");
    if (t->rank != 4 || !ratio || ratio->kind != TFOPT_ATTR_FLOATS || ratio->n != 4 || ratio->v.floats[0] != 1 ||
        ratio->v.floats[3] != 1)
        return tfopt_invalid(call, "pooling_ratio must be [1, y, x, 1] for an image of rank 4");
    int64_t dims[4] = {t->dims[0], 0, 0, t->dims[3]};
    for (int i = 1; i < 3; i++) {
        if (!(ratio->v.floats[i] >= 1) || t->dims[i] < 1)
            return tfopt_invalid(call, "pooling_ratio must be at least 1 and images must not be empty");
        dims[i] = (int64_t)floor((double)((float)t->dims[i] / (float)ratio->v.floats[i]));
        if (dims[i] < 1) return tfopt_invalid(call, "pooling_ratio is larger than the image");
    }
    TfoptPhilox *state = tfopt_philox_state(call);
    int64_t *rows = tfopt_output_1d(call, 1, dims[1] + 1), *columns = tfopt_output_1d(call, 2, dims[2] + 1);
    if (!state || !rows || !columns || !tfopt_host_output(call, 0, 4, dims)) return tfopt_no_memory(call);
    const bool pseudo_random = tfopt_call_int(call, "pseudo_random", 0) != 0;
    /* TensorFlow takes whole blocks of four words for each axis; `deterministic` begins anew each time */
    TfoptPhilox moving = *state;
    for (int axis = 1; axis < 3; axis++) {
        TfoptStream stream = {.philox = moving};
        cut(&stream, t->dims[axis], dims[axis], pseudo_random, axis == 1 ? rows : columns);
        tfopt_philox_skip(&moving, pseudo_random ? 1 : (uint64_t)(dims[axis] + 3) / 4);
    }
    if (!tfopt_call_int(call, "deterministic", 0)) *state = moving;
    const Pooling p = {.average = average,
                       .overlapping = tfopt_call_int(call, "overlapping", 0) != 0,
                       .rows = rows,
                       .columns = columns,
                       .out_y = dims[1],
                       .out_x = dims[2]};
    pool(&p, t, &call->outputs[0]);
    return TFOPT_OK;
}

int32_t tfopt_host_fractional_max_pool(TfoptHostCall *call) {
    return fractional_pool(call, false);
}
int32_t tfopt_host_fractional_avg_pool(TfoptHostCall *call) {
    return fractional_pool(call, true);
}
