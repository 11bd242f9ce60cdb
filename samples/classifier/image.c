/* Image: libpng's simplified interface and libjpeg, and a bilinear resize. */
#include "image.h"

#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after stdio.h, which it needs */
#include <jpeglib.h>

enum { LARGEST_SIDE = 20000 };

static const char *read_png(Image *out, const char *path) {
    png_image png = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(&png, path)) return "is no readable PNG";
    if (png.width > LARGEST_SIDE || png.height > LARGEST_SIDE) return png_image_free(&png), "is too large";
    png.format = out->channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    out->width = (int)png.width;
    out->height = (int)png.height;
    out->pixels = malloc(PNG_IMAGE_SIZE(png));
    if (!out->pixels) return png_image_free(&png), "needs more memory than there is";
    if (png_image_finish_read(&png, NULL, out->pixels, 0, NULL)) return NULL;
    free(out->pixels);
    return "is a damaged PNG";
}

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf escape;
} JpegError;

static void jpeg_escape(j_common_ptr jpeg) {
    longjmp(((JpegError *)jpeg->err)->escape, 1);
}

static const char *read_jpeg(Image *out, FILE *file) {
    struct jpeg_decompress_struct jpeg;
    JpegError error;
    jpeg.err = jpeg_std_error(&error.base);
    error.base.error_exit = jpeg_escape;
    if (setjmp(error.escape)) {
        jpeg_destroy_decompress(&jpeg);
        free(out->pixels);
        return "is no readable JPEG";
    }
    jpeg_create_decompress(&jpeg);
    jpeg_stdio_src(&jpeg, file);
    jpeg_read_header(&jpeg, TRUE);
    jpeg.out_color_space = out->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(&jpeg);
    out->width = (int)jpeg.output_width;
    out->height = (int)jpeg.output_height;
    size_t row = (size_t)out->width * (size_t)out->channels;
    out->pixels = malloc(row * (size_t)out->height);
    if (!out->pixels) jpeg_escape((j_common_ptr)&jpeg);
    while (jpeg.output_scanline < jpeg.output_height) {
        JSAMPROW line = out->pixels + row * jpeg.output_scanline;
        jpeg_read_scanlines(&jpeg, &line, 1);
    }
    jpeg_finish_decompress(&jpeg);
    jpeg_destroy_decompress(&jpeg);
    return NULL;
}

const char *image_read(Image *out, const char *path, int channels) {
    *out = (Image){.channels = channels};
    FILE *file = fopen(path, "rb");
    uint8_t head[3] = {0};
    if (!file || fread(head, 1, sizeof head, file) != sizeof head) {
        if (file) fclose(file);
        return "cannot be read";
    }
    rewind(file);
    const char *problem = head[0] == 0xff && head[1] == 0xd8 ? read_jpeg(out, file) : read_png(out, path);
    fclose(file);
    return problem;
}

/* The two source pixels and the weight of the second for target pixel i. */
static void neighbours(int i, int from, int to, int *a, int *b, float *weight) {
    float at = ((float)i + 0.5f) * (float)from / (float)to - 0.5f;
    at = at < 0 ? 0 : at;
    *a = (int)at;
    *a = *a > from - 1 ? from - 1 : *a;
    *b = *a + 1 < from ? *a + 1 : *a;
    *weight = at - (float)*a;
}

void image_resize(const Image *in, int width, int height, float scale, float shift, float *out) {
    int c = in->channels;
    for (int y = 0; y < height; y++) {
        int y0, y1, x0, x1;
        float wy, wx;
        neighbours(y, in->height, height, &y0, &y1, &wy);
        for (int x = 0; x < width; x++) {
            neighbours(x, in->width, width, &x0, &x1, &wx);
            for (int k = 0; k < c; k++) {
#define PIXEL(row, column)                                                                                             \
    (float)in->pixels[((size_t)(row) * (size_t)in->width + (size_t)(column)) * (size_t)c + (size_t)k]
                float top = PIXEL(y0, x0) * (1 - wx) + PIXEL(y0, x1) * wx,
                      bottom = PIXEL(y1, x0) * (1 - wx) + PIXEL(y1, x1) * wx;
#undef PIXEL
                *out++ = (top * (1 - wy) + bottom * wy) * scale + shift;
            }
        }
    }
}
