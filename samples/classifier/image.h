/* Image: PNG and JPEG files as 8-bit pixels, resized to what a network wants. */
#ifndef IMAGE_H
#define IMAGE_H
#include <stdint.h>

typedef struct {
    int width, height, channels; /* 1 grey, 3 RGB */
    uint8_t *pixels;             /* row-major, channels interleaved; free with free() */
} Image;

/* Reads a PNG or JPEG as `channels` (1 or 3) channels; returns NULL or what went wrong. */
const char *image_read(Image *out, const char *path, int channels);
/* Bilinear resize (pixel centres at half, edges clamped) into floats: (pixel * scale) + shift. */
void image_resize(const Image *in, int width, int height, float scale, float shift, float *out);
#endif
