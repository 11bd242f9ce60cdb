/* Parts of images at random or given places: ExtractGlimpse, SampleDistortedBoundingBox. */
#include "hostops/random.h"
#include <math.h>
#include <string.h>

/* ---- ExtractGlimpse */

typedef enum { ZERO, UNIFORM, GAUSSIAN } Noise;

static bool read_noise(TfoptHostCall *call, Noise *out) {
    const bool uniform = tfopt_call_int(call, "uniform_noise", 1) != 0;
    const TfoptString noise = tfopt_call_string(call, "noise", "uniform");
    if (noise.size == 0)
        *out = uniform ? UNIFORM : GAUSSIAN;
    else if (tfopt_call_string_is(call, "noise", "gaussian"))
        *out = GAUSSIAN;
    else if (tfopt_call_string_is(call, "noise", "zero"))
        *out = ZERO;
    else
        *out = UNIFORM;
    return !uniform || noise.size == 0 || *out == UNIFORM;
}

/* Where a glimpse begins along one axis, by the rules of the op's version. */
static float begin_of(const TfoptHostCall *call, bool v2, float offset, float in, float out) {
    const bool normalized = tfopt_call_int(call, "normalized", 1) != 0,
               centered = tfopt_call_int(call, "centered", 1) != 0;
    if (v2 && !normalized) return centered ? offset + in / 2.0f : offset;
    if (normalized) offset *= in;
    if (centered) offset = offset / 2.0f + in / 2.0f;
    return v2 && !centered ? offset : offset - out / 2.0f;
}

/* The part of a glimpse that lies on the image: `count` pixels from image pixel `from` on, at glimpse pixel `to`. */
typedef struct {
    int64_t from, to, count;
    bool partial;
} Span;

static Span span_of(float begin, int64_t in, int64_t out) {
    const int64_t at = begin > 0x1p40f ? INT64_C(1) << 40 : begin > -0x1p40f ? (int64_t)begin : -(INT64_C(1) << 40);
    Span s = {at, 0, out, false};
    if (at < 0) {
        s.count = out + at > 0 ? out + at : 0;
        s.from = 0;
        s.to = out - s.count;
        s.partial = true;
    } else if (at + out >= in) {
        s.count = in - at > 0 ? in - at : 0;
        s.partial = true;
    }
    if (s.count > in) s.count = in;
    return s;
}

/* Fills one glimpse with noise that has the range, or the mean and deviation, of its image. */
static void fill(TfoptStream *stream, Noise noise, const float *image, int64_t pixels, int64_t channels, float *out,
                 int64_t n) {
    if (noise == ZERO || pixels == 0) {
        memset(out, 0, (size_t)n * sizeof *out);
        return;
    }
    for (int64_t k = 0; k < channels; k++) {
        float low = INFINITY, high = -INFINITY;
        double sum = 0, square = 0;
        for (int64_t i = 0; i < pixels; i++) {
            const float v = image[i * channels + k];
            low = fminf(low, v);
            high = fmaxf(high, v);
            sum += (double)v;
            square += (double)v * (double)v;
        }
        const double mean = sum / (double)pixels, variance = square / (double)pixels - mean * mean;
        for (int64_t i = k; i < n; i += channels) {
            const float v = noise == UNIFORM
                                ? low + (float)tfopt_stream_uniform(stream) * (high - low)
                                : (float)(mean + tfopt_stream_normal(stream) * sqrt(variance > 0 ? variance : 0));
            out[i] = fmaxf(fminf(v, high), low);
        }
    }
}

/* (images, size, offsets) */
static int32_t extract_glimpse(TfoptHostCall *call, bool v2) {
    const TfoptTensor *t = &call->inputs[0], *size = &call->inputs[1], *offsets = &call->inputs[2];
    Noise noise;
    if (!read_noise(call, &noise)) return tfopt_invalid(call, "uniform_noise and noise contradict each other");
    if (t->rank != 4 || t->dtype != TFOPT_F32 || tfopt_elements(size) != 2 || offsets->rank != 2 ||
        offsets->dims[0] != t->dims[0] || offsets->dims[1] != 2)
        return tfopt_invalid(call, "needs images of rank 4, two sizes, and an offset for each image");
    const int64_t out_y = tfopt_int_at(size, 0), out_x = tfopt_int_at(size, 1), in_y = t->dims[1], in_x = t->dims[2],
                  channels = t->dims[3], dims[4] = {t->dims[0], out_y, out_x, channels};
    if (out_y < 0 || out_x < 0) return tfopt_invalid(call, "sizes must not be negative");
    float *out = tfopt_host_output(call, 0, 4, dims);
    TfoptPhilox *state = tfopt_philox_state(call);
    if (!out || !state) return tfopt_no_memory(call);
    const int64_t each = out_y * out_x * channels;
    TfoptStream stream = {.philox = *state};
    tfopt_philox_skip(state, (uint64_t)(each * t->dims[0]) * 4);
    for (int64_t n = 0; n < t->dims[0] && each > 0; n++, out += each) {
        const float *image = (const float *)t->data + n * in_y * in_x * channels;
        const Span y =
            span_of(begin_of(call, v2, ((const float *)offsets->data)[2 * n], (float)in_y, (float)out_y), in_y, out_y);
        const Span x = span_of(begin_of(call, v2, ((const float *)offsets->data)[2 * n + 1], (float)in_x, (float)out_x),
                               in_x, out_x);
        if (y.partial || x.partial) fill(&stream, noise, image, in_y * in_x, channels, out, each);
        for (int64_t i = 0; i < y.count && x.count > 0; i++)
            memcpy(out + ((y.to + i) * out_x + x.to) * channels, image + ((y.from + i) * in_x + x.from) * channels,
                   (size_t)(x.count * channels) * sizeof *out);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_extract_glimpse(TfoptHostCall *call) {
    return extract_glimpse(call, false);
}
int32_t tfopt_host_extract_glimpse_v2(TfoptHostCall *call) {
    return extract_glimpse(call, true);
}

/* ---- SampleDistortedBoundingBox */

typedef struct {
    int64_t x0, y0, x1, y1;
} Box;

static float area(Box b) {
    return (float)((b.x1 - b.x0) * (b.y1 - b.y0));
}

static Box intersect(Box a, Box b) {
    const Box both = {a.x0 > b.x0 ? a.x0 : b.x0, a.y0 > b.y0 ? a.y0 : b.y0, a.x1 < b.x1 ? a.x1 : b.x1,
                      a.y1 < b.y1 ? a.y1 : b.y1};
    return both.x0 > both.x1 || both.y0 > both.y1 ? (Box){0, 0, 0, 0} : both;
}

/* 0..n-1, without skew: numbers under 2^32 mod n are thrown away. */
static int64_t uniform_below(TfoptStream *s, int64_t n) {
    const uint32_t limit = (uint32_t)n;
    if ((limit & (limit - 1)) == 0) return tfopt_stream_word(s) & (limit - 1);
    const uint32_t rest = UINT32_MAX % limit + 1;
    uint32_t v;
    do v = tfopt_stream_word(s);
    while (v < rest);
    return v % limit;
}

static float uniform_float(TfoptStream *s) {
    const uint32_t bits = 127u << 23 | (tfopt_stream_word(s) & 0x7fffffu);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f - 1.0f;
}

typedef struct {
    int64_t width, height;
    float min_area, max_area, min_ratio, max_ratio, covered;
    const Box *boxes;
    int64_t n;
} Sampling;

/* A rectangle of this width for its height, and of an area within bounds; false where there is none. */
static bool random_crop(const Sampling *s, TfoptStream *stream, float ratio, Box *out) {
    if (s->max_area <= 0 || ratio <= 0 || s->width <= 0 || s->height <= 0 || s->min_area > s->max_area) return false;
    const float least = s->min_area * (float)s->width * (float)s->height,
                most = s->max_area * (float)s->width * (float)s->height;
    int64_t height = lrintf(sqrtf(least / ratio)), max_height = lrintf(sqrtf(most / ratio));
    if (lrintf((float)max_height * ratio) > s->width) {
        const float epsilon = 0.0000001f;
        max_height = (int64_t)(((double)s->width + 0.5 - (double)epsilon) / (double)ratio);
        if (lrintf((float)max_height * ratio) > s->width) max_height--;
    }
    if (max_height > s->height) max_height = s->height;
    if (height >= max_height) height = max_height;
    if (height < max_height) height += uniform_below(stream, max_height - height + 1);
    int64_t width = lrintf((float)height * ratio);
    /* rounding may have missed the bounds: one more, one less */
    float size = (float)(width * height);
    if (size < least) width = lrintf((float)++height * ratio);
    size = (float)(width * height);
    if (size > most) width = lrintf((float)--height * ratio);
    size = (float)(width * height);
    if (size < least || size > most || width > s->width || height > s->height || width <= 0 || height <= 0)
        return false;
    out->y0 = height < s->height ? uniform_below(stream, s->height - height) : 0;
    out->x0 = width < s->width ? uniform_below(stream, s->width - width) : 0;
    out->x1 = out->x0 + width;
    out->y1 = out->y0 + height;
    return true;
}

static bool covers_enough(const Sampling *s, Box crop) {
    if (area(crop) < 1) return false;
    for (int64_t i = 0; i < s->n; i++) {
        const float size = area(s->boxes[i]);
        if (size >= 1 && area(intersect(crop, s->boxes[i])) / size >= s->covered) return true;
    }
    return false;
}

/* Two positive numbers of an attribute of floats. */
static bool read_range(const TfoptHostCall *call, const char *name, float low, float high, float out[2]) {
    const TfoptAttr *a = tfopt_call_attr(call, name);
    out[0] = low;
    out[1] = high;
    if (a && (a->kind != TFOPT_ATTR_FLOATS || a->n != 2)) return false;
    for (int i = 0; a && i < 2; i++) out[i] = (float)a->v.floats[i];
    return out[0] > 0 && out[1] > 0;
}

/* Boxes of the second input in pixels; the whole image where there are none. */
static int32_t read_boxes(TfoptHostCall *call, Sampling *s) {
    const TfoptTensor *t = &call->inputs[1];
    if (t->rank != 3 || t->dims[2] != 4 || t->dtype != TFOPT_F32)
        return tfopt_invalid(call, "bounding boxes must be [batch, n, 4]");
    s->n = t->dims[0] * t->dims[1];
    Box *boxes = tfopt_call_alloc(call, s->n + 1, sizeof *boxes);
    if (!boxes) return tfopt_no_memory(call);
    const float *f = t->data;
    for (int64_t i = 0; i < s->n; i++, f += 4) {
        for (int k = 0; k < 4; k++) {
            if (!(f[k] >= 0 && f[k] <= 1)) return tfopt_invalid(call, "bounding boxes must lie in [0, 1]");
        }
        boxes[i] = (Box){(int32_t)(f[1] * (float)s->width), (int32_t)(f[0] * (float)s->height),
                         (int32_t)(f[3] * (float)s->width), (int32_t)(f[2] * (float)s->height)};
    }
    if (s->n == 0) {
        if (!tfopt_call_int(call, "use_image_if_no_bounding_boxes", 0))
            return tfopt_invalid(call, "no bounding boxes, and use_image_if_no_bounding_boxes is not set");
        boxes[s->n++] = (Box){0, 0, s->width, s->height};
    }
    s->boxes = boxes;
    return TFOPT_OK;
}

/* (image size, boxes[, part of a box to cover[, seed]]) -> begin, size, box */
static int32_t sample_box(TfoptHostCall *call, TfoptStream stream) {
    const TfoptTensor *size = &call->inputs[0];
    float areas[2], ratios[2];
    if (tfopt_elements(size) != 3) return tfopt_invalid(call, "image_size must have three elements");
    Sampling s = {.height = tfopt_int_at(size, 0), .width = tfopt_int_at(size, 1)};
    const int64_t attempts = tfopt_call_int(call, "max_attempts", 100);
    if (s.height < 0 || s.width < 0 || s.height >= INT32_MAX || s.width >= INT32_MAX)
        return tfopt_invalid(call, "image_size is out of range");
    if (!read_range(call, "area_range", 0.05f, 1, areas) || areas[0] > 1 || areas[1] > 1 || attempts < 1 ||
        !read_range(call, "aspect_ratio_range", 0.75f, 1.33f, ratios))
        return tfopt_invalid(call, "area_range, aspect_ratio_range or max_attempts is out of range");
    s.min_area = areas[0];
    s.max_area = areas[1];
    s.covered = call->n_inputs > 2 && tfopt_elements(&call->inputs[2]) > 0
                    ? (float)tfopt_real_at(&call->inputs[2], 0)
                    : (float)tfopt_call_float(call, "min_object_covered", 0.1);
    if (!(s.covered >= 0)) return tfopt_invalid(call, "min_object_covered must not be negative");
    const int32_t status = read_boxes(call, &s);
    if (status != TFOPT_OK) return status;
    const Box whole = {0, 0, s.width, s.height};
    Box crop = whole;
    for (int64_t i = 0; i < attempts; i++) {
        const float ratio = uniform_float(&stream) * (ratios[1] - ratios[0]) + ratios[0];
        if (random_crop(&s, &stream, ratio, &crop) && covers_enough(&s, crop)) break;
        crop = whole;
    }
    const int64_t box_dims[3] = {1, 1, 4};
    float *box = tfopt_host_output(call, 2, 3, box_dims);
    if (!box || !tfopt_output_1d(call, 0, 3) || !tfopt_output_1d(call, 1, 3)) return tfopt_no_memory(call);
    const int64_t begin[3] = {crop.y0, crop.x0, 0}, extent[3] = {crop.y1 - crop.y0, crop.x1 - crop.x0, -1};
    for (int i = 0; i < 3; i++) {
        tfopt_set_int(&call->outputs[0], i, begin[i]);
        tfopt_set_int(&call->outputs[1], i, extent[i]);
    }
    box[0] = (float)crop.y0 / (float)s.height;
    box[1] = (float)crop.x0 / (float)s.width;
    box[2] = (float)crop.y1 / (float)s.height;
    box[3] = (float)crop.x1 / (float)s.width;
    return TFOPT_OK;
}

int32_t tfopt_host_sample_distorted_bounding_box(TfoptHostCall *call) {
    TfoptPhilox *state = tfopt_philox_state(call);
    if (!state) return tfopt_no_memory(call);
    const TfoptStream stream = {.philox = *state};
    tfopt_philox_skip(state, (uint64_t)tfopt_call_int(call, "max_attempts", 100) * 4);
    return sample_box(call, stream);
}

int32_t tfopt_host_stateless_sample_distorted_bounding_box(TfoptHostCall *call) {
    if (call->n_inputs < 4 || tfopt_elements(&call->inputs[3]) != 2)
        return tfopt_invalid(call, "seed must have two elements");
    return sample_box(call, (TfoptStream){.philox = tfopt_philox_from_seed(&call->inputs[3])});
}
