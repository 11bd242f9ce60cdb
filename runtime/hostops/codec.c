/* Images from bytes: JPEG by libjpeg, PNG by libpng, BMP by hand, and DecodeCompressed by zlib. Only models that decode
   link these libraries. Sizes are checked against what memory can hold before anything is decoded. */
#include "hostops/gif.h"
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <jpeglib.h>
#include <string.h>
#include <zlib.h>

/* A decoded image: 8 or 16 bits a channel, rows without gaps. */
typedef struct {
    int64_t frames, height, width, channels; /* frames: 0 for a still image, which has no such dimension */
    bool wide;                               /* uint16 */
    void *data;
} Image;

/* As TensorFlow has them: a few bytes that promise more pixels would take all memory. */
static const int64_t LARGEST_SIDE = INT64_C(1) << 27, MOST_PIXELS = INT64_C(1) << 29;

static bool is_too_large(const Image *image) {
    return image->height >= LARGEST_SIDE || image->width >= LARGEST_SIDE || image->height * image->width >= MOST_PIXELS;
}

static void *image_memory(TfoptHostCall *call, const Image *image) {
    if (image->height <= 0 || image->width <= 0 || is_too_large(image) || image->channels > 4) return NULL;
    return tfopt_call_alloc(call, image->height * image->width, (uint64_t)image->channels * (image->wide ? 2 : 1));
}

/* ---- JPEG */
typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf back;
    char message[JMSG_LENGTH_MAX];
} JpegError;

static void jpeg_fail(j_common_ptr info) {
    JpegError *e = (JpegError *)(void *)info->err;
    e->base.format_message(info, e->message);
    longjmp(e->back, 1);
}

static void jpeg_quiet(j_common_ptr info, int level) {
    if (level < 0) info->err->num_warnings++;
}

typedef struct {
    int channels, ratio;
    bool fancy, recover, shape_only;
    J_DCT_METHOD dct;
    const int64_t *crop; /* y, x, height, width; or NULL */
} JpegOptions;

static bool crop_fits(const int64_t *crop, int64_t height, int64_t width) {
    return crop[0] >= 0 && crop[1] >= 0 && crop[2] > 0 && crop[3] > 0 && crop[2] <= height && crop[3] <= width &&
           crop[0] <= height - crop[2] && crop[1] <= width - crop[3];
}

static int32_t decode_jpeg(TfoptHostCall *call, TfoptString s, const JpegOptions *o, Image *image) {
    struct jpeg_decompress_struct info;
    JpegError error;
    uint8_t *volatile row = NULL;
    memset(&info, 0, sizeof info);
    info.err = jpeg_std_error(&error.base);
    error.base.error_exit = jpeg_fail;
    error.base.emit_message = jpeg_quiet;
    if (setjmp(error.back)) {
        jpeg_destroy_decompress(&info);
        return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "Invalid JPEG data: %.150s", error.message);
    }
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, (const unsigned char *)s.data, (unsigned long)s.size);
    jpeg_read_header(&info, TRUE);
    const int channels = o->channels ? o->channels : info.num_components < 3 ? 1 : 3;
    const bool cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
    info.out_color_space = channels == 1 ? JCS_GRAYSCALE : cmyk ? JCS_CMYK : JCS_RGB;
    if (channels == 1 && cmyk) info.out_color_space = JCS_CMYK;
    info.do_fancy_upsampling = o->fancy;
    info.scale_num = 1;
    info.scale_denom = (unsigned)o->ratio;
    info.dct_method = o->dct;
    jpeg_calc_output_dimensions(&info);
    *image = (Image){.height = info.output_height, .width = info.output_width, .channels = channels};
    if (o->shape_only) {
        image->channels = info.num_components;
        jpeg_destroy_decompress(&info);
        return TFOPT_OK;
    }
    if (o->crop && !crop_fits(o->crop, image->height, image->width)) {
        jpeg_destroy_decompress(&info);
        return tfopt_invalid(call, "crop_window lies outside of the image");
    }
    row = tfopt_call_alloc(call, image->width, 4);
    if (o->crop) {
        image->height = o->crop[2];
        image->width = o->crop[3];
    }
    if (is_too_large(image)) {
        jpeg_destroy_decompress(&info);
        return tfopt_invalid(call, "Invalid JPEG data: the image is too large");
    }
    image->data = image_memory(call, image);
    if (!image->data || !row) {
        jpeg_destroy_decompress(&info);
        return tfopt_no_memory(call);
    }
    jpeg_start_decompress(&info);
    /* What lies outside of the window is not decoded: as in TensorFlow, chroma at its edges is upsampled without it.
       The window that libjpeg gives begins at a block, which is `margin` pixels too early. */
    int64_t margin = 0;
    if (o->crop) {
        JDIMENSION at = (JDIMENSION)o->crop[1], width = (JDIMENSION)o->crop[3];
        jpeg_crop_scanline(&info, &at, &width);
        jpeg_skip_scanlines(&info, (JDIMENSION)o->crop[0]);
        margin = o->crop[1] - (int64_t)at;
    }
    for (int64_t y = 0; y < image->height; y++) {
        uint8_t *to = (uint8_t *)image->data + y * image->width * channels;
        JSAMPROW line = o->crop || info.out_color_space == JCS_CMYK ? row : to;
        jpeg_read_scanlines(&info, &line, 1);
        line += margin * (info.out_color_space == JCS_CMYK ? 4 : channels);
        if (o->crop && info.out_color_space != JCS_CMYK) memcpy(to, line, (size_t)(image->width * channels));
        for (int64_t x = 0; info.out_color_space == JCS_CMYK && x < image->width; x++) {
            uint8_t rgb[3];
            const int k = line[4 * x + 3];
            for (int c = 0; c < 3; c++)
                rgb[c] = (uint8_t)(info.saw_Adobe_marker ? k * line[4 * x + c] / 255
                                                         : (255 - line[4 * x + c]) * (255 - k) / 255);
            if (channels == 3)
                memcpy(to + 3 * x, rgb, 3);
            else
                to[x] = (uint8_t)((rgb[0] * 299 + rgb[1] * 587 + rgb[2] * 114 + 500) / 1000);
        }
    }
    const long warnings = error.base.num_warnings;
    if (o->crop)
        jpeg_abort_decompress(&info); /* lines below the window remain */
    else
        jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    if (warnings && !o->recover) return tfopt_invalid(call, "Invalid JPEG data: it is damaged or ends too early");
    return TFOPT_OK;
}

static JpegOptions jpeg_options(const TfoptHostCall *call) {
    JpegOptions o = {.channels = (int)tfopt_call_int(call, "channels", 0),
                     .ratio = (int)tfopt_call_int(call, "ratio", 1),
                     .fancy = tfopt_call_int(call, "fancy_upscaling", 1) != 0,
                     .recover = tfopt_call_int(call, "try_recover_truncated", 0) != 0,
                     .dct = JDCT_IFAST}; /* TensorFlow's default, for DecodeImage too */
    if (tfopt_call_string_is(call, "dct_method", "INTEGER_ACCURATE")) o.dct = JDCT_ISLOW;
    return o;
}

/* ---- PNG */
typedef struct {
    const char *data;
    uint64_t left;
} PngSource;

static void png_bytes(png_structp png, png_bytep to, size_t n) {
    PngSource *s = png_get_io_ptr(png);
    if (n > s->left) png_error(png, "the data ends too early");
    memcpy(to, s->data, n);
    s->data += n;
    s->left -= n;
}

static void png_fail(png_structp png, png_const_charp text) {
    (void)text;
    png_longjmp(png, 1);
}

static void png_quiet(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static int32_t decode_png(TfoptHostCall *call, TfoptString s, const int wanted, const bool wide, Image *image) {
    PngSource source = {s.data, s.size};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, png_fail, png_quiet);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return tfopt_no_memory(call);
    }
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_read_struct(&png, &info, NULL);
        return tfopt_invalid(call, "Invalid PNG data");
    }
    png_set_read_fn(png, &source, png_bytes);
    png_read_info(png, info);
    const int type = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
    const bool alpha = type & PNG_COLOR_MASK_ALPHA, transparent = png_get_valid(png, info, PNG_INFO_tRNS) != 0,
               gray = !(type & PNG_COLOR_MASK_COLOR);
    const int channels = wanted                           ? wanted
                         : type == PNG_COLOR_TYPE_PALETTE ? (transparent ? 4 : 3)
                                                          : (int)png_get_channels(png, info);
    *image = (Image){.height = png_get_image_height(png, info),
                     .width = png_get_image_width(png, info),
                     .channels = channels,
                     .wide = wide};
    if (channels % 2 == 0) {
        if (!alpha && transparent)
            png_set_tRNS_to_alpha(png);
        else if (!alpha)
            png_set_add_alpha(png, (1u << depth) - 1, PNG_FILLER_AFTER);
    } else if (alpha || transparent) {
        png_set_strip_alpha(png);
    }
    if (depth > 8 && !wide) png_set_strip_16(png);
    png_set_packing(png);
    const int passes = png_set_interlace_handling(png);
    if (wide) png_set_swap(png);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (gray && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    if (channels < 3 && !gray) png_set_rgb_to_gray_fixed(png, 1, 29900, 58700);
    if (channels >= 3 && gray) png_set_gray_to_rgb(png);
    png_read_update_info(png, info);
    if (is_too_large(image)) {
        png_destroy_read_struct(&png, &info, NULL);
        return tfopt_invalid(call, "PNG size too large for int");
    }
    image->data = image_memory(call, image);
    const size_t row_bytes = png_get_rowbytes(png, info),
                 want = (size_t)image->width * (size_t)channels * (wide && depth > 8 ? 2 : 1);
    if (!image->data || row_bytes != want) {
        png_destroy_read_struct(&png, &info, NULL);
        return image->data ? tfopt_invalid(call, "Invalid PNG data") : tfopt_no_memory(call);
    }
    for (int pass = 0; pass < passes; pass++) {
        for (int64_t y = 0; y < image->height; y++) png_read_row(png, (png_bytep)image->data + (size_t)y * want, NULL);
    }
    png_destroy_read_struct(&png, &info, NULL);
    if (wide && depth <= 8) { /* 8 bits spread over 16, from the end on */
        const uint8_t *from = image->data;
        for (int64_t i = image->height * image->width * channels - 1; i >= 0; i--)
            ((uint16_t *)image->data)[i] = (uint16_t)(from[i] * 257);
    }
    return TFOPT_OK;
}

/* ---- BMP */
static int64_t little_endian(const char *p, int n) {
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v |= (uint64_t)(uint8_t)p[i] << (8 * i);
    return (int64_t)(int32_t)(uint32_t)v;
}

/* Gray becomes color, color gets or loses its alpha. */
static int32_t decode_bmp(TfoptHostCall *call, TfoptString s, int64_t channels, Image *image) {
    if (s.size < 32) return tfopt_invalid(call, "Incomplete bmp content");
    const int64_t start = little_endian(s.data + 10, 4), width = little_endian(s.data + 18, 4),
                  signed_height = little_endian(s.data + 22, 4), bits = little_endian(s.data + 28, 2);
    const int64_t height = signed_height < 0 ? -signed_height : signed_height, depth = bits / 8,
                  row = (width * depth + 3) / 4 * 4;
    if (channels == 0) channels = depth;
    *image = (Image){.height = height, .width = width, .channels = channels};
    if ((depth != 1 && depth != 3 && depth != 4) || (channels < 3 && channels != depth) || start < 0 || width <= 0 ||
        height <= 0 || width > LARGEST_SIDE || height > LARGEST_SIDE)
        return tfopt_invalid(call, "this kind of bmp is not supported");
    if ((uint64_t)start > s.size || (uint64_t)(row * (height - 1) + width * depth) > s.size - (uint64_t)start)
        return tfopt_invalid(call, "Incomplete bmp content");
    image->data = image_memory(call, image);
    if (!image->data) return tfopt_no_memory(call);
    uint8_t *to = image->data;
    for (int64_t y = 0; y < height; y++) {
        const uint8_t *from = (const uint8_t *)s.data + start + (signed_height < 0 ? y : height - 1 - y) * row;
        for (int64_t x = 0; x < width; x++, to += channels, from += depth) {
            const bool gray = depth == 1;
            const uint8_t pixel[4] = {from[gray ? 0 : 2], from[gray ? 0 : 1], from[0], depth > 3 ? from[3] : 255};
            memcpy(to, pixel, (size_t)channels);
        }
    }
    return TFOPT_OK;
}

/* ---- ops */

/* Where only the run tells how many dimensions there are, the result is a vector and its dims are a second one. */
static bool is_any_rank(const TfoptHostCall *call) {
    return call->n_outputs == 2;
}

static int32_t write_image(TfoptHostCall *call, const Image *image) {
    const int64_t dims[4] = {image->frames, image->height, image->width, image->channels};
    const int32_t still = image->frames == 0;
    const int64_t n = tfopt_dims_product(dims, still, 4);
    void *out = is_any_rank(call) ? tfopt_output_1d(call, 0, n) : tfopt_host_output(call, 0, 4 - still, dims + still);
    if (!out) return tfopt_no_memory(call);
    if (is_any_rank(call)) {
        int64_t *sizes = tfopt_output_1d(call, 1, 4 - still);
        if (!sizes) return tfopt_no_memory(call);
        memcpy(sizes, dims + still, (size_t)(4 - still) * sizeof *sizes);
    }
    const int32_t dtype = call->outputs[0].dtype;
    const uint8_t *narrow = image->data;
    const uint16_t *wide = image->data;
    if (dtype == TFOPT_U8 && !image->wide)
        memcpy(out, narrow, (size_t)n);
    else if (dtype == TFOPT_U16 && image->wide)
        memcpy(out, wide, (size_t)n * 2);
    else if (dtype == TFOPT_U16)
        for (int64_t i = 0; i < n; i++) ((uint16_t *)out)[i] = (uint16_t)(narrow[i] * 256);
    else if (dtype == TFOPT_F32)
        for (int64_t i = 0; i < n; i++)
            ((float *)out)[i] = image->wide ? (float)wide[i] * (1.0f / 65535.0f) : (float)narrow[i] * (1.0f / 255.0f);
    else
        return tfopt_invalid(call, "images are uint8, uint16 or float32");
    return TFOPT_OK;
}

/* An animation has a dimension more where DecodeImage is to keep it, which only its bytes tell: they must be constant,
   or nothing may follow that needs to know. */
static int32_t decode_gif(TfoptHostCall *call, TfoptString s, int channels, Image *image) {
    const TfoptAttr *expand = tfopt_call_attr(call, "expand_animations");
    const bool keep = call->outputs[0].rank == 4 || is_any_rank(call), first_only = expand && expand->v.ints[0] == 0;
    TfoptGif gif;
    if (channels != 0 && channels != 3) return tfopt_invalid(call, "channels must be 0 or 3 for GIF");
    if (expand && !first_only && !keep)
        return tfopt_invalid(call, "a GIF has four dimensions, which the model was not compiled for: use DecodeGif, or "
                                   "DecodeImage with expand_animations=False");
    const int32_t status = tfopt_gif_decode(call, s, keep ? INT64_MAX : 1, &gif);
    if (status != TFOPT_OK) return status;
    if (!expand && gif.frames != 1)
        return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT,
                               "Got %lld frames, but animated gifs can only be decoded by DecodeGif or DecodeImage",
                               (long long)gif.frames);
    *image = (Image){keep ? gif.frames : 0, gif.height, gif.width, 3, false, gif.pixels};
    return TFOPT_OK;
}

static bool is_gif(TfoptString s) {
    return s.size >= 4 && memcmp(s.data, "GIF8", 4) == 0;
}

/* Any of the known formats without animation. */
static int32_t decode_still(TfoptHostCall *call, TfoptString s, int channels, Image *image) {
    if (channels < 0 || channels > 4) return tfopt_invalid(call, "channels must be 0, 1, 3 or 4");
    if (s.size >= 3 && memcmp(s.data, "\xff\xd8\xff", 3) == 0) {
        JpegOptions o = jpeg_options(call);
        o.channels = channels;
        if (channels != 0 && channels != 1 && channels != 3)
            return tfopt_invalid(call, "channels must be 0, 1 or 3 for JPEG");
        if (o.ratio != 1 && o.ratio != 2 && o.ratio != 4 && o.ratio != 8)
            return tfopt_invalid(call, "ratio must be 1, 2, 4 or 8");
        return decode_jpeg(call, s, &o, image);
    }
    if (s.size >= 8 && memcmp(s.data, "\x89PNG\r\n\x1a\n", 8) == 0)
        return decode_png(call, s, channels, call->outputs[0].dtype != TFOPT_U8, image);
    if (s.size >= 2 && memcmp(s.data, "BM", 2) == 0) return decode_bmp(call, s, channels, image);
    return tfopt_invalid(call, "Unknown image file format. One of JPEG, PNG, GIF, BMP required.");
}

int32_t tfopt_host_decode_image(TfoptHostCall *call) {
    Image image;
    if (tfopt_elements(&call->inputs[0]) != 1) return tfopt_invalid(call, "contents must be a scalar");
    const TfoptString s = tfopt_strings(&call->inputs[0])[0];
    const int channels = (int)tfopt_call_int(call, "channels", 0);
    const int32_t status = is_gif(s) ? decode_gif(call, s, channels, &image) : decode_still(call, s, channels, &image);
    return status == TFOPT_OK ? write_image(call, &image) : status;
}

/* All frames [n, height, width, 3]; another format is one frame. */
int32_t tfopt_host_decode_gif(TfoptHostCall *call) {
    if (tfopt_elements(&call->inputs[0]) != 1 || call->inputs[0].dtype != TFOPT_STRING)
        return tfopt_invalid(call, "contents must be a scalar");
    const TfoptString s = tfopt_strings(&call->inputs[0])[0];
    Image image = {.frames = 1};
    int32_t status;
    if (is_gif(s)) {
        TfoptGif gif;
        status = tfopt_gif_decode(call, s, INT64_MAX, &gif);
        if (status == TFOPT_OK) image = (Image){gif.frames, gif.height, gif.width, 3, false, gif.pixels};
    } else {
        status = decode_still(call, s, 3, &image);
        image.frames = 1;
    }
    return status == TFOPT_OK ? write_image(call, &image) : status;
}

/* (contents, [y, x, height, width]) */
int32_t tfopt_host_decode_and_crop_jpeg(TfoptHostCall *call) {
    Image image;
    int64_t crop[4];
    JpegOptions o = jpeg_options(call);
    if (tfopt_elements(&call->inputs[0]) != 1 || tfopt_elements(&call->inputs[1]) != 4)
        return tfopt_invalid(call, "contents must be a scalar and crop_window have 4 elements");
    for (int i = 0; i < 4; i++) crop[i] = tfopt_int_at(&call->inputs[1], i);
    o.crop = crop;
    const int32_t status = decode_jpeg(call, tfopt_strings(&call->inputs[0])[0], &o, &image);
    return status == TFOPT_OK ? write_image(call, &image) : status;
}

int32_t tfopt_host_extract_jpeg_shape(TfoptHostCall *call) {
    Image image;
    const JpegOptions o = {.ratio = 1, .shape_only = true, .dct = JDCT_DEFAULT};
    if (tfopt_elements(&call->inputs[0]) != 1) return tfopt_invalid(call, "contents must be a scalar");
    const int32_t status = decode_jpeg(call, tfopt_strings(&call->inputs[0])[0], &o, &image);
    if (status != TFOPT_OK) return status;
    if (!tfopt_output_1d(call, 0, 3)) return tfopt_no_memory(call);
    tfopt_set_int(&call->outputs[0], 0, image.height);
    tfopt_set_int(&call->outputs[0], 1, image.width);
    tfopt_set_int(&call->outputs[0], 2, image.channels);
    return TFOPT_OK;
}

/* Bytes that may come of one string: what is left of a bomb after this is refused. */
enum { MOST_INFLATED = 1 << 30 };

int32_t tfopt_host_decode_compressed(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const TfoptString kind = tfopt_call_string(call, "compression_type", "");
    const bool zlib_stream = tfopt_string_equal(kind, "ZLIB"), gzip_stream = tfopt_string_equal(kind, "GZIP");
    if (kind.size && !zlib_stream && !gzip_stream)
        return tfopt_invalid(call, "compression_type must be ZLIB, GZIP or empty");
    TfoptString *out = tfopt_output_like(call, 0, t);
    if (!out) return tfopt_no_memory(call);
    for (int64_t i = 0, n = tfopt_elements(t); i < n; i++) {
        const TfoptString s = tfopt_strings(t)[i];
        TfoptText text = {.call = call};
        if (kind.size == 0) {
            tfopt_text_add(&text, s.data, s.size);
        } else if (s.size > 0) {
            char buffer[16384];
            z_stream z;
            memset(&z, 0, sizeof z);
            if (s.size > UINT32_MAX || inflateInit2(&z, gzip_stream ? 31 : 15) != Z_OK) return tfopt_no_memory(call);
            z.next_in = (Bytef *)(uintptr_t)s.data;
            z.avail_in = (uInt)s.size;
            int result = Z_OK;
            while (result == Z_OK && text.size < MOST_INFLATED && !text.failed) {
                z.next_out = (Bytef *)buffer;
                z.avail_out = sizeof buffer;
                result = inflate(&z, Z_NO_FLUSH);
                tfopt_text_add(&text, buffer, sizeof buffer - z.avail_out);
            }
            inflateEnd(&z);
            if (result != Z_STREAM_END) return tfopt_invalid(call, "the compressed data is damaged or too large");
        }
        if (text.failed) return tfopt_no_memory(call);
        out[i] = tfopt_text_take(&text);
    }
    return TFOPT_OK;
}
