/* Tensor files: .npy (versions 1 to 3, C or Fortran order, little endian; NumPy's NEP 1), .npz (a zip archive of them,
   read by libzip), .json (tensor_json.c); and tensors as a line of text. */
#include "commands.h"

#include <errno.h>
#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

/* ---- .npy */

/* The text behind 'key': in the header's dictionary, or NULL. */
static const char *header_value(const char *header, const char *key) {
    const char *p = strstr(header, key);
    if (!p) return NULL;
    p += strlen(key);
    while (*p && (*p == '\'' || *p == '"' || *p == ':' || isspace((unsigned char)*p))) p++;
    return p;
}

static DType dtype_of_descr(const char *descr, size_t n) {
    for (DType t = DTYPE_F32; t < N_DTYPES; t++) {
        const char *npy = dtype_info(t)->npy;
        if (!*npy || t == DTYPE_BF16 || t == DTYPE_F8E4M3 || t == DTYPE_F8E5M2 || t == DTYPE_S4) continue;
        if (strlen(npy) == n && strncmp(npy + 1, descr + 1, n - 1) == 0 &&
            (descr[0] == '<' || descr[0] == '|' || descr[0] == '='))
            return t;
    }
    return DTYPE_NONE;
}

static void fortran_to_c(void *out, const void *in, int rank, const int64_t *dims, int64_t count, size_t element) {
    for (int64_t i = 0; i < count; i++) { /* i: C order index of out */
        int64_t rest = i, at = 0, stride = 1, index[MAX_RANK] = {0};
        for (int k = rank - 1; k >= 0; k--) {
            index[k] = rest % dims[k];
            rest /= dims[k];
        }
        for (int k = 0; k < rank; k++) {
            at += index[k] * stride;
            stride *= dims[k];
        }
        memcpy((char *)out + (size_t)i * element, (const char *)in + (size_t)at * element, element);
    }
}

static bool npy_read(Tensor *out, Arena *arena, const char *path, const FileMap *f, Diag *d) {
    const uint8_t *p = f->data;
    size_t start = 10, length;
    if (f->size < 12 || memcmp(p, "\x93NUMPY", 6) != 0 || p[6] < 1 || p[6] > 3)
        return diag_error(d, NULL, NULL, "%s is no .npy file", path);
    length = (size_t)p[8] | (size_t)p[9] << 8;
    if (p[6] >= 2) {
        length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
        start = 12;
    }
    if (length > f->size - start) return diag_error(d, NULL, NULL, "%s is truncated in its header", path);
    char *header = arena_strndup(arena, (const char *)p + start, length);
    const char *descr = header_value(header, "'descr'"), *order = header_value(header, "'fortran_order'"),
               *shape = header_value(header, "'shape'");
    if (!descr || !order || !shape || *shape != '(')
        return diag_error(d, NULL, NULL, "%s has no readable .npy header", path);
    *out = (Tensor){.dtype = dtype_of_descr(descr, strcspn(descr, "'\""))};
    if (out->dtype == DTYPE_NONE)
        return diag_error(d, NULL, NULL,
                          "%s holds elements of type '%.*s', which is not read (little-endian numbers and bool are)",
                          path, (int)strcspn(descr, "'\""), descr);
    int64_t count = 1;
    for (const char *s = shape + 1; *s && *s != ')';) {
        char *end;
        if (isspace((unsigned char)*s) || *s == ',') {
            s++;
            continue;
        }
        long long v = strtoll(s, &end, 10);
        if (end == s || v < 0 || out->rank == MAX_RANK || __builtin_mul_overflow(count, (int64_t)v, &count))
            return diag_error(d, NULL, NULL, "%s has a shape that is not read (up to %d dimensions are)", path,
                              MAX_RANK);
        out->dims[out->rank++] = v;
        s = end;
    }
    size_t element = dtype_size(out->dtype), bytes;
    if (__builtin_mul_overflow((size_t)count, element, &bytes) || bytes > f->size - start - length)
        return diag_error(d, NULL, NULL, "%s is truncated: its header promises %" PRId64 " elements", path, count);
    void *data = arena_alloc(arena, bytes + 1);
    if (strncmp(order, "True", 4) == 0)
        fortran_to_c(data, p + start + length, out->rank, out->dims, count, element);
    else if (bytes)
        memcpy(data, p + start + length, bytes);
    out->data = data;
    return true;
}

static void npy_write(const Tensor *t, Arena *arena, FILE *to) {
    Str header;
    str_init(&header, arena);
    str_printf(&header, "{'descr': '%s', 'fortran_order': False, 'shape': (", dtype_info(t->dtype)->npy);
    for (int i = 0; i < t->rank; i++)
        str_printf(&header, "%" PRId64 "%s", t->dims[i], t->rank == 1 ? "," : i + 1 < t->rank ? ", " : "");
    str_add(&header, "), }");
    while ((10 + header.len + 1) % 64) str_add(&header, " ");
    str_add(&header, "\n");
    const uint8_t magic[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)(header.len & 255), (uint8_t)(header.len >> 8)};
    fwrite(magic, 1, sizeof magic, to);
    fwrite(header.data, 1, header.len, to);
    if (tensor_bytes(t)) fwrite(t->data, 1, tensor_bytes(t), to);
}

/* ---- .npz */

/* The entry for a tensor: "<name>.npy" with or without ":0", else, with `any_name`, the only entry there is; -1 and a
   message. */
static zip_int64_t npz_entry(zip_t *zip, Arena *arena, const char *path, const char *name, bool any_name, Diag *d) {
    size_t n = strlen(name);
    if (n > 2 && strcmp(name + n - 2, ":0") == 0) n -= 2;
    const char *const names[] = {arena_printf(arena, "%s.npy", name), arena_printf(arena, "%.*s.npy", (int)n, name)};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        zip_int64_t at = zip_name_locate(zip, names[i], 0);
        if (at >= 0) return at;
    }
    zip_int64_t entries = zip_get_num_entries(zip, 0);
    if (entries == 1 && any_name) return 0;
    Str list;
    str_init(&list, arena);
    for (zip_int64_t i = 0; i < entries && i < 20; i++) {
        const char *entry = zip_get_name(zip, (zip_uint64_t)i, 0);
        str_printf(&list, "%s%s", i ? ", " : "", entry ? entry : "?");
    }
    diag_error(d, NULL, NULL, "%s has no array '%s'; its entries are %s%s", path, name, str_text(&list),
               entries > 20 ? ", …" : "");
    return -1;
}

static bool npz_read(Tensor *out, Arena *arena, const char *path, const FileMap *f, const char *name, bool any_name,
                     Diag *d) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(f->data, f->size, 0, &error);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (!zip) {
        diag_error(d, NULL, NULL, "%s is no .npz archive: %s", path, zip_error_strerror(&error));
        zip_source_free(source);
        return false;
    }
    zip_int64_t at = npz_entry(zip, arena, path, name, any_name, d);
    zip_stat_t stat;
    bool ok = at >= 0;
    if (ok && (zip_stat_index(zip, (zip_uint64_t)at, 0, &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE) ||
               stat.size / 1100 > f->size)) /* deflate shrinks by at most 1,032: more is a lie */
        ok = diag_error(d, NULL, NULL, "%s: the size of entry %lld is not believable", path, (long long)at);
    if (ok) {
        void *bytes = malloc(stat.size ? stat.size : 1);
        zip_file_t *entry = bytes ? zip_fopen_index(zip, (zip_uint64_t)at, 0) : NULL;
        if (!entry || zip_fread(entry, bytes, stat.size) != (zip_int64_t)stat.size)
            ok = diag_error(d, NULL, NULL, "%s: entry '%s' cannot be unpacked", path, stat.name);
        else
            ok = npy_read(out, arena, arena_printf(arena, "%s/%s", path, stat.name),
                          &(FileMap){.data = bytes, .size = stat.size}, d);
        if (entry) zip_fclose(entry);
        free(bytes);
    }
    zip_discard(zip);
    return ok;
}

/* ---- all */

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

bool tensor_is_file(const char *path) {
    return ends_with(path, ".npy") || ends_with(path, ".npz") || ends_with(path, ".json");
}

static bool read_any(Tensor *out, Arena *arena, const char *path, const char *name, bool any_name, DType dtype,
                     Diag *d) {
    FileMap f;
    if (!file_map(&f, arena, path, d)) return false;
    bool ok = ends_with(path, ".json")  ? tensor_json_read(out, arena, path, &f, dtype, d)
              : ends_with(path, ".npz") ? npz_read(out, arena, path, &f, name, any_name, d)
                                        : npy_read(out, arena, path, &f, d);
    file_unmap(&f);
    if (!ok || dtype == DTYPE_NONE || out->dtype == dtype) return ok;
    /* Types that NumPy lacks are stored as bit patterns of the same size; anything else is a mistake, not a conversion.
     */
    if (strcmp(dtype_info(dtype)->npy, dtype_info(out->dtype)->npy) == 0) {
        out->dtype = dtype;
        return true;
    }
    return diag_error(d, NULL, NULL, "%s holds %s, the graph wants %s", path, dtype_info(out->dtype)->tf_name,
                      dtype_info(dtype)->tf_name);
}

bool tensor_read(Tensor *out, Arena *arena, const char *path, const char *name, DType dtype, Diag *d) {
    return read_any(out, arena, path, name, true, dtype, d);
}

bool tensor_read_named(Tensor *out, Arena *arena, const char *path, const char *name, DType dtype, Diag *d) {
    if (ends_with(path, ".npz")) return read_any(out, arena, path, name, false, dtype, d);
    return diag_error(d, NULL, NULL, "%s holds one array, the model has several inputs: --input NAME=%s", path, path);
}

const char *tensor_file_name(const Tensor *t, Arena *arena, const char *directory, uint32_t i) {
    return arena_printf(arena, "%s/out_%u.%s", directory, i, t->dtype == DTYPE_STRING ? "json" : "npy");
}

static bool json_write(const Tensor *t, FILE *to, const char *path, Diag *d) {
    json_t *j = tensor_json(t);
    char *text = json_dumps(j, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    json_decref(j);
    if (!text) return diag_error(d, NULL, NULL, "cannot write %s: no memory", path);
    fputs(text, to);
    free(text);
    return true;
}

static bool finish_tensor(FileOut *f, const Tensor *t, Arena *arena, const char *path, Diag *d) {
    if (!file_create(f, arena, path, d)) return false;
    if (t->dtype != DTYPE_STRING)
        npy_write(t, arena, f->stream);
    else if (!json_write(t, f->stream, path, d))
        return false;
    return file_finish(f, false, d);
}

bool tensors_save(const Tensor *tensors, uint32_t n, Arena *arena, const char *directory, Diag *d) {
    FileOut *files = NEW_ARRAY(arena, FileOut, n + 1);
    bool ok = true;
    if (mkdir(directory, 0777) != 0 && (errno != EEXIST || !file_is_directory(directory)))
        return diag_error(d, NULL, NULL, "cannot make the folder %s: %s", directory, strerror(errno));
    for (uint32_t i = 0; ok && i < n; i++)
        ok = finish_tensor(&files[i], &tensors[i], arena, tensor_file_name(&tensors[i], arena, directory, i), d);
    for (uint32_t i = 0; ok && i < n; i++) ok = file_publish(&files[i], d);
    for (uint32_t i = 0; i < n; i++) file_discard(&files[i]);
    return ok;
}

/* The first bytes of a string: whole UTF-8 letters, and nothing that a terminal would act on. */
static void print_text(const StringElement *s, FILE *out) {
    enum { SHOWN = 60 };
    size_t n = s->size < SHOWN ? s->size : SHOWN;
    while (n < s->size && n > 0 && (s->data[n] & 0xc0) == 0x80) n--;
    fputs(" \"", out);
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s->data[i];
        fprintf(out, c < 32 || c == 127 ? "\\x%02x" : c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    fputs(n < s->size ? "…\"" : "\"", out);
}

/* The sign of a NaN says nothing. */
static void print_real(double v, int digits, FILE *out) {
    if (isnan(v))
        fputs("nan", out);
    else
        fprintf(out, "%.*g", digits, v);
}

void tensor_print_element(const Tensor *t, int64_t i, int digits, FILE *out) {
    const float *f32 = t->data;
    const double *f64 = t->data;
    const bool narrow = t->dtype == DTYPE_C64;
    if (dtype_is_float(t->dtype)) {
        print_real(tensor_get_f64(t, i), digits, out);
    } else if (dtype_info(t->dtype)->class_ == CLASS_COMPLEX) {
        print_real(narrow ? (double)f32[2 * i] : f64[2 * i], digits, out);
        fprintf(out, "%+.*gi", digits, narrow ? (double)f32[2 * i + 1] : f64[2 * i + 1]);
    } else if (t->dtype == DTYPE_U64) {
        fprintf(out, "%" PRIu64, (uint64_t)tensor_get_i64(t, i));
    } else {
        fprintf(out, "%" PRId64, tensor_get_i64(t, i));
    }
}

void tensor_print(const Tensor *t, FILE *out) {
    fprintf(out, "%s[", dtype_info(t->dtype)->tf_name);
    for (int i = 0; i < t->rank; i++) fprintf(out, "%s%" PRId64, i ? "," : "", t->dims[i]);
    fprintf(out, "]");
    int64_t count = tensor_count(t), shown = count < 10 ? count : 10;
    for (int64_t i = 0; i < shown; i++) {
        const StringElement *s = (const StringElement *)t->data + i;
        if (t->dtype == DTYPE_STRING) {
            print_text(s, out);
            continue;
        }
        fputc(' ', out);
        tensor_print_element(t, i, 6, out);
    }
    fprintf(out, "%s\n", shown < count ? " …" : "");
}
