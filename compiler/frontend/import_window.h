/* import_window: sliding windows of convolutions and pooling: strides, dilations and padding, read from TensorFlow's
 * attributes. */
#ifndef TFOPT_FRONTEND_IMPORT_WINDOW_H
#define TFOPT_FRONTEND_IMPORT_WINDOW_H
#include "frontend/importer.h"

typedef struct {
    int spatial; /* 1 to 3 */
    bool channels_first;
    int64_t strides[3], dilations[3];
    Dim before[3], after[3]; /* set by window_pads */
} Window;

/* data_format, strides and dilations for images of `spatial` dims. */
bool window_read(Import *c, int spatial, Window *w);
/* Splits a list of spatial + 2 numbers in data_format order into the spatial ones; the others must be 1 (what: for the
 * message). */
bool window_spatial(Import *c, const Window *w, const int64_t *list, int n, const char *what, int64_t *out);
/* Padding from attribute `padding` for these input sizes and window sizes (both spatial only). */
bool window_pads(Import *c, Window *w, const Dim *image, const int64_t *kernel);

/* ---- import_run_time_window.c: sizes that are known only when the model runs */
typedef struct {
    Dim kernel[3], stride[3]; /* at least 1 */
} RunTimeWindow;

/* Channels-last images; pads of w are set. */
ValueId run_time_max_pool(Import *c, Window *w, ValueId x, const RunTimeWindow *r);
/* As many groups as the channels make, or depthwise: filter [K…, C, M]. */
ValueId run_time_convolution(Import *c, Window *w, ValueId x, ValueId filter, bool depthwise);
/* To an image of these sizes; one group, or depthwise. */
ValueId run_time_transposed_convolution(Import *c, Window *w, ValueId dy, ValueId filter, const Dim *image,
                                        bool depthwise);
/* n blocks over dims 1.., with cells before and after each that are added or cropped. */
ValueId run_time_space_to_batch(Import *c, ValueId x, int n, const Dim *block, const Dim *pads);
ValueId run_time_batch_to_space(Import *c, ValueId x, int n, const Dim *block, const Dim *crops);
#endif
