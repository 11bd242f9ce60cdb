/* DrawBoundingBoxes: one pixel wide frames in the colours given, or in TensorFlow's ten. */
#include "hostops/host.h"
#include <string.h>

static const float default_colors[10][4] = {{1, 1, 0, 1},       {0, 0, 1, 1},       {1, 0, 0, 1},    {0, 1, 0, 1},
                                            {0.5f, 0, 0.5f, 1}, {0.5f, 0.5f, 0, 1}, {0.5f, 0, 0, 1}, {0, 0, 0.5f, 1},
                                            {0, 1, 1, 1},       {1, 0, 1, 1}};

/* (images [batch, h, w, depth], boxes [batch, n, 4][, colors]) */
int32_t tfopt_host_draw_bounding_boxes(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *boxes = &call->inputs[1],
                      *colors = call->n_inputs > 2 ? &call->inputs[2] : NULL;
    if (t->rank != 4 || boxes->rank != 3 || boxes->dims[0] != t->dims[0] || boxes->dims[2] != 4)
        return tfopt_invalid(call, "images must be [batch, h, w, depth] and boxes [batch, n, 4]");
    const int64_t h = t->dims[1], w = t->dims[2], depth = t->dims[3], n = boxes->dims[1];
    if (h < 1 || w < 1 || h > INT32_MAX || w > INT32_MAX) return tfopt_invalid(call, "images are empty or too large");
    const bool given = colors && tfopt_elements(colors) > 0;
    if (given && (colors->rank != 2 || colors->dims[1] < depth))
        return tfopt_invalid(call, "colors must have a value for each channel");
    if (!given && depth > 4) return tfopt_invalid(call, "images have more than 4 channels");
    const int64_t n_colors = given ? colors->dims[0] : 10;
    void *out = tfopt_output_like(call, 0, t);
    if (!out) return tfopt_no_memory(call);
    if (tfopt_elements(t)) memcpy(out, t->data, (size_t)tfopt_elements(t) * tfopt_dtype_bytes(t->dtype));
    for (int64_t b = 0; b < boxes->dims[0]; b++) {
        for (int64_t i = 0; i < n; i++) {
            int64_t edge[4]; /* top, left, bottom, right */
            bool good = true;
            for (int k = 0; k < 4; k++) {
                const float v = (float)tfopt_real_at(boxes, (b * n + i) * 4 + k) * (float)((k % 2 ? w : h) - 1);
                good = good && v > -1e9f && v < 1e9f;
                edge[k] = good ? (int64_t)v : 0;
            }
            if (!good || edge[0] > edge[2] || edge[1] > edge[3] || edge[0] >= h || edge[2] < 0 || edge[1] >= w ||
                edge[3] < 0)
                continue;
            const int64_t top = edge[0] > 0 ? edge[0] : 0, left = edge[1] > 0 ? edge[1] : 0,
                          bottom = edge[2] < h ? edge[2] : h - 1, right = edge[3] < w ? edge[3] : w - 1;
            for (int64_t y = top; y <= bottom; y++) {
                for (int64_t x = left; x <= right; x++) {
                    if (y != edge[0] && y != edge[2] && x != edge[1] && x != edge[3]) continue;
                    for (int64_t c = 0; c < depth; c++) {
                        const double v = given ? tfopt_real_at(colors, i % n_colors * colors->dims[1] + c)
                                               : (double)default_colors[i % 10][c];
                        tfopt_set_real(&call->outputs[0], ((b * h + y) * w + x) * depth + c, v);
                    }
                }
            }
        }
    }
    return TFOPT_OK;
}
