/* Colours: RGB and HSV, contrast, hue and saturation. The last dimension holds the three channels. */
#include "hostops/host.h"
#include <math.h>

static void rgb_to_hsv(const double *rgb, double *hsv) {
    const double r = rgb[0], g = rgb[1], b = rgb[2];
    const double most = fmax(r, fmax(g, b)), least = fmin(r, fmin(g, b)), range = most - least;
    double h = 0;
    if (range > 0) {
        const double norm = 1.0 / (6.0 * range);
        h = r == most ? norm * (g - b) : g == most ? norm * (b - r) + 2.0 / 6.0 : norm * (r - g) + 4.0 / 6.0;
        if (h < 0) h += 1;
    }
    hsv[0] = h;
    hsv[1] = most > 0 ? range / most : 0;
    hsv[2] = most;
}

static double clamp01(double v) {
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

static void hsv_to_rgb(const double *hsv, double *rgb) {
    const double dh = hsv[0] * 6, s = hsv[1], v = hsv[2];
    rgb[0] = ((1 - s) + s * clamp01(fabs(dh - 3) - 1)) * v;
    rgb[1] = ((1 - s) + s * clamp01(2 - fabs(dh - 2))) * v;
    rgb[2] = ((1 - s) + s * clamp01(2 - fabs(dh - 4))) * v;
}

typedef void PixelFn(const double *in, double *out, double parameter);

static int32_t each_pixel(TfoptHostCall *call, PixelFn *f, double parameter) {
    const TfoptTensor *t = &call->inputs[0];
    if (t->rank < 1 || t->dims[t->rank - 1] != 3) return tfopt_invalid(call, "the last dimension must be 3 channels");
    if (!tfopt_output_like(call, 0, t)) return tfopt_no_memory(call);
    const int64_t n = tfopt_elements(t);
    for (int64_t i = 0; i < n; i += 3) {
        double in[3], out[3];
        if (t->dtype == TFOPT_F32) {
            for (int k = 0; k < 3; k++) in[k] = (double)((const float *)t->data)[i + k];
            f(in, out, parameter);
            for (int k = 0; k < 3; k++) ((float *)call->outputs[0].data)[i + k] = (float)out[k];
            continue;
        }
        for (int k = 0; k < 3; k++) in[k] = tfopt_real_at(t, i + k);
        f(in, out, parameter);
        for (int k = 0; k < 3; k++) tfopt_set_real(&call->outputs[0], i + k, out[k]);
    }
    return TFOPT_OK;
}

static void to_hsv(const double *in, double *out, double parameter) {
    (void)parameter;
    rgb_to_hsv(in, out);
}

static void to_rgb(const double *in, double *out, double parameter) {
    (void)parameter;
    hsv_to_rgb(in, out);
}

static void shift_hue(const double *in, double *out, double delta) {
    double hsv[3];
    rgb_to_hsv(in, hsv);
    hsv[0] += delta;
    hsv[0] -= floor(hsv[0]);
    /* Shifting keeps the largest and smallest channel, also where they are negative. */
    const double most = fmax(in[0], fmax(in[1], in[2])), least = fmin(in[0], fmin(in[1], in[2]));
    const double unit[3] = {hsv[0], 1, 1};
    hsv_to_rgb(unit, out);
    for (int k = 0; k < 3; k++) out[k] = least + (most - least) * out[k];
}

static void scale_saturation(const double *in, double *out, double scale) {
    double hsv[3];
    rgb_to_hsv(in, hsv);
    hsv[1] = clamp01(hsv[1] * scale);
    hsv_to_rgb(hsv, out);
}

int32_t tfopt_host_rgb_to_hsv(TfoptHostCall *call) {
    return each_pixel(call, to_hsv, 0);
}
int32_t tfopt_host_hsv_to_rgb(TfoptHostCall *call) {
    return each_pixel(call, to_rgb, 0);
}
int32_t tfopt_host_adjust_hue(TfoptHostCall *call) {
    return each_pixel(call, shift_hue, tfopt_real_at(&call->inputs[1], 0));
}
int32_t tfopt_host_adjust_saturation(TfoptHostCall *call) {
    return each_pixel(call, scale_saturation, tfopt_real_at(&call->inputs[1], 0));
}

int32_t tfopt_host_adjust_contrast(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    if (t->rank < 3) return tfopt_invalid(call, "images must have at least 3 dimensions");
    const double factor = tfopt_real_at(&call->inputs[1], 0);
    const int64_t channels = t->dims[t->rank - 1], pixels = t->dims[t->rank - 2] * t->dims[t->rank - 3],
                  images = tfopt_dims_product(t->dims, 0, t->rank - 3);
    double *mean = tfopt_call_alloc(call, channels + 1, sizeof *mean);
    const double *x = tfopt_as_f64(call, t);
    if (!mean || !x || !tfopt_output_like(call, 0, t)) return tfopt_no_memory(call);
    for (int64_t n = 0; n < images; n++) {
        for (int64_t k = 0; k < channels; k++) mean[k] = 0;
        for (int64_t i = n * pixels; i < (n + 1) * pixels; i++) {
            for (int64_t k = 0; k < channels; k++) mean[k] += x[i * channels + k];
        }
        for (int64_t k = 0; k < channels; k++) mean[k] /= (double)pixels;
        for (int64_t i = n * pixels; i < (n + 1) * pixels; i++) {
            for (int64_t k = 0; k < channels; k++) {
                const int64_t at = i * channels + k;
                tfopt_set_real(&call->outputs[0], at, (x[at] - mean[k]) * factor + mean[k]);
            }
        }
    }
    return TFOPT_OK;
}
