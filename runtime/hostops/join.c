/* String ops that join or cut: StringJoin, ReduceJoin, UnsortedSegmentJoin, StringSplit, StringNGrams, StringFormat. */
#include "hostops/text.h"
#include <stdio.h>
#include <math.h>
#include <string.h>

int32_t tfopt_host_string_join(TfoptHostCall *call) {
    const TfoptString separator = tfopt_call_string(call, "separator", "");
    const TfoptTensor *like = &call->inputs[0];
    for (int32_t k = 0; k < call->n_inputs; k++) {
        if (call->inputs[k].rank == 0) continue;
        if (like->rank == 0)
            like = &call->inputs[k];
        else if (!tfopt_same_dims(like, &call->inputs[k]))
            return tfopt_invalid(call, "input shapes do not match");
    }
    TfoptString *out = tfopt_output_like(call, 0, like);
    if (!out) return tfopt_no_memory(call);
    TfoptText text = {.call = call};
    for (int64_t i = 0, n = tfopt_elements(like); i < n; i++) {
        for (int32_t k = 0; k < call->n_inputs; k++) {
            const TfoptString s = tfopt_strings(&call->inputs[k])[call->inputs[k].rank ? i : 0];
            if (k) tfopt_text_add(&text, separator.data, separator.size);
            tfopt_text_add(&text, s.data, s.size);
        }
        if (text.failed) return tfopt_no_memory(call);
        out[i] = tfopt_text_take(&text);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_reduce_join(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *axes = &call->inputs[1];
    const TfoptString separator = tfopt_call_string(call, "separator", "");
    const bool keep = tfopt_call_int(call, "keep_dims", 0) != 0;
    int64_t strides[TFOPT_MAX_RANK], dims[TFOPT_MAX_RANK], stride = 1;
    int32_t order[TFOPT_MAX_RANK], n_axes = (int32_t)tfopt_elements(axes), rank = 0;
    bool reduced[TFOPT_MAX_RANK] = {false};
    for (int32_t i = t->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= t->dims[i];
    }
    if (n_axes > t->rank) return tfopt_invalid(call, "too many reduction dimensions");
    for (int32_t k = 0; k < n_axes; k++) {
        order[k] = tfopt_axis(tfopt_int_at(axes, k), t->rank);
        if (order[k] < 0 || reduced[order[k]]) return tfopt_invalid(call, "invalid reduction dimension");
        reduced[order[k]] = true;
    }
    int64_t joined = 1;
    for (int32_t k = 0; k < n_axes; k++) joined *= t->dims[order[k]];
    for (int32_t i = 0; i < t->rank; i++) {
        if (!reduced[i] || keep) dims[rank++] = reduced[i] ? 1 : t->dims[i];
    }
    TfoptString *out = tfopt_host_output(call, 0, rank, dims);
    if (!out) return tfopt_no_memory(call);
    const int64_t count = tfopt_elements(&call->outputs[0]);
    TfoptText text = {.call = call};
    for (int64_t i = 0; i < count; i++) {
        int64_t first = 0, rest = i;
        for (int32_t d = t->rank - 1; d >= 0; d--) {
            if (reduced[d]) continue;
            first += rest % t->dims[d] * strides[d];
            rest /= t->dims[d];
        }
        for (int64_t j = 0; j < joined; j++) { /* the axis given first is joined first */
            int64_t at = first;
            rest = j;
            for (int32_t k = 0; k < n_axes; k++) {
                at += rest % t->dims[order[k]] * strides[order[k]];
                rest /= t->dims[order[k]];
            }
            if (j) tfopt_text_add(&text, separator.data, separator.size);
            tfopt_text_add(&text, tfopt_strings(t)[at].data, tfopt_strings(t)[at].size);
        }
        if (text.failed) return tfopt_no_memory(call);
        out[i] = tfopt_text_take(&text);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_unsorted_segment_join(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0], *ids = &call->inputs[1];
    const TfoptString separator = tfopt_call_string(call, "separator", "");
    const int64_t segments = tfopt_int_at(&call->inputs[2], 0), rows = tfopt_elements(ids);
    if (segments < 0 || ids->rank > t->rank) return tfopt_invalid(call, "segment_ids or num_segments out of range");
    for (int32_t i = 0; i < ids->rank; i++) {
        if (ids->dims[i] != t->dims[i]) return tfopt_invalid(call, "segment_ids must be a prefix of the data's shape");
    }
    int64_t dims[TFOPT_MAX_RANK] = {segments};
    for (int32_t i = ids->rank; i < t->rank; i++) dims[i - ids->rank + 1] = t->dims[i];
    TfoptString *out = tfopt_host_output(call, 0, t->rank - ids->rank + 1, dims);
    if (!out) return tfopt_no_memory(call);
    const int64_t inner = tfopt_dims_product(t->dims, ids->rank, t->rank), count = segments * inner;
    TfoptText *texts = tfopt_call_zeroed(call, count + 1, sizeof *texts);
    if (!texts) return tfopt_no_memory(call);
    for (int64_t r = 0; r < rows; r++) {
        const int64_t id = tfopt_int_at(ids, r);
        if (id < 0 || id >= segments)
            return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "segment id %lld is not in [0, %lld)", (long long)id,
                                   (long long)segments);
        for (int64_t k = 0; k < inner; k++) {
            TfoptText *text = &texts[id * inner + k];
            const TfoptString s = tfopt_strings(t)[r * inner + k];
            text->call = call;
            if (text->size) tfopt_text_add(text, separator.data, separator.size);
            tfopt_text_add(text, s.data, s.size);
            if (text->failed) return tfopt_no_memory(call);
        }
    }
    for (int64_t i = 0; i < count; i++) out[i] = tfopt_text_take(&texts[i]);
    return TFOPT_OK;
}

/* ---- splitting: a sparse [n, longest] tensor */
typedef struct {
    TfoptHostCall *call;
    TfoptString *parts;
    int64_t *rows;
    int64_t n, capacity;
    TfoptText text; /* what the parts are made in */
} Parts;

/* The part is what has been added to the text. */
static bool take_part(Parts *p, int64_t row) {
    if (p->n == p->capacity) {
        const int64_t capacity = p->capacity ? p->capacity * 2 : 64;
        TfoptString *parts = tfopt_call_alloc(p->call, capacity, sizeof *parts);
        int64_t *rows = tfopt_call_alloc(p->call, capacity, sizeof *rows);
        if (!parts || !rows) return false;
        if (p->n) {
            memcpy(parts, p->parts, (size_t)p->n * sizeof *parts);
            memcpy(rows, p->rows, (size_t)p->n * sizeof *rows);
        }
        p->parts = parts;
        p->rows = rows;
        p->capacity = capacity;
    }
    p->rows[p->n] = row;
    p->parts[p->n++] = tfopt_text_take(&p->text);
    return !p->text.failed;
}

static bool add_part(Parts *p, int64_t row, const char *data, uint64_t size) {
    tfopt_text_add(&p->text, data, size);
    return take_part(p, row);
}

static int32_t sparse_parts(TfoptHostCall *call, const Parts *p, int64_t rows) {
    const int64_t dims[2] = {p->n, 2};
    int64_t *indices = tfopt_host_output(call, 0, 2, dims), *shape = tfopt_output_1d(call, 2, 2), longest = 0;
    TfoptString *values = tfopt_output_1d(call, 1, p->n);
    if (!indices || !values || !shape) return tfopt_no_memory(call);
    for (int64_t i = 0, column = 0; i < p->n; i++) {
        column = i && p->rows[i] == p->rows[i - 1] ? column + 1 : 0;
        indices[2 * i] = p->rows[i];
        indices[2 * i + 1] = column;
        values[i] = p->parts[i];
        if (column + 1 > longest) longest = column + 1;
    }
    shape[0] = rows;
    shape[1] = longest;
    return TFOPT_OK;
}

/* V1: every character of the delimiter cuts; an empty delimiter cuts between all bytes. */
int32_t tfopt_host_string_split(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const TfoptString delimiter = tfopt_strings(&call->inputs[1])[0];
    const bool skip_empty = tfopt_call_int(call, "skip_empty", 1) != 0;
    Parts p = {.call = call, .text = {.call = call}};
    const int64_t rows = tfopt_elements(t);
    for (int64_t r = 0; r < rows; r++) {
        const TfoptString s = tfopt_strings(t)[r];
        uint64_t start = 0;
        if (s.size == 0) continue; /* no part, not an empty one */
        for (uint64_t i = 0; i <= s.size; i++) {
            if (delimiter.size == 0) {
                if (i < s.size && !add_part(&p, r, s.data + i, 1)) return tfopt_no_memory(call);
                continue;
            }
            if (i < s.size && !memchr(delimiter.data, s.data[i], delimiter.size)) continue;
            if ((i > start || !skip_empty) && !add_part(&p, r, s.data + start, i - start)) return tfopt_no_memory(call);
            start = i + 1;
        }
    }
    return sparse_parts(call, &p, rows);
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* V2, as Python's str.split; but with white space to cut at, what is left after the last cut allowed is a part even
   when it is empty. */
int32_t tfopt_host_string_split_v2(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const TfoptString separator = tfopt_strings(&call->inputs[1])[0];
    const int64_t most = tfopt_call_int(call, "maxsplit", -1), rows = tfopt_elements(t);
    Parts p = {.call = call, .text = {.call = call}};
    for (int64_t r = 0; r < rows; r++) {
        const TfoptString s = tfopt_strings(t)[r];
        int64_t cuts = 0;
        uint64_t at = 0;
        if (separator.size == 0 && most != 0) {
            while (at < s.size && is_space(s.data[at])) at++;
            while (at < s.size && (most < 0 || cuts < most)) {
                uint64_t end = at;
                while (end < s.size && !is_space(s.data[end])) end++;
                if (!add_part(&p, r, s.data + at, end - at)) return tfopt_no_memory(call);
                for (at = end; at < s.size && is_space(s.data[at]);) at++;
                cuts++;
            }
            if (cuts == most && !add_part(&p, r, s.data + at, s.size - at)) return tfopt_no_memory(call);
            continue;
        }
        for (;;) {
            const char *found =
                most >= 0 && cuts >= most ? NULL : memmem(s.data + at, s.size - at, separator.data, separator.size);
            const uint64_t end = found ? (uint64_t)(found - s.data) : s.size;
            if (!add_part(&p, r, s.data + at, end - at)) return tfopt_no_memory(call);
            if (!found) break;
            at = end + separator.size;
            cuts++;
        }
    }
    return sparse_parts(call, &p, rows);
}

/* ---- n-grams of ragged rows */
int32_t tfopt_host_string_ngrams(TfoptHostCall *call) {
    const TfoptTensor *data = &call->inputs[0], *splits = &call->inputs[1];
    const TfoptString separator = tfopt_call_string(call, "separator", ""),
                      left = tfopt_call_string(call, "left_pad", ""), right = tfopt_call_string(call, "right_pad", "");
    const TfoptAttr *widths = tfopt_call_attr(call, "ngram_widths");
    const int64_t pad_width = tfopt_call_int(call, "pad_width", 0), rows = tfopt_elements(splits) - 1;
    const bool preserve = tfopt_call_int(call, "preserve_short_sequences", 0) != 0;
    if (!widths || widths->kind != TFOPT_ATTR_INTS || rows < 0)
        return tfopt_invalid(call, "ngram_widths and data_splits are needed");
    if (!tfopt_output_1d(call, 1, rows + 1)) return tfopt_no_memory(call);
    Parts p = {.call = call, .text = {.call = call}};
    tfopt_set_int(&call->outputs[1], 0, 0);
    for (int64_t r = 0; r < rows; r++) {
        const int64_t first = tfopt_int_at(splits, r), length = tfopt_int_at(splits, r + 1) - first;
        if (first < 0 || length < 0 || first + length > tfopt_elements(data))
            return tfopt_invalid(call, "data_splits out of range");
        const int64_t before = p.n;
        for (int32_t w = 0; w <= widths->n; w++) {
            int64_t width = w < widths->n ? widths->v.ints[w] : length + 2 * pad_width;
            /* A row too short for any n-gram may be kept whole. */
            if (w == widths->n && (!preserve || p.n != before || length == 0)) break;
            if (width < 1) return tfopt_invalid(call, "ngram_widths must be positive");
            int64_t pad = w == widths->n          ? pad_width
                          : pad_width < 0         ? width - 1
                          : pad_width < width - 1 ? pad_width
                                                  : width - 1;
            if (w == widths->n) {
                if (pad_width < 0) break;
                pad = pad_width;
                width = length + 2 * pad;
            }
            for (int64_t start = 0; start + width <= length + 2 * pad; start++) {
                for (int64_t k = start; k < start + width; k++) {
                    const TfoptString s = k < pad             ? left
                                          : k >= pad + length ? right
                                                              : tfopt_strings(data)[first + k - pad];
                    if (k > start) tfopt_text_add(&p.text, separator.data, separator.size);
                    tfopt_text_add(&p.text, s.data, s.size);
                }
                if (!take_part(&p, r)) return tfopt_no_memory(call);
            }
        }
        tfopt_set_int(&call->outputs[1], r + 1, p.n);
    }
    TfoptString *out = tfopt_output_1d(call, 0, p.n);
    if (!out) return tfopt_no_memory(call);
    if (p.n) memcpy(out, p.parts, (size_t)p.n * sizeof *out);
    return TFOPT_OK;
}

/* ---- StringFormat: tensors as Python prints them, `summarize` elements at each end of a dimension */
/* As C writes it; UTF-8 stays. */
static void print_escaped(TfoptText *out, TfoptString s) {
    static const char plain[] = "\n\r\t\"\'\\", letters[] = "nrt\"\'\\";
    for (uint64_t i = 0; i < s.size; i++) {
        const char c = s.data[i];
        const char *known = c ? strchr(plain, c) : NULL;
        if (known)
            tfopt_text_print(out, "\\%c", letters[known - plain]);
        else if ((uint8_t)c < 0x20 || c == 0x7f)
            tfopt_text_print(out, "\\%03o", (unsigned)(uint8_t)c);
        else
            tfopt_text_char(out, c);
    }
}

static void print_element(TfoptText *out, const TfoptTensor *t, int64_t i) {
    if (t->dtype == TFOPT_STRING) {
        const TfoptString s = tfopt_strings(t)[i];
        tfopt_text_char(out, '"');
        print_escaped(out, s);
        tfopt_text_char(out, '"');
    } else if (t->dtype == TFOPT_BOOL) {
        tfopt_text_print(out, "%d", (int)tfopt_int_at(t, i));
    } else if (tfopt_is_float_type(t->dtype)) {
        /* The digits that always survive, or where they do not read back the same, as many as the type may need. */
        const bool wide = t->dtype == TFOPT_F64;
        char number[64];
        const double v = tfopt_real_at(t, i);
        double back = 0;
        snprintf(number, sizeof number, "%.*g", wide ? 15 : 6, v);
        sscanf(number, "%lf", &back);
        if (isnan(v))
            tfopt_text_print(out, "nan");
        else if (wide ? back == v : (float)back == (float)v)
            tfopt_text_print(out, "%s", number);
        else
            tfopt_text_print(out, "%.*g", wide ? 17 : 9, v);
    } else if (t->dtype == TFOPT_U64) {
        tfopt_text_print(out, "%llu", (unsigned long long)tfopt_int_at(t, i));
    } else {
        tfopt_text_print(out, "%lld", (long long)tfopt_int_at(t, i));
    }
}

static void print_tensor(TfoptText *out, const TfoptTensor *t, int32_t dim, int64_t first, int64_t summarize) {
    if (dim == t->rank) {
        print_element(out, t, first);
        return;
    }
    const int64_t n = t->dims[dim], inner = tfopt_dims_product(t->dims, dim + 1, t->rank);
    tfopt_text_char(out, '[');
    for (int64_t i = 0; i < n; i++) {
        const bool hidden = summarize >= 0 && n > 2 * summarize && i >= summarize && i < n - summarize;
        if (hidden && i > summarize) continue;
        if (i > 0) {
            /* Blank lines and indentation between the parts of outer dimensions. */
            for (int32_t k = dim + 1; k < t->rank; k++) tfopt_text_char(out, '\n');
            for (int32_t k = 0; k <= dim && dim + 1 < t->rank; k++) tfopt_text_char(out, ' ');
            if (dim + 1 == t->rank) tfopt_text_char(out, ' ');
        }
        if (hidden)
            tfopt_text_print(out, "...");
        else
            print_tensor(out, t, dim + 1, first + i * inner, summarize);
    }
    tfopt_text_char(out, ']');
}

int32_t tfopt_host_string_format(TfoptHostCall *call) {
    const TfoptString template = tfopt_call_string(call, "template", "%s"),
                      placeholder = tfopt_call_string(call, "placeholder", "%s");
    const int64_t summarize = tfopt_call_int(call, "summarize", 3);
    TfoptText text = {.call = call};
    int32_t next = 0;
    uint64_t at = 0;
    while (at < template.size) {
        if (placeholder.size && next < call->n_inputs && template.size - at >= placeholder.size &&
            memcmp(template.data + at, placeholder.data, placeholder.size) == 0) {
            print_tensor(&text, &call->inputs[next++], 0, 0, summarize);
            at += placeholder.size;
        } else {
            tfopt_text_char(&text, template.data[at++]);
        }
    }
    TfoptString *out = tfopt_output_scalar(call, 0);
    if (!out || text.failed) return tfopt_no_memory(call);
    *out = tfopt_text_take(&text);
    return TFOPT_OK;
}
