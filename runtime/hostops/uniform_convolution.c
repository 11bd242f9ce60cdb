/* Convolution of uniformly quantised tensors, with any layout, padding, dilation of both operands and groups; the
   hybrid form quantises each image of a float operand first. What padding and dilation put between the levels of an
   image is its zero point, and so adds nothing: such taps are skipped. */
#include "hostops/uniform.h"
#include "hostops/wire.h"

enum { MOST = TFOPT_MAX_RANK };

/* One operand: its sizes and strides in the order batch (or output feature), feature, spatial… */
typedef struct {
    int32_t axis[MOST];
    int64_t size[MOST], stride[MOST];
} Layout;

typedef struct {
    int32_t rank;
    Layout image, kernel, result;
    int64_t window_stride[MOST], image_dilation[MOST], kernel_dilation[MOST], before[MOST]; /* of spatial dims */
    int64_t feature_groups, batch_groups;
} Convolution;

/* Reads a repeated or single integer field of the dimension numbers into axes; false for what lies outside the rank. */
static bool read_axes(TfoptString message, uint32_t field, int32_t rank, int32_t first, int32_t count, Layout *l) {
    TfoptWire w = tfopt_wire(message);
    TfoptField f;
    int32_t n = 0;
    while (tfopt_wire_next(&w, &f)) {
        if (f.number != field) continue;
        TfoptWire packed = tfopt_wire(f.bytes);
        do {
            uint64_t v = f.value;
            if (f.type == 2 && (packed.p >= packed.end || !tfopt_wire_varint(&packed, &v))) break;
            if (v >= (uint64_t)rank || (count > 1 && n >= count)) return false;
            if (count == 1) n = 0;
            l->axis[first + n++] = (int32_t)v;
        } while (f.type == 2 && packed.p < packed.end);
    }
    if (count == 1 && n == 0) l->axis[first] = 0; /* proto3 leaves zeros out */
    return !w.bad && (count == 1 || n == count);
}

/* Fields of the message: batch, feature, spatial of the image; input feature, output feature, spatial of the kernel;
   batch, feature, spatial of the result. */
static bool layouts(TfoptHostCall *call, Convolution *c) {
    const TfoptString numbers = tfopt_call_string(call, "dimension_numbers", "");
    const int32_t spatial = c->rank - 2;
    for (int32_t i = 0; i < c->rank; i++) c->image.axis[i] = c->kernel.axis[i] = c->result.axis[i] = i;
    if (numbers.size == 0) return true;
    return read_axes(numbers, 1, c->rank, 0, 1, &c->image) && read_axes(numbers, 2, c->rank, 1, 1, &c->image) &&
           read_axes(numbers, 3, c->rank, 2, spatial, &c->image) && read_axes(numbers, 4, c->rank, 1, 1, &c->kernel) &&
           read_axes(numbers, 5, c->rank, 0, 1, &c->kernel) && read_axes(numbers, 6, c->rank, 2, spatial, &c->kernel) &&
           read_axes(numbers, 7, c->rank, 0, 1, &c->result) && read_axes(numbers, 8, c->rank, 1, 1, &c->result) &&
           read_axes(numbers, 9, c->rank, 2, spatial, &c->result);
}

/* Sizes and strides by the axes; false when an axis comes twice. */
static bool layout_fill(Layout *l, const int64_t *dims, int32_t rank) {
    uint32_t seen = 0;
    for (int32_t i = 0; i < rank; i++) {
        seen |= 1u << l->axis[i];
        l->size[i] = dims[l->axis[i]];
        l->stride[i] = tfopt_dims_product(dims, l->axis[i] + 1, rank);
    }
    return seen == (1u << rank) - 1;
}

static int64_t list_at(const TfoptHostCall *call, const char *name, int32_t k) {
    const TfoptAttr *a = tfopt_call_attr(call, name);
    return a && a->kind == TFOPT_ATTR_INTS && k < a->n ? a->v.ints[k] : 1;
}

/* Everything but the values; the dims of the result. */
static bool convolution_init(TfoptHostCall *call, Convolution *c, int64_t *dims) {
    const TfoptTensor *image = &call->inputs[0], *kernel = &call->inputs[1];
    const int64_t limit = INT32_MAX;
    c->rank = image->rank;
    if (c->rank < 3 || kernel->rank != c->rank || !layouts(call, c) || !layout_fill(&c->image, image->dims, c->rank) ||
        !layout_fill(&c->kernel, kernel->dims, c->rank)) {
        tfopt_invalid(call, "operands and dimension_numbers do not fit");
        return false;
    }
    c->feature_groups = tfopt_call_int(call, "feature_group_count", 1);
    c->batch_groups = tfopt_call_int(call, "batch_group_count", 1);
    const int64_t features = c->kernel.size[0];
    if (c->feature_groups < 1 || c->batch_groups < 1 || features < 1 || features % c->feature_groups ||
        features % c->batch_groups || c->image.size[0] % c->batch_groups ||
        c->image.size[1] != c->kernel.size[1] * c->feature_groups) {
        tfopt_invalid(call, "features and groups do not fit");
        return false;
    }
    const bool same = tfopt_call_string_is(call, "padding", "SAME"),
               given = tfopt_call_string_is(call, "padding", "EXPLICIT");
    dims[c->result.axis[0]] = c->image.size[0] / c->batch_groups;
    dims[c->result.axis[1]] = features;
    for (int32_t i = 0; i < c->rank - 2; i++) {
        const int64_t stride = list_at(call, "window_strides", i), spread = list_at(call, "lhs_dilation", i),
                      rate = list_at(call, "rhs_dilation", i), in = c->image.size[i + 2], k = c->kernel.size[i + 2];
        if (stride < 1 || spread < 1 || rate < 1 || stride > limit || spread > limit || rate > limit || in > limit ||
            k > limit || k < 1) {
            tfopt_invalid(call, "strides, dilations or sizes are out of range");
            return false;
        }
        const int64_t size = in > 0 ? (in - 1) * spread + 1 : 0, reach = (k - 1) * rate + 1;
        int64_t before = 0, after = 0;
        if (given) {
            before = list_at(call, "explicit_padding", 2 * i);
            after = list_at(call, "explicit_padding", 2 * i + 1);
            if (before < 0 || after < 0 || before > limit || after > limit) {
                tfopt_invalid(call, "explicit_padding is out of range");
                return false;
            }
        } else if (same) {
            const int64_t out = (size + stride - 1) / stride, pad = (out - 1) * stride + reach - size;
            before = pad > 0 ? pad / 2 : 0;
            after = pad > 0 ? pad - before : 0;
        }
        const int64_t room = size + before + after - reach;
        dims[c->result.axis[i + 2]] = room < 0 ? 0 : room / stride + 1;
        c->window_stride[i] = stride;
        c->image_dilation[i] = spread;
        c->kernel_dilation[i] = rate;
        c->before[i] = before;
    }
    if (!layout_fill(&c->result, dims, c->rank)) {
        tfopt_invalid(call, "dimension_numbers name a dimension twice");
        return false;
    }
    return true;
}

static int64_t product(const Layout *l, int32_t rank) {
    return tfopt_dims_product(l->size, 2, rank);
}

/* Spatial position `flat` of a layout, dim by dim. */
static void unflatten(const Layout *l, int32_t rank, int64_t flat, int64_t *at) {
    for (int32_t i = rank - 1; i >= 2; i--) {
        at[i - 2] = flat % l->size[i];
        flat /= l->size[i];
    }
}

/* Sum of products of levels less their zero points, for one element of the result. */
static int32_t sum_at(const Convolution *c, const int8_t *image, const int8_t *kernel, int64_t batch, int64_t feature,
                      const int64_t *at, int32_t image_zero, int32_t kernel_zero) {
    const int64_t depth = c->kernel.size[1], first = feature / (c->kernel.size[0] / c->feature_groups) * depth;
    uint32_t sum = 0;
    for (int64_t tap = 0, taps = product(&c->kernel, c->rank); tap < taps; tap++) {
        int64_t k[MOST], from = batch * c->image.stride[0], with = feature * c->kernel.stride[0];
        bool inside = true;
        unflatten(&c->kernel, c->rank, tap, k);
        for (int32_t i = 0; i < c->rank - 2 && inside; i++) {
            const int64_t p = at[i] * c->window_stride[i] + k[i] * c->kernel_dilation[i] - c->before[i];
            inside = p >= 0 && p % c->image_dilation[i] == 0 && p / c->image_dilation[i] < c->image.size[i + 2];
            from += p / c->image_dilation[i] * c->image.stride[i + 2];
            with += k[i] * c->kernel.stride[i + 2];
        }
        for (int64_t d = 0; d < depth && inside; d++)
            sum += ((uint32_t)image[from + (first + d) * c->image.stride[1]] - (uint32_t)image_zero) *
                   ((uint32_t)kernel[with + d * c->kernel.stride[1]] - (uint32_t)kernel_zero);
    }
    return (int32_t)sum;
}

/* The image that feature `feature` of result `batch` comes from. */
static int64_t image_of(const Convolution *c, int64_t batch, int64_t feature) {
    return feature / (c->kernel.size[0] / c->batch_groups) * c->result.size[0] + batch;
}

/* (image, kernel, scales and zero points of the image, of the kernel, of the result) */
int32_t tfopt_host_uniform_convolution(TfoptHostCall *call) {
    TfoptQuantum image, kernel, to;
    Convolution c = {0};
    int64_t dims[MOST];
    if (!tfopt_quantum_input(call, 2, &image) || !tfopt_quantum_input(call, 4, &kernel) ||
        !tfopt_quantum_input(call, 6, &to) || !convolution_init(call, &c, dims))
        return TFOPT_INVALID_ARGUMENT;
    const int64_t features = c.kernel.size[0], spatial = product(&c.result, c.rank);
    if (image.per_slice || (kernel.per_slice && kernel.n != features) || (to.per_slice && to.n != features))
        return tfopt_invalid(call, "scales must be one, or one for each feature of the result");
    int32_t *out = tfopt_host_output(call, 0, c.rank, dims);
    if (!out) return tfopt_no_memory(call);
    for (int64_t f = 0; f < features; f++) {
        const TfoptFixed ratio =
            tfopt_fixed((double)image.scales[0] * (double)tfopt_scale_at(&kernel, f) / (double)tfopt_scale_at(&to, f));
        for (int64_t b = 0; b < c.result.size[0]; b++) {
            for (int64_t p = 0; p < spatial; p++) {
                int64_t at[MOST], to_index = b * c.result.stride[0] + f * c.result.stride[1];
                unflatten(&c.result, c.rank, p, at);
                for (int32_t i = 0; i < c.rank - 2; i++) to_index += at[i] * c.result.stride[i + 2];
                const int32_t sum = sum_at(&c, call->inputs[0].data, call->inputs[1].data, image_of(&c, b, f), f, at,
                                           image.zeros[0], tfopt_zero_at(&kernel, f));
                const int64_t level = tfopt_add_zero(tfopt_fixed_times(ratio, sum), tfopt_zero_at(&to, f));
                out[to_index] =
                    (int32_t)tfopt_clamped(call, "output_quantization_min_val", "output_quantization_max_val", level);
            }
        }
    }
    return TFOPT_OK;
}

/* Levels of each image of the float operand, in its own layout. */
static bool quantize_images(TfoptHostCall *call, const Convolution *c, int8_t *levels, float *scales, int32_t *zeros) {
    const int64_t n = c->image.size[0], each = n > 0 ? tfopt_elements(&call->inputs[0]) / n : 0;
    const float *x = call->inputs[0].data;
    float *row = tfopt_call_alloc(call, each + 1, sizeof *row);
    int8_t *row_levels = tfopt_call_alloc(call, each + 1, 1);
    if (!row || !row_levels) return false;
    const int64_t inner = c->image.stride[0];
    for (int64_t b = 0; b < n; b++) {
        for (int64_t i = 0; i < each; i++) row[i] = x[(i / inner * n + b) * inner + i % inner];
        tfopt_quantize_row(row, each, row_levels, &scales[b], &zeros[b]);
        for (int64_t i = 0; i < each; i++) levels[(i / inner * n + b) * inner + i % inner] = row_levels[i];
    }
    return true;
}

/* (image in f32, kernel, scales and zero points of the kernel) */
int32_t tfopt_host_uniform_convolution_hybrid(TfoptHostCall *call) {
    TfoptQuantum kernel;
    Convolution c = {0};
    int64_t dims[MOST];
    if (!tfopt_quantum_input(call, 2, &kernel) || !convolution_init(call, &c, dims)) return TFOPT_INVALID_ARGUMENT;
    const int64_t features = c.kernel.size[0], spatial = product(&c.result, c.rank), n = c.image.size[0];
    if (kernel.per_slice && kernel.n != features)
        return tfopt_invalid(call, "scales must be one, or one for each feature of the result");
    float *out = tfopt_host_output(call, 0, c.rank, dims), *scales = tfopt_call_alloc(call, n + 1, sizeof *scales);
    int32_t *zeros = tfopt_call_alloc(call, n + 1, sizeof *zeros);
    int8_t *levels = tfopt_call_alloc(call, tfopt_elements(&call->inputs[0]) + 1, 1);
    if (!out || !scales || !zeros || !levels || !quantize_images(call, &c, levels, scales, zeros))
        return tfopt_no_memory(call);
    for (int64_t f = 0; f < features; f++) {
        for (int64_t b = 0; b < c.result.size[0]; b++) {
            const int64_t from = image_of(&c, b, f);
            for (int64_t p = 0; p < spatial; p++) {
                int64_t at[MOST], to_index = b * c.result.stride[0] + f * c.result.stride[1];
                unflatten(&c.result, c.rank, p, at);
                for (int32_t i = 0; i < c.rank - 2; i++) to_index += at[i] * c.result.stride[i + 2];
                const int32_t sum =
                    sum_at(&c, levels, call->inputs[1].data, from, f, at, zeros[from], tfopt_zero_at(&kernel, f));
                out[to_index] = (float)sum * scales[from] * tfopt_scale_at(&kernel, f);
            }
        }
    }
    return TFOPT_OK;
}
