/* npy: NumPy's array files (NumPy Enhancement Proposal 1), in C or Fortran order, of this machine's byte order. */
#include "main/values.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What stands behind 'key': in the header's dictionary, or NULL. */
static const char *header_value(const char *header, const char *key) {
    const char *p = strstr(header, key);
    if (!p) return NULL;
    for (p += strlen(key); *p == ':' || isspace((unsigned char)*p);) p++;
    return p;
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), } */
static const char *parse_header(const char *header, int32_t dtype, TfoptTensor *out, bool *out_fortran) {
    const char *descr = header_value(header, "'descr'"), *order = header_value(header, "'fortran_order'"),
               *shape = header_value(header, "'shape'"), *want = value_type_npy(dtype);
    if (!descr || !order || !shape || *descr != '\'' || *shape != '(') return "no .npy header";
    size_t n = strcspn(++descr, "'");
    bool same_order = descr[0] == want[0] || descr[0] == '=' || descr[0] == '|';
    if (n != strlen(want) || !same_order || strncmp(descr + 1, want + 1, n - 1) != 0)
        return "elements of another type than the model's input";
    *out = (TfoptTensor){.dtype = dtype};
    for (shape++; *shape && *shape != ')';) {
        char *end;
        long long dim = strtoll(shape, &end, 10);
        if (end == shape || dim < 0 || out->rank == TFOPT_MAX_RANK) return "a shape that makes no sense";
        out->dims[out->rank++] = dim;
        shape = end + strspn(end, ", ");
    }
    *out_fortran = strncmp(order, "True", 4) == 0;
    return NULL;
}

/* From the first index running fastest to the last one. */
static void reorder(uint8_t *to, const uint8_t *from, const TfoptTensor *t, uint64_t count, size_t element) {
    uint64_t stride[TFOPT_MAX_RANK], step = 1;
    int64_t index[TFOPT_MAX_RANK] = {0};
    for (int32_t d = 0; d < t->rank; d++) {
        stride[d] = step;
        step *= (uint64_t)t->dims[d];
    }
    for (uint64_t i = 0, at = 0; i < count; i++) {
        memcpy(to + i * element, from + at * element, element);
        for (int32_t d = t->rank - 1; d >= 0; d--) {
            at += stride[d];
            if (++index[d] < t->dims[d]) break;
            at -= stride[d] * (uint64_t)t->dims[d];
            index[d] = 0;
        }
    }
}

const char *npy_parse(Bytes file, int32_t dtype, TfoptTensor *out) {
    if (!*value_type_npy(dtype)) return "this input holds no numbers: give a .json file";
    const uint8_t *p = file.data;
    if (file.size < 12 || memcmp(p, "\x93NUMPY", 6) != 0) return "no .npy file";
    size_t begin = p[6] > 1 ? 12 : 10, length = (size_t)p[8] | (size_t)p[9] << 8;
    if (p[6] > 1) length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (length > file.size - begin) return "cut short";
    char *header = malloc(length + 1);
    if (!header) return "too large";
    memcpy(header, p + begin, length);
    header[length] = 0;
    bool fortran = false;
    const char *wrong = parse_header(header, dtype, out, &fortran);
    free(header);
    if (wrong) return wrong;
    uint64_t bytes;
    if (!value_bytes(out, &bytes) || bytes > file.size - begin - length) return "cut short";
    out->data = value_room(out);
    if (!out->data) return "too large";
    uint64_t element = value_element_bytes(dtype);
    if (fortran && out->rank > 1 && bytes)
        reorder(out->data, p + begin + length, out, bytes / element, (size_t)element);
    else
        memcpy(out->data, p + begin + length, (size_t)bytes);
    return NULL;
}

const char *npy_write(const char *path, const TfoptTensor *t) {
    char header[512];
    int n =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (", value_type_npy(t->dtype));
    for (int32_t d = 0; d < t->rank; d++)
        n += snprintf(header + n, sizeof header - (size_t)n, "%s%" PRId64, d ? ", " : "", t->dims[d]);
    n += snprintf(header + n, sizeof header - (size_t)n, t->rank == 1 ? ",), }" : "), }");
    while ((n + 11) % 64) header[n++] = ' ';
    header[n++] = '\n';
    FILE *f = fopen(path, "wb");
    if (!f) return "cannot be written";
    const uint8_t magic[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)n, (uint8_t)(n >> 8)};
    size_t bytes = (size_t)(value_count(t) * value_element_bytes(t->dtype));
    bool ok = fwrite(magic, 1, sizeof magic, f) == sizeof magic && fwrite(header, 1, (size_t)n, f) == (size_t)n;
    ok = ok && (bytes == 0 || fwrite(t->data, 1, bytes, f) == bytes);
    ok = fclose(f) == 0 && ok;
    return ok ? NULL : "cannot be written";
}
