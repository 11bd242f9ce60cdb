/* Resize: TensorFlow's own index arithmetic, in float, so that the same source pixels are chosen. */
#include "ref/ref_internal.h"
#include <math.h>
#include <string.h>

typedef struct {
    int64_t lower, upper;
    float lerp;
} Tap;

static float source(int64_t i, float scale, bool half_pixel) {
    return half_pixel ? ((float)i + 0.5f) * scale - 0.5f : (float)i * scale;
}

/* Source position of each of n outputs along an axis of `size` inputs. */
static Tap *axis_taps(RefCall *c, int64_t size, int64_t n, bool nearest, bool align, bool half_pixel) {
    Tap *taps = NEW_ARRAY(c->arena, Tap, n + 1);
    const float scale = align && n > 1 ? (float)(size - 1) / (float)(n - 1) : (float)size / (float)n;
    for (int64_t i = 0; i < n; i++) {
        if (nearest) {
            const float at = half_pixel ? ((float)i + 0.5f) * scale : (float)i * scale;
            const int64_t p = (int64_t)(align ? roundf(at) : floorf(at));
            taps[i].lower = p < 0 ? 0 : p < size ? p : size - 1;
            continue;
        }
        const float at = source(i, scale, half_pixel), below = floorf(at), above = ceilf(at);
        taps[i].lower = below < 0 ? 0 : (int64_t)below;
        taps[i].upper = above < (float)size ? (int64_t)above : size - 1;
        if (taps[i].upper < 0) taps[i].upper = 0;
        if (taps[i].lower >= size) taps[i].lower = size - 1;
        taps[i].lerp = at - below;
    }
    return taps;
}

bool ref_resize(RefCall *c) {
    const Tensor *in = &c->in[0];
    Tensor *out = &c->out[0];
    const bool nearest = strcmp(node_string(c->n, "kind", "bilinear"), "nearest") == 0;
    const bool align = node_int(c->n, "align_corners", 0) != 0, half_pixel = node_int(c->n, "half_pixel", 0) != 0;
    const int64_t images = in->dims[0], in_h = in->dims[1], in_w = in->dims[2], channels = in->dims[3],
                  h = out->dims[1], w = out->dims[2];
    if (tensor_count(out) == 0) return true;
    if (in_h < 1 || in_w < 1) return ref_error(c, "an image without pixels");
    const Tap *rows = axis_taps(c, in_h, h, nearest, align, half_pixel),
              *columns = axis_taps(c, in_w, w, nearest, align, half_pixel);
    if (nearest) {
        const size_t pixel = (size_t)channels * dtype_size(in->dtype);
        char *to = ref_data(out);
        for (int64_t n = 0; n < images; n++) {
            for (int64_t y = 0; y < h; y++) {
                for (int64_t x = 0; x < w; x++, to += pixel)
                    memcpy(to,
                           (const char *)in->data +
                               (size_t)((n * in_h + rows[y].lower) * in_w + columns[x].lower) * pixel,
                           pixel);
            }
        }
        return true;
    }
    /* Everything becomes f32 first, f64 as well. */
    const int64_t count = tensor_count(in);
    Tensor as_f32 = {.dtype = DTYPE_F32, .rank = 1, .dims = {count}, .data = in->data};
    if (in->dtype != DTYPE_F32) {
        as_f32.data = arena_alloc(c->arena, (size_t)count * 4);
        ref_store(DTYPE_F32, ref_data(&as_f32), 0, count, ref_wide(in->dtype), ref_widen(c, in));
    }
    const float *from = as_f32.data;
    float *to = ref_data(out);
    if (h == in_h && w == in_w) { /* no sums, in which an infinity would become NaN */
        if (count) memcpy(to, from, (size_t)count * sizeof *to);
        return true;
    }
    for (int64_t n = 0; n < images; n++) {
        for (int64_t y = 0; y < h; y++) {
            const float *top = from + (n * in_h + rows[y].lower) * in_w * channels,
                        *bottom = from + (n * in_h + rows[y].upper) * in_w * channels;
            for (int64_t x = 0; x < w; x++) {
                const int64_t left = columns[x].lower * channels, right = columns[x].upper * channels;
                for (int64_t k = 0; k < channels; k++) {
                    const float t = top[left + k] + (top[right + k] - top[left + k]) * columns[x].lerp;
                    const float b = bottom[left + k] + (bottom[right + k] - bottom[left + k]) * columns[x].lerp;
                    *to++ = t + (b - t) * rows[y].lerp;
                }
            }
        }
    }
    return true;
}
