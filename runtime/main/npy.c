/* npy: reads and writes .npy files (format: NumPy Enhancement Proposal 1). */
#include "main/npy.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *descr; /* "<f4" */
    uint8_t bytes;
} types[TFOPT_N_DTYPES] = {
    [TFOPT_F32] = {"f32", "<f4", 4},     [TFOPT_F64] = {"f64", "<f8", 8},       [TFOPT_F16] = {"f16", "<f2", 2},
    [TFOPT_BF16] = {"bf16", "<u2", 2},   [TFOPT_F8E4M3] = {"f8e4m3", "|u1", 1}, [TFOPT_F8E5M2] = {"f8e5m2", "|u1", 1},
    [TFOPT_S4] = {"s4", "|i1", 1},       [TFOPT_S8] = {"s8", "|i1", 1},         [TFOPT_U8] = {"u8", "|u1", 1},
    [TFOPT_S16] = {"s16", "<i2", 2},     [TFOPT_U16] = {"u16", "<u2", 2},       [TFOPT_S32] = {"s32", "<i4", 4},
    [TFOPT_U32] = {"u32", "<u4", 4},     [TFOPT_S64] = {"s64", "<i8", 8},       [TFOPT_U64] = {"u64", "<u8", 8},
    [TFOPT_BOOL] = {"bool", "|b1", 1},   [TFOPT_STRING] = {"string", "", 0},    [TFOPT_C64] = {"c64", "<c8", 8},
    [TFOPT_C128] = {"c128", "<c16", 16},
};

uint64_t npy_element_bytes(int32_t dtype) {
    return dtype > 0 && dtype < TFOPT_N_DTYPES ? types[dtype].bytes : 0;
}
const char *npy_type_name(int32_t dtype) {
    return dtype > 0 && dtype < TFOPT_N_DTYPES && types[dtype].name ? types[dtype].name : "?";
}

/* Header of `n` bytes: {'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), } */
static const char *parse_header(const char *header, int32_t dtype, TfoptTensor *out) {
    const char *descr = strstr(header, "'descr':"), *order = strstr(header, "'fortran_order':"),
               *shape = strstr(header, "'shape':");
    if (!descr || !order || !shape) return "no .npy header";
    descr = strchr(descr + 8, '\'');
    shape = strchr(shape, '(');
    if (!descr || !shape) return "no .npy header";
    if (strncmp(descr + 1, types[dtype].descr, strlen(types[dtype].descr)) != 0)
        return "elements of another type than the model's input";
    const char *value = order + 16;
    while (*value == ' ') value++;
    *out = (TfoptTensor){.dtype = dtype};
    for (shape++; *shape && *shape != ')';) {
        char *end;
        long long dim = strtoll(shape, &end, 10);
        if (end == shape || dim < 0 || out->rank == TFOPT_MAX_RANK) return "a shape that makes no sense";
        out->dims[out->rank++] = dim;
        shape = end + strspn(end, ", ");
    }
    return strncmp(value, "True", 4) == 0 && out->rank > 1
               ? "an array in Fortran order (np.ascontiguousarray makes it readable)"
               : NULL;
}

static const char *read_body(FILE *f, int32_t dtype, TfoptTensor *out) {
    uint8_t magic[12];
    if (fread(magic, 1, 10, f) != 10 || memcmp(magic, "\x93NUMPY", 6) != 0) return "no .npy file";
    uint32_t length = (uint32_t)(magic[8] | magic[9] << 8);
    if (magic[6] > 1) {
        if (fread(magic + 10, 1, 2, f) != 2) return "cut short";
        length |= (uint32_t)magic[10] << 16 | (uint32_t)magic[11] << 24;
    }
    char header[4096];
    if (length >= sizeof header || fread(header, 1, length, f) != length) return "cut short";
    header[length] = 0;
    const char *wrong = parse_header(header, dtype, out);
    if (wrong) return wrong;
    uint64_t bytes = types[dtype].bytes;
    for (int32_t d = 0; d < out->rank; d++)
        if (__builtin_mul_overflow(bytes, (uint64_t)out->dims[d], &bytes) || bytes > SIZE_MAX / 2) return "too large";
    out->data = aligned_alloc(64, (bytes + 127) & ~UINT64_C(63));
    if (!out->data) return "too large";
    return fread(out->data, 1, bytes, f) == bytes ? NULL : "cut short";
}

const char *npy_read(const char *path, int32_t dtype, TfoptTensor *out) {
    if (npy_element_bytes(dtype) == 0) return "this input holds no numbers";
    FILE *f = fopen(path, "rb");
    if (!f) return "cannot be opened";
    const char *wrong = read_body(f, dtype, out);
    fclose(f);
    return wrong;
}

const char *npy_write(const char *path, const TfoptTensor *t) {
    if (npy_element_bytes(t->dtype) == 0) return "this output holds no numbers";
    char header[512];
    int n =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (", types[t->dtype].descr);
    uint64_t bytes = types[t->dtype].bytes;
    for (int32_t d = 0; d < t->rank; d++) {
        n += snprintf(header + n, sizeof header - (size_t)n, "%s%" PRId64, d ? ", " : "", t->dims[d]);
        bytes *= (uint64_t)t->dims[d];
    }
    n += snprintf(header + n, sizeof header - (size_t)n, t->rank == 1 ? ",), }" : "), }");
    while ((n + 11) % 64) header[n++] = ' ';
    header[n++] = '\n';
    FILE *f = fopen(path, "wb");
    if (!f) return "cannot be written";
    uint8_t magic[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)n, (uint8_t)(n >> 8)};
    bool ok = fwrite(magic, 1, sizeof magic, f) == sizeof magic && fwrite(header, 1, (size_t)n, f) == (size_t)n;
    ok = ok && (bytes == 0 || fwrite(t->data, 1, bytes, f) == bytes);
    ok = fclose(f) == 0 && ok;
    return ok ? NULL : "cannot be written";
}
