/* values: the element types of tensors, files of them by their endings, and elements as text. */
#include "main/values.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SHOWN = 10 };

static const struct {
    const char *name, *npy;
    uint8_t bytes;
} types[TFOPT_N_DTYPES] = {
    [TFOPT_F32] = {"float32", "<f4", 4},
    [TFOPT_F64] = {"float64", "<f8", 8},
    [TFOPT_F16] = {"float16", "<f2", 2},
    [TFOPT_BF16] = {"bfloat16", "<u2", 2},
    [TFOPT_F8E4M3] = {"float8_e4m3fn", "|u1", 1},
    [TFOPT_F8E5M2] = {"float8_e5m2", "|u1", 1},
    [TFOPT_S4] = {"int4", "|i1", 1},
    [TFOPT_S8] = {"int8", "|i1", 1},
    [TFOPT_U8] = {"uint8", "|u1", 1},
    [TFOPT_S16] = {"int16", "<i2", 2},
    [TFOPT_U16] = {"uint16", "<u2", 2},
    [TFOPT_S32] = {"int32", "<i4", 4},
    [TFOPT_U32] = {"uint32", "<u4", 4},
    [TFOPT_S64] = {"int64", "<i8", 8},
    [TFOPT_U64] = {"uint64", "<u8", 8},
    [TFOPT_BOOL] = {"bool", "|b1", 1},
    [TFOPT_C64] = {"complex64", "<c8", 8},
    [TFOPT_C128] = {"complex128", "<c16", 16},
    [TFOPT_STRING] = {"string", "", sizeof(TfoptString)},
};

static bool is_type(int32_t dtype) {
    return dtype > 0 && dtype < TFOPT_N_DTYPES && types[dtype].bytes;
}
uint64_t value_element_bytes(int32_t dtype) {
    return is_type(dtype) ? types[dtype].bytes : 0;
}
const char *value_type_name(int32_t dtype) {
    return is_type(dtype) ? types[dtype].name : "?";
}
const char *value_type_npy(int32_t dtype) {
    return is_type(dtype) ? types[dtype].npy : "";
}

uint64_t value_count(const TfoptTensor *t) {
    uint64_t n = 1;
    for (int32_t d = 0; d < t->rank; d++) n *= (uint64_t)t->dims[d];
    return n;
}

bool value_bytes(const TfoptTensor *t, uint64_t *out) {
    uint64_t bytes = value_element_bytes(t->dtype);
    for (int32_t d = 0; d < t->rank; d++)
        if (t->dims[d] == 0) bytes = 0;
    for (int32_t d = 0; d < t->rank && bytes; d++)
        if (__builtin_mul_overflow(bytes, (uint64_t)t->dims[d], &bytes) || bytes > SIZE_MAX / 2) return false;
    *out = bytes;
    return true;
}

void *value_room(const TfoptTensor *t) {
    uint64_t bytes;
    return value_bytes(t, &bytes) ? aligned_alloc(64, ((size_t)bytes + 127) & ~(size_t)63) : NULL;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* All of a file; read in pieces, since it may be a pipe, which may have no end. */
static const char *read_file(const char *path, Bytes *out) {
    const size_t most = (size_t)2 << 30;
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (!f) return "cannot be opened";
    const bool endless = fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode);
    size_t size = 0, room = 1 << 16;
    uint8_t *data = malloc(room);
    while (data) {
        if (endless && size > most) {
            fclose(f);
            free(data);
            return "has no end: what is no plain file may hold 2 GiB";
        }
        size_t n = fread(data + size, 1, room - size - 1, f);
        size += n;
        if (n == 0) break;
        if (size + 1 < room) continue;
        uint8_t *grown = realloc(data, room *= 2);
        if (!grown) free(data);
        data = grown;
    }
    bool failed = ferror(f) != 0;
    fclose(f);
    if (!data) return "too large";
    if (failed) {
        free(data);
        return "cannot be read";
    }
    data[size] = 0;
    *out = (Bytes){data, size};
    return NULL;
}

const char *value_read(const char *path, const TfoptPort *port, bool shared, TfoptTensor *out) {
    static const char *const pictures[] = {".png", ".jpg", ".jpeg", ".bmp", ".gif"};
    Bytes file;
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
        if (ends_with(path, pictures[i]))
            return "is a picture; programs read .npy, .npz and .json, tfoptc run pictures";
    if (shared && !ends_with(path, ".npz")) return "holds one array, the model has several inputs: --input NAME=FILE";
    const char *wrong = read_file(path, &file);
    if (wrong) return wrong;
    if (ends_with(path, ".json")) return json_parse(file, port, out);
    if (ends_with(path, ".npz")) wrong = npz_find(file, port->name, !shared, &file);
    return wrong ? wrong : npy_parse(file, port->dtype, out);
}

const char *value_write(const char *directory, uint32_t i, const TfoptTensor *t) {
    char path[4096];
    bool strings = t->dtype == TFOPT_STRING;
    int n = snprintf(path, sizeof path, "%s/out_%" PRIu32 "%s", directory, i, strings ? ".json" : ".npy");
    if (n < 0 || (size_t)n >= sizeof path) return "the folder's name is too long";
    return strings ? json_write(path, t) : *value_type_npy(t->dtype) ? npy_write(path, t) : "holds no values";
}

static float half_to_float(uint16_t h) {
    int exponent = h >> 10 & 31;
    float mantissa = (float)(h & 1023), v = exponent == 0    ? ldexpf(mantissa, -24)
                                            : exponent == 31 ? (mantissa > 0 ? NAN : INFINITY)
                                                             : ldexpf(mantissa + 1024, exponent - 25);
    return h >> 15 ? -v : v;
}

static void print_element(const TfoptTensor *t, uint64_t i) {
    const void *p = t->data;
    union {
        uint32_t i;
        float f;
    } bits;
    switch (t->dtype) {
    case TFOPT_F32:
        printf("%.9g", (double)((const float *)p)[i]);
        break;
    case TFOPT_F64:
        printf("%.17g", ((const double *)p)[i]);
        break;
    case TFOPT_F16:
        printf("%g", (double)half_to_float(((const uint16_t *)p)[i]));
        break;
    case TFOPT_BF16:
        bits.i = (uint32_t)((const uint16_t *)p)[i] << 16;
        printf("%g", (double)bits.f);
        break;
    case TFOPT_C64:
        printf("%g%+gi", (double)((const float *)p)[2 * i], (double)((const float *)p)[2 * i + 1]);
        break;
    case TFOPT_C128:
        printf("%g%+gi", ((const double *)p)[2 * i], ((const double *)p)[2 * i + 1]);
        break;
    case TFOPT_S4:
    case TFOPT_S8:
        printf("%d", ((const int8_t *)p)[i]);
        break;
    case TFOPT_S16:
        printf("%d", ((const int16_t *)p)[i]);
        break;
    case TFOPT_U16:
        printf("%u", ((const uint16_t *)p)[i]);
        break;
    case TFOPT_S32:
        printf("%" PRId32, ((const int32_t *)p)[i]);
        break;
    case TFOPT_U32:
        printf("%" PRIu32, ((const uint32_t *)p)[i]);
        break;
    case TFOPT_S64:
        printf("%" PRId64, ((const int64_t *)p)[i]);
        break;
    case TFOPT_U64:
        printf("%" PRIu64, ((const uint64_t *)p)[i]);
        break;
    case TFOPT_STRING:
        printf("\"%.*s\"", (int)((const TfoptString *)p)[i].size, ((const TfoptString *)p)[i].data);
        break;
    default:
        printf("%u", ((const uint8_t *)p)[i]);
        break;
    }
}

void value_print(const TfoptTensor *t) {
    uint64_t n = value_count(t);
    printf("%s[", value_type_name(t->dtype));
    for (int32_t d = 0; d < t->rank; d++) printf("%s%" PRId64, d ? "," : "", t->dims[d]);
    printf("] =");
    for (uint64_t i = 0; i < n && i < SHOWN; i++) {
        printf(" ");
        print_element(t, i);
    }
    printf(n > SHOWN ? " …\n" : "\n");
}
