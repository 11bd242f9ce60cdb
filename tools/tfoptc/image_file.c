/* Image files as inputs: PNG, JPEG, BMP and GIF, decoded and resized the way a graph would do it: a small GraphDef with
   DecodeImage and ResizeBilinear goes through the importer and the reference evaluator. Pixels are 0..255;
   --image-size,
   --image-mean and --image-scale say otherwise. */
#include "commands.h"

#include "ref/ref.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool image_is_file(const char *path) {
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".bmp", ".gif"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < ARRAY_LEN(endings); i++)
        if (strcasecmp(dot, endings[i]) == 0) return true;
    return false;
}

/* "1" or "1,2,3" numbers for the channels; one number serves all. */
static bool parse_channels(double *out, int channels, const char *option, const char *text, Diag *d) {
    int n = 0;
    for (const char *p = text; n < channels; n++) {
        char *end;
        out[n] = strtod(p, &end);
        if (end == p || (*end && *end != ',') || !(fabs(out[n]) < 1e30)) break;
        p = *end ? end + 1 : end;
        if (*p) continue;
        if (++n == 1)
            for (; n < channels; n++) out[n] = out[0];
        if (n == channels) return true;
        break;
    }
    return diag_usage(d, "%s wants one number, or %d of them (one a channel), not '%s'", option, channels, text);
}

/* The size to resize to: --image-size WIDTHxHEIGHT or SIDE, what the input says, or 0 = as the file is. */
static bool target_size(int64_t *height, int64_t *width, const Options *o, Diag *d) {
    if (!o->image_size) return true;
    char *end;
    long long w = strtoll(o->image_size, &end, 10), h = w;
    if (*end == 'x') h = strtoll(end + 1, &end, 10);
    if (*end || w < 1 || h < 1 || w > 1 << 16 || h > 1 << 16)
        return diag_usage(d, "--image-size wants WIDTHxHEIGHT or one side, as in 224x224, not '%s'", o->image_size);
    if ((*height > 0 && *height != h) || (*width > 0 && *width != w))
        return diag_usage(d, "--image-size %s: the input is %" PRId64 " wide and %" PRId64 " high", o->image_size,
                          *width, *height);
    *height = h;
    *width = w;
    return true;
}

static void add_constant(Str *s, const char *name, const char *type, const char *field, int n, const double *values) {
    str_printf(s,
               "node { name: '%s' op: 'Const' attr { key: 'dtype' value { type: %s } } attr { key: 'value' value { "
               "tensor { dtype: %s tensor_shape { dim { size: %d } }",
               name, type, type, n);
    for (int i = 0; i < n; i++) str_printf(s, " %s: %.17g", field, values[i]);
    str_add(s, " } } } }\n");
}

/* bytes → decoded → f32 [1,height,width,channels] → resized → (pixel - mean) * scale → the input's type. */
static const char *graph_text(Arena *arena, int channels, int64_t height, int64_t width, const double *mean,
                              const double *scale, DType dtype) {
    Str s;
    str_init(&s, arena);
    str_printf(&s,
               "versions { producer: 27 } node { name: 'file' op: 'Placeholder' attr { key: 'dtype' value { type: "
               "DT_STRING } } attr { key: "
               "'shape' value { shape { } } } }\n"
               "node { name: 'pixels' op: 'DecodeImage' input: 'file' attr { key: 'channels' value { i: %d } } attr { "
               "key: 'expand_animations' value { b: false } } }\n"
               "node { name: 'rows' op: 'Cast' input: 'pixels' attr { key: 'SrcT' value { type: DT_UINT8 } } attr { "
               "key: 'DstT' value { type: DT_FLOAT } } }\n",
               channels);
    str_add(&s, "node { name: 'zero' op: 'Const' attr { key: 'dtype' value { type: DT_INT32 } } attr { key: 'value' "
                "value { tensor { dtype: DT_INT32 tensor_shape { } int_val: 0 } } } }\n"
                "node { name: 'image' op: 'ExpandDims' input: 'rows' input: 'zero' attr { key: 'T' value { type: "
                "DT_FLOAT } } }\n");
    const char *last = "image";
    if (height > 0) {
        add_constant(&s, "size", "DT_INT32", "int_val", 2, (double[]){(double)height, (double)width});
        str_add(&s, "node { name: 'resized' op: 'ResizeBilinear' input: 'image' input: 'size' attr { key: 'T' value { "
                    "type: DT_FLOAT } } attr { key: 'half_pixel_centers' value { b: true } } }\n");
        last = "resized";
    }
    add_constant(&s, "mean", "DT_FLOAT", "float_val", channels, mean);
    add_constant(&s, "scale", "DT_FLOAT", "float_val", channels, scale);
    str_printf(&s,
               "node { name: 'centred' op: 'Sub' input: '%s' input: 'mean' attr { key: 'T' value { type: DT_FLOAT } } "
               "}\nnode { name: 'scaled' op: 'Mul' input: 'centred' input: 'scale' attr { key: 'T' value { type: "
               "DT_FLOAT } } }\n",
               last);
    last = "scaled";
    if (!dtype_is_float(dtype)) { /* whole pixels: to nearest */
        str_add(&s, "node { name: 'rounded' op: 'Rint' input: 'scaled' attr { key: 'T' value { type: DT_FLOAT } } }\n");
        last = "rounded";
    }
    str_printf(&s,
               "node { name: 'value' op: 'Cast' input: '%s' attr { key: 'SrcT' value { type: DT_FLOAT } } attr { key: "
               "'DstT' value { type: %d } } }\n",
               last, dtype_info(dtype)->tf);
    return str_text(&s);
}

bool image_read(Tensor *out, Arena *arena, const char *path, const InputPort *port, const Options *o, Diag *d) {
    FileMap f;
    if (port->dtype == DTYPE_STRING) { /* the graph decodes it: the bytes are the value */
        if (!file_map(&f, arena, path, d)) return false;
        StringElement *bytes = NEW(arena, StringElement);
        *bytes = (StringElement){arena_memdup(arena, f.data, f.size), f.size};
        *out = (Tensor){.dtype = DTYPE_STRING, .rank = port->rank, .data = bytes};
        for (int i = 0; i < port->rank; i++) out->dims[i] = 1;
        file_unmap(&f);
        return true;
    }
    int rank = port->rank;
    const int64_t *dims = port->dims;
    if ((rank != 3 && rank != 4) || dtype_info(port->dtype)->class_ == CLASS_COMPLEX)
        return diag_error(d, NULL, NULL, "input '%s' is no image [batch,height,width,channels]: %s cannot be its value",
                          port->name, path);
    const int64_t *image = dims + rank - 3;
    int channels = image[2] == 1 ? 1 : image[2] == 4 ? 4 : 3;
    if ((image[2] >= 0 && image[2] != channels) || (rank == 4 && dims[0] > 1))
        return diag_error(d, NULL, NULL,
                          "input '%s' wants %s; one image of 1, 3 or 4 channels in the last dimension is what %s gives",
                          port->name, rank == 4 && dims[0] > 1 ? "a batch" : "other channels", path);
    double mean[4] = {0}, scale[4] = {1, 1, 1, 1};
    int64_t height = image[0], width = image[1];
    if ((o->image_mean && !parse_channels(mean, channels, "--image-mean", o->image_mean, d)) ||
        (o->image_scale && !parse_channels(scale, channels, "--image-scale", o->image_scale, d)) ||
        !target_size(&height, &width, o, d))
        return false;
    if (height < 0 || width < 0) height = width = 0;
    const char *text = graph_text(arena, channels, height, width, mean, scale, port->dtype);
    TfGraph *tf = tf_read_bytes(arena, text, strlen(text), path, d);
    ImportOptions import = {.outputs = (const char *const[]){"value"}, .n_outputs = 1};
    Graph *g = tf ? import_graph(arena, tf, &import, d) : NULL;
    if (!g || !file_map(&f, arena, path, d)) return false;
    StringElement bytes = {(const char *)f.data, f.size};
    Tensor in = {.dtype = DTYPE_STRING, .data = &bytes};
    RefSession *session = ref_open(g);
    bool ok = ref_run(session, &in, out, arena, d) || diag_error(d, NULL, NULL, "%s is no readable image", path);
    ref_close(session);
    file_unmap(&f);
    if (ok && rank == 3) {
        out->rank = 3;
        memmove(out->dims, out->dims + 1, 3 * sizeof out->dims[0]);
    }
    return ok;
}
