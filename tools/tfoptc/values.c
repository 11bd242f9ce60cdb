/* Values: what a model's inputs are fed with: files named by --input, or seeded numbers of moderate size. */
#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* splitmix64 (Steele, Lea, Flood 2014): the same numbers on every machine. */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool same_name(const char *port, const char *word) {
    size_t n = strlen(port), m = strlen(word);
    if (n > 2 && strcmp(port + n - 2, ":0") == 0) n -= 2;
    if (m > 2 && strcmp(word + m - 2, ":0") == 0) m -= 2;
    return n == m && memcmp(port, word, n) == 0;
}

static bool check_shape(const Tensor *t, const InputPort *p, const char *file, Diag *d) {
    bool fits = t->rank == p->rank;
    for (int i = 0; fits && i < t->rank; i++) fits = p->dims[i] < 0 || p->dims[i] == t->dims[i];
    if (fits) return true;
    Arena *scratch = arena_new();
    Str got, want;
    str_init(&got, scratch);
    str_init(&want, scratch);
    for (int i = 0; i < t->rank; i++) str_printf(&got, "%s%" PRId64, i ? "," : "", t->dims[i]);
    for (int i = 0; i < p->rank; i++) {
        if (p->dims[i] < 0)
            str_add(&want, i ? ",?" : "?");
        else
            str_printf(&want, "%s%" PRId64, i ? "," : "", p->dims[i]);
    }
    diag_error(d, NULL, NULL, "input '%s' is [%s], %s holds [%s]", p->name, str_text(&want), file, str_text(&got));
    arena_free(scratch);
    return false;
}

static bool fill(Tensor *t, const InputPort *p, int64_t limit, uint64_t *state, Arena *arena, Diag *d) {
    static const char *const words[] = {"the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog"};
    int64_t n = 1;
    for (int i = 0; i < p->rank; i++)
        if (__builtin_mul_overflow(n, t->dims[i], &n) || n > (int64_t)1 << 32)
            return diag_error(d, NULL, NULL, "input '%s' is too large to make up; give it with --input %s=FILE",
                              p->name, p->name);
    *t = tensor_new(arena, t->dtype, t->rank, t->dims);
    void *data = (void *)(uintptr_t)t->data;
    DTypeClass class_ = dtype_info(t->dtype)->class_;
    for (int64_t i = 0; i < n; i++) {
        uint64_t r = next_random(state);
        double unit = (double)(r >> 11) * 0x1p-53;
        if (class_ == CLASS_FLOAT)
            tensor_set_f64(t, i, unit * 2 - 1);
        else if (class_ == CLASS_BOOLEAN)
            tensor_set_i64(t, i, (int64_t)(r & 1));
        else if (class_ == CLASS_SINT || class_ == CLASS_UINT)
            tensor_set_i64(t, i, (int64_t)(r >> 8) % (limit > 0 && limit < 100 ? limit : limit ? limit : 100));
        else if (t->dtype == DTYPE_C64)
            ((float *)data)[2 * i] = (float)unit, ((float *)data)[2 * i + 1] = (float)(1 - unit);
        else if (t->dtype == DTYPE_C128)
            ((double *)data)[2 * i] = unit, ((double *)data)[2 * i + 1] = 1 - unit;
        else if (class_ == CLASS_BYTES)
            ((StringElement *)data)[i] =
                (StringElement){words[r % ARRAY_LEN(words)], strlen(words[r % ARRAY_LEN(words)])};
        else
            return diag_error(d, NULL, NULL, "input '%s' is a %s, which cannot be made up", p->name,
                              dtype_info(t->dtype)->tf_name);
    }
    return true;
}

bool values_make(Tensor *out, const InputPort *ports, uint32_t n, const int64_t *limits, const Options *o, Arena *arena,
                 Diag *d) {
    uint64_t state = (uint64_t)o->seed * 0x2545f4914f6cdd1du;
    const char **files = NEW_ARRAY(arena, const char *, n + 1);
    bool ok = true;
    int64_t unknown = o->batch ? strtoll(o->batch, NULL, 10) : 1;
    for (uint32_t i = 0; i < n; i++) {
        out[i] = (Tensor){.dtype = ports[i].dtype, .rank = ports[i].rank};
        for (int k = 0; k < ports[i].rank; k++)
            out[i].dims[k] = ports[i].dims[k] >= 0 ? ports[i].dims[k] : unknown > 0 ? unknown : 1;
    }
    for (uint32_t w = 0; w < o->inputs.len; w++) {
        InputWord word;
        if (!common_parse_input(&word, o->inputs.data[w], arena, d)) return false;
        bool found = !word.name;
        for (uint32_t i = 0; i < n && !word.name; i++)
            if (!files[i]) files[i] = word.file;
        for (uint32_t i = 0; i < n && !found; i++) {
            found = same_name(ports[i].name, word.name);
            if (found && word.file) files[i] = word.file;
            if (found && word.option.has_shape && word.option.shape.rank == ports[i].rank)
                for (int k = 0; k < ports[i].rank; k++)
                    if (word.option.shape.dims[k] >= 0) out[i].dims[k] = word.option.shape.dims[k];
        }
        if (!found) {
            Str names;
            str_init(&names, arena);
            for (uint32_t i = 0; i < n; i++) str_printf(&names, "%s'%s'", i ? ", " : "", ports[i].name);
            ok = diag_usage(d, "--input %s: the model has no input of that name; its inputs are %s", word.name,
                            str_text(&names));
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        if (files[i])
            ok = (image_is_file(files[i]) ? image_read(&out[i], arena, files[i], &ports[i], o, d)
                                          : tensor_read(&out[i], arena, files[i], ports[i].name, ports[i].dtype, d)) &&
                 check_shape(&out[i], &ports[i], files[i], d) && ok;
        else
            ok = fill(&out[i], &ports[i], limits ? limits[i] : 0, &state, arena, d) && ok;
    }
    return ok;
}
