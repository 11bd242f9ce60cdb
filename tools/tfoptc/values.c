/* Values: what a model's inputs are fed with: files named by --input, or seeded numbers of moderate size. */
#include "commands.h"

#include "base/map.h"
#include "base/nearest.h"
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
    diag_error(d, NULL, NULL, "input '%s' is [%s], %s has [%s]", p->name, str_text(&want), file, str_text(&got));
    arena_free(scratch);
    return false;
}

static bool fill(Tensor *t, const InputPort *p, uint64_t *state, Arena *arena, Diag *d) {
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
            tensor_set_i64(t, i, (int64_t)(r >> 8) % (p->index_limit > 0 ? p->index_limit : 100));
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

/* The first number of --batch for a first or so named dimension, of --dim NAME=… for a named one; -1: not asked. */
static int64_t asked_size(const InputPort *p, int k, const Options *o) {
    const char *name = p->sizes[k];
    for (uint32_t i = 0; name && i < o->dims.len; i++) {
        size_t n = strlen(name);
        if (strncmp(o->dims.data[i], name, n) == 0 && o->dims.data[i][n] == '=')
            return strtoll(o->dims.data[i] + n + 1, NULL, 10);
    }
    bool is_batch = k == 0 || (name && strcmp(name, "batch") == 0);
    return o->batch && is_batch ? strtoll(o->batch, NULL, 10) : -1;
}

/* The size of that name in the values that were given, or -1. */
static int64_t given_size(const char *name, const Tensor *values, const InputPort *ports, uint32_t n,
                          const char *const *files) {
    for (uint32_t i = 0; name && i < n; i++)
        for (int k = 0; files[i] && k < ports[i].rank; k++)
            if (ports[i].sizes[k] && strcmp(ports[i].sizes[k], name) == 0) return values[i].dims[k];
    return -1;
}

static void choose_sizes(Tensor *t, const InputPort *p, const InputOption *asked, const Tensor *values,
                         const InputPort *ports, uint32_t n, const char *const *files, const Options *o) {
    *t = (Tensor){.dtype = p->dtype, .rank = p->rank};
    for (int k = 0; k < p->rank; k++) {
        int64_t size = p->dims[k];
        if (asked && asked->has_shape && asked->shape.rank == p->rank && asked->shape.dims[k] >= 0)
            size = asked->shape.dims[k];
        if (size < 0) size = given_size(p->sizes[k], values, ports, n, files);
        if (size < 0) size = asked_size(p, k, o);
        if (size < 0) size = p->least[k] > 1 ? p->least[k] : 1;
        t->dims[k] = size;
    }
}

/* A flat list is read row by row where all sizes are known. */
static void take_shape(Tensor *t, const InputPort *p) {
    int64_t count = 1;
    if (t->rank != 1 || p->rank == 1) return;
    for (int k = 0; k < p->rank; k++)
        if (p->dims[k] < 0 || __builtin_mul_overflow(count, p->dims[k], &count)) return;
    if (count != t->dims[0]) return;
    t->rank = p->rank;
    memcpy(t->dims, p->dims, sizeof(int64_t) * (size_t)p->rank);
}

static bool is_shared(const char *file, const char *const *files, uint32_t n) {
    uint32_t times = 0;
    for (uint32_t i = 0; i < n; i++) times += files[i] == file;
    return times > 1;
}

static bool read_value(Tensor *t, const InputPort *p, const char *file, bool shared, const Options *o, Arena *arena,
                       Diag *d) {
    if (image_is_file(file)) return image_read(t, arena, file, p, o, d) && check_shape(t, p, file, d);
    if (!(shared ? tensor_read_named : tensor_read)(t, arena, file, p->name, p->dtype, d)) return false;
    size_t n = strlen(file);
    if (n > 5 && strcmp(file + n - 5, ".json") == 0) take_shape(t, p);
    return check_shape(t, p, file, d);
}

/* What the --input words say of each port: its file, and dims and type of a value that is made up. */
static bool read_words(const InputPort *ports, uint32_t n, const char **files, InputOption *asked, const Options *o,
                       Arena *arena, Diag *d) {
    const char *whole = NULL; /* a file of all inputs: for those that no other is given for */
    bool ok = true;
    for (uint32_t w = 0; w < o->inputs.len; w++) {
        InputWord word;
        if (!common_parse_input(&word, o->inputs.data[w], arena, d)) return false;
        bool found = !word.name;
        if (found && whole) ok = diag_usage(d, "--input: one file for all inputs, not %s and %s", whole, word.file);
        if (found) whole = word.file;
        for (uint32_t i = 0; i < n && !found; i++) {
            found = same_name(ports[i].name, word.name);
            if (!found) continue;
            if ((word.file && files[i]) || (word.option.has_shape && asked[i].has_shape))
                ok = diag_usage(d, "--input %s is given twice", word.name);
            if (word.file) files[i] = word.file;
            if (word.option.has_shape) asked[i] = word.option;
            if (word.option.dtype != DTYPE_NONE && word.option.dtype != ports[i].dtype)
                ok = diag_usage(d, "--input %s: the input is %s", o->inputs.data[w],
                                dtype_info(ports[i].dtype)->tf_name);
            if (word.option.has_shape && word.option.shape.rank != ports[i].rank)
                ok = diag_usage(d, "--input %s: the input has rank %d", o->inputs.data[w], ports[i].rank);
        }
        if (!found) {
            Str names;
            str_init(&names, arena);
            for (uint32_t i = 0; i < n; i++) str_printf(&names, "%s'%s'", i ? ", " : "", ports[i].name);
            Nearest near;
            nearest_init(&near, word.name);
            for (uint32_t i = 0; i < n; i++) nearest_try(&near, ports[i].name);
            ok = diag_error(d, NULL, NULL, "--input %s: the model has no input of that name%s%s%s", word.name,
                            near.best ? "" : "; its inputs are ", near.best ? "" : str_text(&names),
                            nearest_hint(&near, arena));
        }
    }
    for (uint32_t i = 0; i < n && whole; i++)
        if (!files[i]) files[i] = whole;
    bool any_picture = false;
    for (uint32_t i = 0; i < n; i++) any_picture = any_picture || (files[i] && image_is_file(files[i]));
    if (ok && !any_picture && (o->image_size || o->image_mean || o->image_scale))
        ok = diag_usage(d, "--image-%s: no input is given as a picture",
                        o->image_size   ? "size"
                        : o->image_mean ? "mean"
                                        : "scale");
    return ok;
}

/* Whether a bound of --dim or --batch is about this size. */
static bool is_about(const DimBound *b, const InputPort *p, int k) {
    const bool is_batch = strcmp(b->dim, "batch") == 0;
    return p->dims[k] < 0 && ((p->sizes[k] && strcmp(p->sizes[k], b->dim) == 0) || (is_batch && k == 0));
}

/* The unknown sizes of a model, each once: "batch, s1". */
static const char *sizes_text(const InputPort *ports, uint32_t n, Arena *arena) {
    Str text;
    Map seen;
    str_init(&text, arena);
    map_init(&seen, arena);
    for (uint32_t i = 0; i < n; i++)
        for (int k = 0; k < ports[i].rank; k++)
            if (ports[i].sizes[k] && map_add(&seen, ports[i].sizes[k], 0))
                str_printf(&text, "%s%s", text.len ? ", " : "", ports[i].sizes[k]);
    return str_text(&text);
}

/* One size that is asked of a compiled model: it must have been compiled for that, and the values that are given must
   have it. (Of a graph, the importer and the compiled code see to that.) */
static bool check_bound(const DimBound *b, const InputPort *ports, uint32_t n, const Tensor *values,
                        const char *const *files, const InputOption *asked, Arena *arena, Diag *d) {
    const bool is_batch = strcmp(b->dim, "batch") == 0;
    const char *option = is_batch ? "--batch" : arena_printf(arena, "--dim %s", b->dim);
    bool ok = true, known = false;
    for (uint32_t i = 0; i < n; i++) {
        for (int k = 0; k < ports[i].rank; k++) {
            if (!is_about(b, &ports[i], k)) continue;
            const int64_t least = ports[i].least[k], most = ports[i].most[k];
            known = true;
            if (b->min < least || (b->max > most && most > 0))
                return diag_usage(d, "%s: the model was compiled for %" PRId64 " to %" PRId64, option, least, most);
            const bool is_said = files[i] || asked[i].has_shape; /* else another input's value says it */
            if (is_said && (values[i].dims[k] < b->min || values[i].dims[k] > b->max))
                ok = diag_usage(d, "%s: dimension %d of input '%s' is %" PRId64 " in %s", option, k, ports[i].name,
                                values[i].dims[k], files[i] ? files[i] : "--input");
        }
    }
    const char *names = sizes_text(ports, n, arena);
    if (!known && !*names) return diag_usage(d, "%s: the compiled model has inputs of fixed sizes", option);
    if (!known && is_batch) return diag_usage(d, "--batch: the compiled model has inputs of fixed first sizes");
    if (!known)
        return diag_error(d, NULL, NULL, "%s: the compiled model has no unknown size of that name; it has %s", option,
                          names);
    return ok;
}

static bool check_bounds(const InputPort *ports, uint32_t n, const Tensor *values, const char *const *files,
                         const InputOption *asked, const Options *o, Arena *arena, Diag *d) {
    const DimBound *bounds;
    uint32_t n_bounds;
    bool ok = common_bounds(&bounds, &n_bounds, o, arena, d);
    for (uint32_t i = 0; ok && i < n_bounds; i++)
        ok = check_bound(&bounds[i], ports, n, values, files, asked, arena, d);
    return ok;
}

/* Answers to values that nobody gave may be taken for answers of the model: run says which these are. */
static void say_made_up(const Tensor *values, const InputPort *ports, uint32_t n, const char *const *files,
                        const InputOption *asked, const Options *o, Arena *arena, Diag *d) {
    Str text;
    uint32_t made = 0;
    str_init(&text, arena);
    if (!(o->command & RUN) && !o->expect.len) return;
    for (uint32_t i = 0; i < n; i++) {
        if (files[i] || asked[i].has_shape) continue;
        str_printf(&text, "%s'%s' %s[", made++ ? ", " : "", ports[i].name, dtype_info(ports[i].dtype)->tf_name);
        for (int k = 0; k < values[i].rank; k++) str_printf(&text, "%s%" PRId64, k ? "," : "", values[i].dims[k]);
        str_add(&text, "]");
    }
    if (made && !options_given(o, "seed"))
        diag_warning(d, NULL, NULL, "values are made up for what is not given: %s; give them with --input NAME=FILE",
                     str_text(&text));
}

bool values_make(Tensor *out, const InputPort *ports, uint32_t n, const Options *o, Arena *arena, Diag *d) {
    uint64_t state = (uint64_t)o->seed * 0x2545f4914f6cdd1du;
    const char **files = NEW_ARRAY(arena, const char *, n + 1);
    InputOption *asked = NEW_ARRAY(arena, InputOption, n + 1);
    bool ok = read_words(ports, n, files, asked, o, arena, d);
    for (uint32_t i = 0; i < n; i++)
        if (files[i] && !read_value(&out[i], &ports[i], files[i], is_shared(files[i], files, n), o, arena, d))
            ok = false;
    for (uint32_t i = 0; ok && i < n; i++)
        if (!files[i]) choose_sizes(&out[i], &ports[i], &asked[i], out, ports, n, files, o);
    if (ok && common_is_compiled(o->model)) ok = check_bounds(ports, n, out, files, asked, o, arena, d);
    for (uint32_t i = 0; ok && i < n; i++)
        if (!files[i]) ok = check_shape(&out[i], &ports[i], "--input", d) && fill(&out[i], &ports[i], &state, arena, d);
    if (ok) say_made_up(out, ports, n, files, asked, o, arena, d);
    return ok;
}
