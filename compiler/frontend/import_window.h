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
#endif
