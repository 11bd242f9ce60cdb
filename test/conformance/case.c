/* Case: case.json and the judging rules of the conformance suites. */
#include "case.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

static DType dtype_named(const char *name) {
    static const struct {
        const char *name;
        DType dtype;
    } quantised[] = {{"qint8", DTYPE_S8},    {"quint8", DTYPE_U8},  {"qint16", DTYPE_S16},
                     {"quint16", DTYPE_U16}, {"qint32", DTYPE_S32}, {"object", DTYPE_STRING}};
    for (size_t i = 0; name && i < ARRAY_LEN(quantised); i++)
        if (strcmp(name, quantised[i].name) == 0) return quantised[i].dtype;
    for (DType t = DTYPE_F32; name && t < N_DTYPES; t++)
        if (strcmp(name, dtype_info(t)->tf_name) == 0) return t;
    return DTYPE_NONE;
}

static int digit_of(int ch) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = ch ? strchr(digits, ch) : NULL;
    return p ? (int)(p - digits) : -1;
}

static void decode_base64(Tensor *t, Arena *arena) {
    StringElement *s = (StringElement *)(uintptr_t)t->data;
    for (int64_t i = 0; i < tensor_count(t); i++) {
        char *out = arena_alloc(arena, s[i].size + 1);
        uint64_t n = 0;
        uint32_t bits = 0;
        int have = 0;
        for (uint64_t k = 0; k < s[i].size && s[i].data[k] != '='; k++) {
            bits = bits << 6 | (uint32_t)digit_of(s[i].data[k]);
            have += 6;
            if (have >= 8) out[n++] = (char)(bits >> (have -= 8) & 255);
        }
        s[i] = (StringElement){out, n};
    }
}

/* The tensor that `j` describes: file, dtype, shape, encoding of strings. */
static bool read_value(Tensor *t, Arena *arena, const char *directory, const json_t *j, Diag *d) {
    const char *file = json_string_value(json_object_get(j, "file")),
               *encoding = json_string_value(json_object_get(j, "encoding"));
    const json_t *shape = json_object_get(j, "shape");
    if (!file) return diag_error(d, NULL, NULL, "%s: a tensor without a file", directory);
    if (!tensor_read(t, arena, arena_printf(arena, "%s/%s", directory, file), "",
                     dtype_named(json_string_value(json_object_get(j, "dtype"))), d))
        return false;
    int64_t count = 1, have = tensor_count(t);
    t->rank = (int)json_array_size(shape);
    for (int k = 0; k < t->rank; k++) count *= t->dims[k] = json_integer_value(json_array_get(shape, (size_t)k));
    if (count != have)
        return diag_error(d, NULL, NULL, "%s/%s holds %" PRId64 " elements, not %" PRId64, directory, file, have,
                          count);
    if (encoding && strcmp(encoding, "base64") == 0) decode_base64(t, arena);
    return true;
}

static bool read_tensors(CaseTensor **out, uint32_t *out_n, Arena *arena, const char *directory, const json_t *list,
                         Diag *d) {
    *out_n = (uint32_t)json_array_size(list);
    *out = NEW_ARRAY(arena, CaseTensor, *out_n + 1);
    for (uint32_t i = 0; i < *out_n; i++) {
        const json_t *j = json_array_get(list, i);
        CaseTensor *t = &(*out)[i];
        t->name = arena_strdup(arena, json_string_value(json_object_get(j, "name")));
        t->dtype = dtype_named(json_string_value(json_object_get(j, "dtype")));
        if (!read_value(&t->value, arena, directory, j, d)) return false;
    }
    return true;
}

static bool read_import(Case *c, Arena *arena, const json_t *j, Diag *d) {
    InputOption *inputs = NEW_ARRAY(arena, InputOption, c->n_inputs + 1);
    const char **outputs = NEW_ARRAY(arena, const char *, c->n_outputs + 1);
    for (uint32_t i = 0; i < c->n_inputs; i++) {
        inputs[i].name = c->inputs[i].name;
        inputs[i].has_value = true; /* an unknown rank comes from the value, sizes stay unknown */
        inputs[i].value.rank = c->inputs[i].value.rank;
        memcpy(inputs[i].value.dims, c->inputs[i].value.dims, sizeof inputs[i].value.dims);
    }
    for (uint32_t i = 0; i < c->n_outputs; i++) outputs[i] = c->outputs[i].name;
    const json_t *init = json_object_get(j, "init"), *tables = json_object_get(j, "tables");
    const char **init_names = NEW_ARRAY(arena, const char *, json_array_size(init) + 1);
    for (size_t i = 0; i < json_array_size(init); i++)
        init_names[i] = arena_strdup(arena, json_string_value(json_array_get(init, i)));
    c->import = (ImportOptions){.inputs = inputs,
                                .n_inputs = c->n_inputs,
                                .outputs = outputs,
                                .n_outputs = c->n_outputs,
                                .init = init_names,
                                .n_init = (uint32_t)json_array_size(init),
                                .n_tables = (uint32_t)json_array_size(tables)};
    GivenTable *given = NEW_ARRAY(arena, GivenTable, c->import.n_tables + 1);
    c->import.tables = given;
    for (uint32_t i = 0; i < c->import.n_tables; i++) {
        const json_t *t = json_array_get(tables, i);
        given[i].node = arena_strdup(arena, json_string_value(json_object_get(t, "node")));
        if (!read_value(&given[i].keys, arena, c->directory, json_object_get(t, "keys"), d) ||
            !read_value(&given[i].values, arena, c->directory, json_object_get(t, "values"), d))
            return false;
    }
    return true;
}

bool case_read(Case *c, Arena *arena, const char *directory, Diag *d) {
    json_error_t error;
    const char *path = arena_printf(arena, "%s/case.json", directory);
    json_t *j = json_load_file(path, 0, &error);
    if (!j) return diag_error(d, NULL, NULL, "%s: %s", path, error.text);
    *c = (Case){.directory = directory,
                .name = arena_strdup(arena, json_string_value(json_object_get(j, "name"))),
                .graph = arena_printf(arena, "%s/graph.pb", directory),
                .rtol = json_number_value(json_object_get(j, "rtol")),
                .atol = json_number_value(json_object_get(j, "atol")),
                .int_atol = json_number_value(json_object_get(j, "int_atol")),
                .must_fail = strcmp(json_string_value(json_object_get(j, "check")), "error") == 0,
                .shapes_only = strcmp(json_string_value(json_object_get(j, "check")), "shape") == 0};
    const json_t *ops = json_object_get(j, "live_ops");
    c->n_ops = (uint32_t)json_array_size(ops);
    c->ops = NEW_ARRAY(arena, const char *, c->n_ops + 1);
    for (uint32_t i = 0; i < c->n_ops; i++) c->ops[i] = arena_strdup(arena, json_string_value(json_array_get(ops, i)));
    bool ok = read_tensors(&c->inputs, &c->n_inputs, arena, directory, json_object_get(j, "inputs"), d) &&
              read_tensors(&c->outputs, &c->n_outputs, arena, directory, json_object_get(j, "outputs"), d) &&
              read_import(c, arena, j, d);
    json_decref(j);
    return ok;
}

static double part_of(const Tensor *t, int64_t i, int part) {
    if (t->dtype == DTYPE_C64) return (double)((const float *)t->data)[2 * i + part];
    if (t->dtype == DTYPE_C128) return ((const double *)t->data)[2 * i + part];
    return tensor_get_f64(t, i);
}

static bool number_is_right(const Case *c, const Tensor *got, const Tensor *want, int64_t i, int part, double rtol) {
    double g = part_of(got, i, part), w = part_of(want, i, part);
    if (isnan(w) || isnan(g)) return isnan(w) && isnan(g);
    if (isinf(w) || isinf(g)) return w == g;
    return fabs(g - w) <= c->atol + rtol * fabs(w);
}

bool case_judge(const Case *c, uint32_t i, const Tensor *got, char *why, size_t size) {
    const Tensor *want = &c->outputs[i].value;
    bool same_shape = got->rank == want->rank;
    for (int k = 0; same_shape && k < want->rank; k++) same_shape = got->dims[k] == want->dims[k];
    if (got->dtype != want->dtype || !same_shape) {
        int n = snprintf(why, size, "output %u is %s[", i, dtype_info(got->dtype)->text);
        for (int k = 0; k < got->rank; k++)
            n += snprintf(why + n, size - (size_t)n, "%s%" PRId64, k ? "," : "", got->dims[k]);
        n += snprintf(why + n, size - (size_t)n, "], want %s[", dtype_info(want->dtype)->text);
        for (int k = 0; k < want->rank; k++)
            n += snprintf(why + n, size - (size_t)n, "%s%" PRId64, k ? "," : "", want->dims[k]);
        snprintf(why + n, size - (size_t)n, "]");
        return false;
    }
    if (c->shapes_only) return true;
    DTypeClass class_ = dtype_info(want->dtype)->class_;
    double rtol = c->rtol;
    if (want->dtype != DTYPE_F64 && want->dtype != DTYPE_C128 && rtol < 1e-5) rtol = 1e-5;
    for (int64_t k = 0; k < tensor_count(want); k++) {
        bool right;
        if (class_ == CLASS_FLOAT || class_ == CLASS_COMPLEX) {
            right = number_is_right(c, got, want, k, 0, rtol) &&
                    (class_ == CLASS_FLOAT || number_is_right(c, got, want, k, 1, rtol));
        } else if (class_ == CLASS_BYTES) {
            const StringElement *g = (const StringElement *)got->data + k, *w = (const StringElement *)want->data + k;
            right = g->size == w->size && (g->size == 0 || memcmp(g->data, w->data, g->size) == 0);
            if (!right)
                snprintf(why, size, "output %u [%" PRId64 "] is \"%.*s\", want \"%.*s\"", i, k,
                         (int)(g->size < 40 ? g->size : 40), g->data, (int)(w->size < 40 ? w->size : 40), w->data);
            if (!right) return false;
        } else {
            int64_t g = tensor_get_i64(got, k), w = tensor_get_i64(want, k);
            right = g == w || fabs((double)g - (double)w) <= c->int_atol;
        }
        if (right) continue;
        if (class_ == CLASS_FLOAT || class_ == CLASS_COMPLEX)
            snprintf(why, size, "output %u [%" PRId64 "] is %.9g, want %.9g", i, k, part_of(got, k, 0),
                     part_of(want, k, 0));
        else
            snprintf(why, size, "output %u [%" PRId64 "] is %" PRId64 ", want %" PRId64, i, k, tensor_get_i64(got, k),
                     tensor_get_i64(want, k));
        return false;
    }
    return true;
}
