/* Images to bytes: JPEG by libjpeg, PNG by libpng, with the settings of TensorFlow's encoders, so that the bytes are
   the same where the libraries are. Only models that encode link these libraries. */
#include "hostops/text.h"
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <jpeglib.h>
#include <string.h>
#include <zlib.h>

/* ---- JPEG */
typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf back;
} JpegError;

/* libjpeg's destination: a block of bytes that is added to the text when it is full. */
typedef struct {
    struct jpeg_destination_mgr base;
    TfoptText *text;
    JOCTET block[16384];
} JpegTarget;

typedef struct {
    int quality;
    bool progressive, optimize_size, chroma_downsampling;
    int density_unit, x_density, y_density;
    TfoptString metadata; /* XMP */
} JpegSettings;

static void jpeg_fail(j_common_ptr info) {
    longjmp(((JpegError *)(void *)info->err)->back, 1);
}

static void jpeg_quiet(j_common_ptr info, int level) {
    if (level < 0) info->err->num_warnings++;
}

static void target_init(j_compress_ptr info) {
    JpegTarget *t = (JpegTarget *)(void *)info->dest;
    t->base.next_output_byte = t->block;
    t->base.free_in_buffer = sizeof t->block;
}

static boolean target_empty(j_compress_ptr info) {
    JpegTarget *t = (JpegTarget *)(void *)info->dest;
    tfopt_text_add(t->text, (const char *)t->block, sizeof t->block);
    target_init(info);
    return TRUE;
}

static void target_end(j_compress_ptr info) {
    JpegTarget *t = (JpegTarget *)(void *)info->dest;
    tfopt_text_add(t->text, (const char *)t->block, sizeof t->block - t->base.free_in_buffer);
}

/* XMP lies in an APP1 marker behind the name of its name space. */
static bool write_metadata(TfoptHostCall *call, struct jpeg_compress_struct *info, TfoptString metadata) {
    static const char name_space[] = "http://ns.adobe.com/xap/1.0/";
    TfoptText packet = {.call = call};
    tfopt_text_add(&packet, name_space, sizeof name_space);
    tfopt_text_add(&packet, metadata.data, metadata.size);
    if (packet.failed) return false;
    jpeg_write_marker(info, JPEG_APP0 + 1, (const JOCTET *)packet.data, (unsigned)packet.size);
    return true;
}

static int32_t write_jpeg(TfoptHostCall *call, const TfoptTensor *image, const JpegSettings *o) {
    struct jpeg_compress_struct info;
    JpegError error;
    TfoptText text = {.call = call};
    JpegTarget *target = tfopt_call_alloc(call, 1, sizeof *target);
    const int channels = (int)image->dims[2];
    TfoptString *out = tfopt_output_scalar(call, 0);
    if (!target || !out) return tfopt_no_memory(call);
    target->base = (struct jpeg_destination_mgr){
        .init_destination = target_init, .empty_output_buffer = target_empty, .term_destination = target_end};
    target->text = &text;
    memset(&info, 0, sizeof info);
    info.err = jpeg_std_error(&error.base);
    error.base.error_exit = jpeg_fail;
    error.base.emit_message = jpeg_quiet;
    if (setjmp(error.back)) {
        jpeg_destroy_compress(&info);
        return tfopt_invalid(call, "JPEG encoding failed");
    }
    jpeg_create_compress(&info);
    info.dest = &target->base;
    info.image_height = (JDIMENSION)image->dims[0];
    info.image_width = (JDIMENSION)image->dims[1];
    info.input_components = channels;
    info.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&info);
    if (o->optimize_size) info.optimize_coding = TRUE;
    info.density_unit = (UINT8)o->density_unit;
    info.X_density = (UINT16)o->x_density;
    info.Y_density = (UINT16)o->y_density;
    jpeg_set_quality(&info, o->quality, TRUE);
    if (o->progressive) jpeg_simple_progression(&info);
    for (int i = 0; !o->chroma_downsampling && i < info.num_components; i++)
        info.comp_info[i].h_samp_factor = info.comp_info[i].v_samp_factor = 1;
    jpeg_start_compress(&info, TRUE);
    if (o->metadata.size && !write_metadata(call, &info, o->metadata)) {
        jpeg_destroy_compress(&info);
        return tfopt_no_memory(call);
    }
    const uint8_t *pixels = image->data;
    while (info.next_scanline < info.image_height) {
        JSAMPROW line = (JSAMPROW)(uintptr_t)(pixels + (int64_t)info.next_scanline * image->dims[1] * channels);
        jpeg_write_scanlines(&info, &line, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    if (text.failed) return tfopt_no_memory(call);
    *out = tfopt_text_take(&text);
    return TFOPT_OK;
}

/* Whether an image has sizes and channels that JPEG takes; 0 channels: 1 or 3. */
static int32_t check_jpeg(TfoptHostCall *call, int64_t channels) {
    const TfoptTensor *t = &call->inputs[0];
    if (t->rank != 3) return tfopt_invalid(call, "image must be 3-dimensional");
    if (t->dtype != TFOPT_U8) return tfopt_invalid(call, "image must be uint8");
    if (t->dims[0] < 1 || t->dims[1] < 1 || t->dims[0] > JPEG_MAX_DIMENSION || t->dims[1] > JPEG_MAX_DIMENSION ||
        t->dims[0] * t->dims[1] >= INT64_C(1) << 29)
        return tfopt_invalid(call, "JPEG encoding failed: the image is empty or too large");
    if (channels ? t->dims[2] != channels : t->dims[2] != 1 && t->dims[2] != 3)
        return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "image must have 1 or 3 channels and fit format, has %lld",
                               (long long)t->dims[2]);
    return TFOPT_OK;
}

int32_t tfopt_host_encode_jpeg(TfoptHostCall *call) {
    const int64_t channels = tfopt_call_string_is(call, "format", "grayscale") ? 1
                             : tfopt_call_string_is(call, "format", "rgb")     ? 3
                                                                               : 0;
    const int64_t quality = tfopt_call_int(call, "quality", 95), x = tfopt_call_int(call, "x_density", 300),
                  y = tfopt_call_int(call, "y_density", 300);
    const JpegSettings o = {.quality = (int)quality,
                            .progressive = tfopt_call_int(call, "progressive", 0) != 0,
                            .optimize_size = tfopt_call_int(call, "optimize_size", 0) != 0,
                            .chroma_downsampling = tfopt_call_int(call, "chroma_downsampling", 1) != 0,
                            .density_unit = tfopt_call_string_is(call, "density_unit", "cm") ? 2 : 1,
                            .x_density = (int)x,
                            .y_density = (int)y,
                            .metadata = tfopt_call_string(call, "xmp_metadata", "")};
    if (quality < 0 || quality > 100) return tfopt_invalid(call, "quality must be in [0,100]");
    if (x < 0 || y < 0 || x > UINT16_MAX || y > UINT16_MAX) return tfopt_invalid(call, "density is out of range");
    if (o.metadata.size > 65000) return tfopt_invalid(call, "xmp_metadata is too long for a JPEG");
    const int32_t status = check_jpeg(call, channels);
    return status == TFOPT_OK ? write_jpeg(call, &call->inputs[0], &o) : status;
}

/* (image, quality) */
int32_t tfopt_host_encode_jpeg_variable_quality(TfoptHostCall *call) {
    if (tfopt_elements(&call->inputs[1]) != 1) return tfopt_invalid(call, "quality must be a scalar");
    const int64_t quality = tfopt_int_at(&call->inputs[1], 0);
    if (quality < 0 || quality > 100) return tfopt_invalid(call, "quality must be in [0,100]");
    const JpegSettings o = {
        .quality = (int)quality, .chroma_downsampling = true, .density_unit = 1, .x_density = 300, .y_density = 300};
    const int32_t status = check_jpeg(call, 0);
    return status == TFOPT_OK ? write_jpeg(call, &call->inputs[0], &o) : status;
}

/* ---- PNG */
static void png_bytes(png_structp png, png_bytep data, size_t n) {
    tfopt_text_add(png_get_io_ptr(png), (const char *)data, n);
}

static void png_flush_nothing(png_structp png) {
    (void)png;
}

static void png_quiet(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

/* One image of [height, width, channels] pixels; false: libpng gave up. */
static bool write_png(TfoptText *text, const int64_t *dims, bool wide, int level, const void *pixels) {
    static const int types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                PNG_COLOR_TYPE_RGB_ALPHA};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, png_quiet);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info || setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        return false;
    }
    png_set_write_fn(png, text, png_bytes, png_flush_nothing);
    png_set_compression_level(png, level);
    png_set_compression_mem_level(png, MAX_MEM_LEVEL);
    png_set_IHDR(png, info, (png_uint_32)dims[1], (png_uint_32)dims[0], wide ? 16 : 8, types[dims[2] - 1],
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    if (wide) png_set_swap(png);
    const int64_t row = dims[1] * dims[2] * (wide ? 2 : 1);
    for (int64_t y = 0; y < dims[0]; y++) png_write_row(png, (png_const_bytep)pixels + y * row);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    return true;
}

/* Images [..., height, width, channels] to as many strings */
int32_t tfopt_host_encode_png(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const int64_t level = tfopt_call_int(call, "compression", -1);
    if (t->rank < 3) return tfopt_invalid(call, "image must be at least 3-dimensional");
    if (t->dtype != TFOPT_U8 && t->dtype != TFOPT_U16) return tfopt_invalid(call, "image must be uint8 or uint16");
    if (level < -1 || level > 9) return tfopt_invalid(call, "compression must be in [-1,9]");
    const int64_t *dims = t->dims + t->rank - 3;
    if (dims[2] < 1 || dims[2] > 4) return tfopt_invalid(call, "image must have 1, 2, 3, or 4 channels");
    if (dims[0] < 1 || dims[1] < 1 || dims[0] > INT32_MAX || dims[1] > INT32_MAX ||
        dims[0] * dims[1] >= INT64_C(1) << 29)
        return tfopt_invalid(call, "PNG encoding failed: the image is empty or too large");
    TfoptString *out = tfopt_host_output(call, 0, t->rank - 3, t->dims);
    if (!out) return tfopt_no_memory(call);
    const int64_t each = dims[0] * dims[1] * dims[2] * (int64_t)tfopt_dtype_bytes(t->dtype),
                  n = tfopt_dims_product(t->dims, 0, t->rank - 3);
    for (int64_t i = 0; i < n; i++) {
        TfoptText text = {.call = call};
        if (!write_png(&text, dims, t->dtype == TFOPT_U16, (int)level, (const char *)t->data + i * each))
            return tfopt_invalid(call, "PNG encoding failed");
        if (text.failed) return tfopt_no_memory(call);
        out[i] = tfopt_text_take(&text);
    }
    return TFOPT_OK;
}
