/* Gradients of ops that make images of other sizes: resizes, crops that are resized, mirrored pads; and of local
   response normalisation. Each element of what came back is spread on those that it was made from, in TensorFlow's
   order and float arithmetic. */
#include "hostops/gradient.h"
#include <math.h>
#include <string.h>

static float resize_scale(int64_t in, int64_t out, bool align_corners) {
    return align_corners && out > 1 ? (float)(in - 1) / (float)(out - 1) : (float)in / (float)out;
}

static void add_at(const TfoptTensor *t, int64_t i, double v) {
    tfopt_set_real(t, i, tfopt_real_at(t, i) + v);
}

/* A contribution is rounded to the element type before it is added. */
static void add_rounded(const TfoptTensor *t, int64_t i, float v) {
    const double before = tfopt_real_at(t, i);
    tfopt_set_real(t, i, (double)v);
    tfopt_set_real(t, i, before + tfopt_real_at(t, i));
}

/* The two neighbours of a place between pixels, and how far it is from the first. */
typedef struct {
    int64_t low, high;
    float lerp;
} Between;

static Between between(int64_t i, float scale, int64_t size, bool half_pixel) {
    const float at = half_pixel ? ((float)i + 0.5f) * scale - 0.5f : (float)i * scale, below = floorf(at);
    const int64_t low = (int64_t)below, high = (int64_t)ceilf(at);
    return (Between){low < 0 ? 0 : low, high < size ? high : size - 1, at - below};
}

/* (gradient [b,h,w,c] f32, images): of the images */
int32_t tfopt_host_resize_bilinear_gradient(TfoptHostCall *call) {
    const TfoptTensor *given = &call->inputs[0], *images = &call->inputs[1];
    if (given->rank != 4 || images->rank != 4 || given->dims[0] != images->dims[0] || given->dims[3] != images->dims[3])
        return tfopt_invalid(call, "the gradient and the images do not fit");
    const bool align_corners = tfopt_call_int(call, "align_corners", 0) != 0,
               half_pixel = tfopt_call_int(call, "half_pixel_centers", 0) != 0;
    if (align_corners && half_pixel)
        return tfopt_invalid(call, "If half_pixel_centers is True, align_corners must be False.");
    if (!tfopt_gradient_zeros(call, 0, images)) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[0];
    const int64_t h = images->dims[1], w = images->dims[2], channels = images->dims[3], rows = given->dims[1],
                  columns = given->dims[2];
    if (tfopt_elements(out) == 0 || tfopt_elements(given) == 0) return TFOPT_OK;
    const float y_scale = resize_scale(h, rows, align_corners), x_scale = resize_scale(w, columns, align_corners);
    const float *g = tfopt_as_f32(call, given);
    if (!g) return tfopt_no_memory(call);
    for (int64_t n = 0; n < images->dims[0]; n++) {
        for (int64_t i = 0; i < rows; i++) {
            const Between y = between(i, y_scale, h, half_pixel);
            for (int64_t j = 0; j < columns; j++) {
                const Between x = between(j, x_scale, w, half_pixel);
                const float y_rest = 1 - y.lerp, x_rest = 1 - x.lerp;
                const int64_t top = (n * h + y.low) * w, bottom = (n * h + y.high) * w;
                for (int64_t k = 0; k < channels; k++, g++) {
                    add_rounded(out, (top + x.low) * channels + k, *g * y_rest * x_rest);
                    add_rounded(out, (top + x.high) * channels + k, *g * y_rest * x.lerp);
                    add_rounded(out, (bottom + x.low) * channels + k, *g * y.lerp * x_rest);
                    add_rounded(out, (bottom + x.high) * channels + k, *g * y.lerp * x.lerp);
                }
            }
        }
    }
    return TFOPT_OK;
}

static int64_t nearest(int64_t i, float scale, int64_t size, bool align_corners, bool half_pixel) {
    const float at = half_pixel ? ((float)i + 0.5f) * scale : (float)i * scale;
    const int64_t p = (int64_t)(align_corners ? roundf(at) : floorf(at));
    return p < size ? p : size - 1;
}

/* (gradient [b,h,w,c], size of the images) */
int32_t tfopt_host_resize_nearest_gradient(TfoptHostCall *call) {
    const TfoptTensor *given = &call->inputs[0];
    int64_t size[2];
    if (given->rank != 4 || !tfopt_gradient_shape(&call->inputs[1], 2, size))
        return tfopt_invalid(call, "needs a gradient of 4 dimensions and a size of 2 elements");
    const bool align_corners = tfopt_call_int(call, "align_corners", 0) != 0,
               half_pixel = tfopt_call_int(call, "half_pixel_centers", 0) != 0;
    const int64_t h = size[0], w = size[1], channels = given->dims[3], rows = given->dims[1], columns = given->dims[2];
    if (h < 1 || w < 1) return tfopt_invalid(call, "the size must be positive");
    const TfoptTensor like = {.dtype = given->dtype, .rank = 4, .dims = {given->dims[0], h, w, channels}};
    if (!tfopt_gradient_zeros(call, 0, &like)) return tfopt_no_memory(call);
    if (rows == 0 || columns == 0) return TFOPT_OK;
    const float y_scale = resize_scale(h, rows, align_corners), x_scale = resize_scale(w, columns, align_corners);
    for (int64_t row = 0; row < given->dims[0] * rows; row++) {
        const int64_t y = row / rows * h + nearest(row % rows, y_scale, h, align_corners, half_pixel);
        for (int64_t j = 0; j < columns; j++) {
            const int64_t x = nearest(j, x_scale, w, align_corners, half_pixel);
            for (int64_t k = 0; k < channels; k++)
                tfopt_gradient_add(&call->outputs[0], (y * w + x) * channels + k, given,
                                   (row * columns + j) * channels + k);
        }
    }
    return TFOPT_OK;
}

/* ---- crops: where their pixels lie in the image */
typedef struct {
    int64_t size, crop;
    float from, scale;
    bool inside;
} CropAxis;

static CropAxis crop_axis(float a, float b, int64_t size, int64_t crop) {
    const float extent = (float)(size - 1);
    if (crop > 1) return (CropAxis){size, crop, a * extent, (b - a) * extent / (float)(crop - 1), false};
    return (CropAxis){size, crop, 0.5f * (a + b) * extent, 0, false};
}

/* The place of pixel i; false: outside of the image. */
static bool crop_place(const CropAxis *a, int64_t i, Between *out, float *at) {
    *at = a->from + (float)i * a->scale;
    if (!(*at >= 0 && *at <= (float)(a->size - 1))) return false;
    *out = (Between){(int64_t)floorf(*at), (int64_t)ceilf(*at), *at - floorf(*at)};
    return true;
}

/* Boxes [n,4] and box_ind [n] as inputs `first` and `first + 1` that fit a gradient of n crops. */
static bool crops_fit(TfoptHostCall *call, int32_t first) {
    const TfoptTensor *given = &call->inputs[0], *boxes = &call->inputs[first], *which = &call->inputs[first + 1];
    return given->rank == 4 && given->dtype == TFOPT_F32 && boxes->rank == 2 && boxes->dtype == TFOPT_F32 &&
           boxes->dims[0] == given->dims[0] && boxes->dims[1] == 4 && which->rank == 1 &&
           which->dims[0] == given->dims[0];
}

/* (gradient of the crops, boxes, box_ind, size of the images [4]) */
int32_t tfopt_host_crop_and_resize_image_gradient(TfoptHostCall *call) {
    const TfoptTensor *given = &call->inputs[0];
    TfoptTensor like = {.dtype = call->outputs[0].dtype, .rank = 4};
    if (!crops_fit(call, 1) || !tfopt_gradient_shape(&call->inputs[3], 4, like.dims) || like.dims[3] != given->dims[3])
        return tfopt_invalid(call, "the gradient, the boxes and image_size do not fit");
    if (!tfopt_gradient_zeros(call, 0, &like)) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[0];
    const int64_t batch = like.dims[0], h = like.dims[1], w = like.dims[2], channels = like.dims[3],
                  rows = given->dims[1], columns = given->dims[2];
    if (h < 1 || w < 1) return tfopt_invalid(call, "image dimensions must be positive");
    const bool pick = tfopt_call_string_is(call, "method", "nearest");
    for (int64_t b = 0; b < given->dims[0]; b++) {
        const float *box = (const float *)call->inputs[1].data + 4 * b;
        const int64_t image = tfopt_int_at(&call->inputs[2], b);
        if (image < 0 || image >= batch) continue;
        const CropAxis ya = crop_axis(box[0], box[2], h, rows), xa = crop_axis(box[1], box[3], w, columns);
        for (int64_t cell = 0; cell < rows * columns; cell++) {
            Between y, x;
            float y_at, x_at;
            if (!crop_place(&ya, cell / columns, &y, &y_at) || !crop_place(&xa, cell % columns, &x, &x_at)) continue;
            const float *g = (const float *)given->data + (b * rows * columns + cell) * channels;
            const int64_t top = (image * h + y.low) * w, bottom = (image * h + y.high) * w,
                          picked = (image * h + (int64_t)roundf(y_at)) * w + (int64_t)roundf(x_at);
            for (int64_t k = 0; k < channels; k++) {
                if (pick) {
                    add_rounded(out, picked * channels + k, g[k]);
                    continue;
                }
                const float above = (1 - y.lerp) * g[k], below = y.lerp * g[k];
                add_rounded(out, (top + x.low) * channels + k, (1 - x.lerp) * above);
                add_rounded(out, (top + x.high) * channels + k, x.lerp * above);
                add_rounded(out, (bottom + x.low) * channels + k, (1 - x.lerp) * below);
                add_rounded(out, (bottom + x.high) * channels + k, x.lerp * below);
            }
        }
    }
    return TFOPT_OK;
}

/* (gradient of the crops, images, boxes, box_ind): of the boxes [n,4] */
int32_t tfopt_host_crop_and_resize_boxes_gradient(TfoptHostCall *call) {
    const TfoptTensor *given = &call->inputs[0], *images = &call->inputs[1];
    if (images->rank != 4 || !crops_fit(call, 2) || images->dims[3] != given->dims[3])
        return tfopt_invalid(call, "the gradient, the images and the boxes do not fit");
    if (!tfopt_gradient_zeros(call, 0, &call->inputs[2])) return tfopt_no_memory(call);
    const int64_t h = images->dims[1], w = images->dims[2], channels = images->dims[3], rows = given->dims[1],
                  columns = given->dims[2];
    if (h < 1 || w < 1) return tfopt_invalid(call, "image dimensions must be positive");
    const float y_ratio = rows > 1 ? (float)(h - 1) / (float)(rows - 1) : 0,
                x_ratio = columns > 1 ? (float)(w - 1) / (float)(columns - 1) : 0;
    for (int64_t b = 0; b < given->dims[0]; b++) {
        const float *box = (const float *)call->inputs[2].data + 4 * b;
        float *out = (float *)call->outputs[0].data + 4 * b;
        const int64_t image = tfopt_int_at(&call->inputs[3], b);
        if (image < 0 || image >= images->dims[0]) continue;
        CropAxis ya = crop_axis(box[0], box[2], h, rows), xa = crop_axis(box[1], box[3], w, columns);
        if (rows > 1) ya.scale = (box[2] - box[0]) * y_ratio;
        if (columns > 1) xa.scale = (box[3] - box[1]) * x_ratio;
        for (int64_t cell = 0; cell < rows * columns; cell++) {
            Between y, x;
            float y_at, x_at;
            const int64_t i = cell / columns, j = cell % columns;
            if (!crop_place(&ya, i, &y, &y_at) || !crop_place(&xa, j, &x, &x_at)) continue;
            const float *g = (const float *)given->data + (b * rows * columns + cell) * channels;
            const int64_t top = (image * h + y.low) * w, bottom = (image * h + y.high) * w;
            for (int64_t k = 0; k < channels; k++) {
                const float p00 = (float)tfopt_real_at(images, (top + x.low) * channels + k),
                            p01 = (float)tfopt_real_at(images, (top + x.high) * channels + k),
                            p10 = (float)tfopt_real_at(images, (bottom + x.low) * channels + k),
                            p11 = (float)tfopt_real_at(images, (bottom + x.high) * channels + k);
                const float dy = ((1 - x.lerp) * (p10 - p00) + x.lerp * (p11 - p01)) * g[k],
                            dx = ((1 - y.lerp) * (p01 - p00) + y.lerp * (p11 - p10)) * g[k];
                out[0] += rows > 1 ? dy * ((float)(h - 1) - (float)i * y_ratio) : dy * 0.5f * (float)(h - 1);
                out[2] += rows > 1 ? dy * ((float)i * y_ratio) : dy * 0.5f * (float)(h - 1);
                out[1] += columns > 1 ? dx * ((float)(w - 1) - (float)j * x_ratio) : dx * 0.5f * (float)(w - 1);
                out[3] += columns > 1 ? dx * ((float)j * x_ratio) : dx * 0.5f * (float)(w - 1);
            }
        }
    }
    return TFOPT_OK;
}

/* ---- pads and normalisation */

/* (gradient, paddings [rank, 2]): what lies in the pads is folded back */
int32_t tfopt_host_mirror_pad_gradient(TfoptHostCall *call) {
    const TfoptTensor *given = &call->inputs[0], *pads = &call->inputs[1];
    TfoptTensor like = {.dtype = given->dtype, .rank = given->rank};
    if (pads->rank != 2 || pads->dims[0] != given->rank || pads->dims[1] != 2)
        return tfopt_invalid(call, "paddings must have two entries for each dimension");
    const int64_t edge = tfopt_call_string_is(call, "mode", "SYMMETRIC") ? 0 : 1;
    int64_t before[TFOPT_MAX_RANK];
    for (int32_t k = 0; k < given->rank; k++) {
        const int64_t a = tfopt_int_at(pads, 2 * k), b = tfopt_int_at(pads, 2 * k + 1), room = given->dims[k];
        if (a < 0 || b < 0 || a > room || b > room - a) return tfopt_invalid(call, "paddings do not fit the gradient");
        before[k] = a;
        like.dims[k] = room - a - b;
        if (a > like.dims[k] - edge || b > like.dims[k] - edge)
            return tfopt_invalid(call, "paddings must not exceed the size of the input");
    }
    if (!tfopt_gradient_zeros(call, 0, &like)) return tfopt_no_memory(call);
    const int64_t n = tfopt_elements(given);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, at = 0, stride = 1;
        for (int32_t k = given->rank - 1; k >= 0; k--) {
            int64_t p = rest % given->dims[k] - before[k];
            rest /= given->dims[k];
            if (p < 0) p = -p - 1 + edge;
            if (p >= like.dims[k]) p = 2 * like.dims[k] - 1 - edge - p;
            at += p * stride;
            stride *= like.dims[k];
        }
        tfopt_gradient_add(&call->outputs[0], at, given, i);
    }
    return TFOPT_OK;
}

/* (gradient, images, normalised images) */
int32_t tfopt_host_lrn_gradient(TfoptHostCall *call) {
    const TfoptTensor *given = &call->inputs[0], *in = &call->inputs[1], *normal = &call->inputs[2];
    if (given->rank != 4 || !tfopt_same_dims(given, in) || !tfopt_same_dims(given, normal))
        return tfopt_invalid(call, "its inputs must have one shape of 4 dimensions");
    const int64_t radius = tfopt_call_int(call, "depth_radius", 5), depth = given->dims[3];
    const float bias = (float)tfopt_call_float(call, "bias", 1), alpha = (float)tfopt_call_float(call, "alpha", 1),
                beta = (float)tfopt_call_float(call, "beta", 0.5);
    if (!tfopt_gradient_zeros(call, 0, given)) return tfopt_no_memory(call);
    const TfoptTensor *out = &call->outputs[0];
    for (int64_t at = 0, n = tfopt_elements(given); at < n; at += depth) {
        for (int64_t j = 0; j < depth; j++) {
            const int64_t first = j > radius ? j - radius : 0, last = depth - j > radius ? j + radius : depth - 1;
            float norm = 0;
            for (int64_t k = first; k <= last; k++) {
                const float v = (float)tfopt_real_at(in, at + k);
                norm += v * v;
            }
            norm = alpha * norm + bias;
            const float g = (float)tfopt_real_at(given, at + j), y = (float)tfopt_real_at(normal, at + j);
            for (int64_t k = first; k <= last; k++) {
                float slope = -2 * alpha * beta * (float)tfopt_real_at(in, at + k) * y / norm;
                if (k == j) slope += powf(norm, -beta);
                add_at(out, at + k, (double)(slope * g));
            }
        }
    }
    return TFOPT_OK;
}
