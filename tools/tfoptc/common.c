/* Common: from the option words to what the driver wants. */
#include "commands.h"

#include "driver/op_library.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_THREADS = 1024 };

bool common_is_compiled(const char *path) {
    char magic[4] = {0};
    FILE *f = file_is_plain(path) ? fopen(path, "rb") : NULL;
    if (!f) return false;
    size_t n = fread(magic, 1, sizeof magic, f);
    fclose(f);
    return n == 4 && memcmp(magic,
                            "\x7f"
                            "ELF",
                            4) == 0;
}

const char *common_memory(const Program *p) {
    if (p->is_static) return "static";
    for (uint32_t i = 0; i < p->buffers.len; i++)
        if (p->buffers.data[i].kind == BUFFER_POOL) return "grows";
    return "bound";
}

const char *common_memory_text(const char *kind) {
    return strcmp(kind, "static") == 0  ? "static"
           : strcmp(kind, "bound") == 0 ? "static once the sizes of the inputs are known"
                                        : "grows while running, in a pool of the session";
}

int common_width(const char *name) {
    int n = 0;
    for (; *name; name++) n += (*name & 0xc0) != 0x80;
    return n;
}

void common_print_name(const char *name, int width) {
    for (const char *c = name; *c; c++) putchar((unsigned char)*c < 32 || *c == 127 ? '?' : *c);
    printf("%*s", width > common_width(name) ? width - common_width(name) : 0, "");
}

/* One line on a terminal, overwritten as the work goes on. */
static bool show_progress(const char *what, double fraction) {
    fprintf(stderr, "\r\033[K%3.0f %% %s", fraction * 100, what);
    if (fraction >= 1) fputs("\r\033[K", stderr);
    return true;
}

ProgressFn *common_progress(const Options *o) {
    return isatty(STDERR_FILENO) && !o->quiet ? show_progress : NULL;
}

/* "1,224,-1,n": dims, nothing for a scalar; a word is the name of an unknown dim. False when the text is no list of
 * dims (then it is a file name). */
static bool parse_dims(InputOption *o, const char *text, Arena *arena) {
    o->has_shape = true;
    o->shape.rank = 0;
    if (!*text || strcmp(text, "[]") == 0 || strcmp(text, "scalar") == 0) return true;
    for (const char *p = text; o->shape.rank < MAX_RANK;) {
        size_t n = strcspn(p, ",x");
        char *end, *word = arena_strndup(arena, p, n);
        long long v = strtoll(word, &end, 10);
        int at = o->shape.rank++;
        if (n && !*end && v >= -1) {
            o->shape.dims[at] = v;
        } else if (strcmp(word, "?") == 0) {
            o->shape.dims[at] = -1;
        } else if (n && (isalpha((unsigned char)word[0]) || word[0] == '_') &&
                   word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == 0) {
            o->shape.dims[at] = -1;
            o->dim_names[at] = word;
        } else {
            return false;
        }
        p += n;
        if (!*p) return true;
        p++;
    }
    return false;
}

bool common_parse_input(InputWord *w, const char *text, Arena *arena, Diag *d) {
    *w = (InputWord){0};
    const char *equals = strchr(text, '=');
    if (!equals && tensor_is_file(text)) { /* an .npz with a value for each input */
        w->file = text;
        return true;
    }
    char *name = equals ? arena_strndup(arena, text, (size_t)(equals - text)) : arena_strdup(arena, text);
    char *colon = strrchr(name, ':'); /* "x:0" is a tensor, "x:float32" gives the dtype */
    if (colon && !isdigit((unsigned char)colon[1])) {
        DType t = dtype_from_text(colon + 1);
        for (DType k = DTYPE_F32; t == DTYPE_NONE && k < N_DTYPES; k++)
            if (strcmp(dtype_info(k)->tf_name, colon + 1) == 0) t = k;
        if (t == DTYPE_NONE)
            return diag_usage(d, "--input %s: '%s' is no dtype (float32, int64, bool, string, …)", text, colon + 1);
        w->option.dtype = t;
        *colon = 0;
    }
    if (!*name) return diag_usage(d, "--input %s: a name is missing before '='", text);
    w->name = w->option.name = name;
    if (!equals) return true;
    const char *value = equals + 1;
    bool looks_like_file = strchr(value, '/') || tensor_is_file(value) || image_is_file(value);
    if (!looks_like_file && parse_dims(&w->option, value, arena)) return true;
    if (!looks_like_file && strchr(value, ',') && !file_exists(value))
        return diag_usage(d,
                          "--input %s: '%s' is no list of sizes (whole numbers, -1 or names; at most %d) and no file",
                          text, value, MAX_RANK);
    w->option.has_shape = false;
    w->file = value;
    return true;
}

static bool parse_bytes(int64_t *out, const char *text, Diag *d) {
    char *end;
    double v = strtod(text, &end);
    const char *units = "KMGT", *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit) {
        v *= (double)(1LL << (10 * (unit - units + 1)));
        end++;
    }
    if (end == text || *end || !(v > 0) || v > 9e18)
        return diag_usage(d, "--max-memory wants bytes, as in 512M or 2G, not '%s'", text);
    *out = (int64_t)v;
    return true;
}

/* "8", "1-32", "1,8,32" → bounds. */
static bool parse_range(int64_t *min, int64_t *max, const char *option, const char *text, Diag *d) {
    *min = INT64_MAX;
    *max = -1;
    bool ok = true, is_range = false, in_list = false;
    const char *p = text;
    for (bool more = true; ok && more;) {
        char *end;
        errno = 0;
        long long v = strtoll(p, &end, 10);
        ok = isdigit((unsigned char)*p) && !errno && (!is_range || v >= *max);
        if (v < *min) *min = v;
        if (v > *max) *max = v;
        more = *end != 0;
        ok = ok && (!more || (*end == ',' && !is_range) || (*end == '-' && !is_range && !in_list));
        in_list = in_list || *end == ',';
        is_range = is_range || *end == '-';
        p = end + 1;
    }
    return ok || diag_usage(d, "%s: '%s' is no range; write 8, 1-32 or 1,8,32", option, text);
}

bool common_bounds(const DimBound **out, uint32_t *out_n, const Options *o, Arena *arena, Diag *d) {
    VEC(DimBound) bounds = {0};
    DimBound b;
    bool ok = true;
    if (o->batch) {
        b.dim = "batch";
        if (!parse_range(&b.min, &b.max, "--batch", o->batch, d)) return false;
        if (b.max < 1) return diag_usage(d, "--batch %s: a batch has at least one member", o->batch);
        vec_push(arena, &bounds, b);
    }
    for (uint32_t i = 0; i < o->dims.len; i++) {
        const char *equals = strchr(o->dims.data[i], '=');
        if (!equals || equals == o->dims.data[i]) return diag_usage(d, "--dim %s: write NAME=MIN-MAX", o->dims.data[i]);
        b.dim = arena_strndup(arena, o->dims.data[i], (size_t)(equals - o->dims.data[i]));
        if (!parse_range(&b.min, &b.max, arena_printf(arena, "--dim %s", b.dim), equals + 1, d)) return false;
        for (uint32_t k = 0; k < bounds.len; k++)
            if (strcmp(bounds.data[k].dim, b.dim) == 0)
                ok = diag_usage(d, "--dim %s: there is another --%s for this size", o->dims.data[i],
                                k == 0 && o->batch ? "batch" : "dim");
        vec_push(arena, &bounds, b);
    }
    *out = bounds.data;
    *out_n = bounds.len;
    return ok;
}

static bool table_options(CompileOptions *c, const Options *o, Arena *arena, Diag *d) {
    GivenTable *tables = NEW_ARRAY(arena, GivenTable, o->tables.len + 1);
    c->import.tables = tables;
    c->import.n_tables = o->tables.len;
    bool ok = true;
    for (uint32_t i = 0; i < o->tables.len; i++) ok = table_option(&tables[i], o->tables.data[i], arena, d) && ok;
    return ok;
}

static bool is_identifier(const char *name) {
    return *name && strlen(name) <= 200 && !isdigit((unsigned char)*name) &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == 0;
}

/* The shape of the value that an input will be fed with; the file is read again, and complained of, when it is. */
static void say_value(InputWord *w, const Options *o) {
    if (!file_is_plain(w->file)) return;
    Arena *scratch = arena_new();
    Diag quiet;
    Tensor t;
    diag_init(&quiet, scratch, o->model);
    if (!image_is_file(w->file) && tensor_read(&t, scratch, w->file, w->name, w->option.dtype, &quiet)) {
        w->option.has_value = true;
        w->option.value.rank = t.rank;
        memcpy(w->option.value.dims, t.dims, sizeof(int64_t) * (size_t)t.rank);
    }
    arena_free(scratch);
}

bool common_compile_options(CompileOptions *c, const Options *o, Arena *arena, Diag *d) {
    *c = (CompileOptions){.model = o->model,
                          .cpus = o->cpu,
                          .triple = o->target,
                          .sysroot = o->sysroot,
                          .name = o->name,
                          .depfile = o->depfile,
                          .precision = o->precision ? o->precision : "fp32",
                          .layers = o->layers,
                          .verbose = o->verbose,
                          .time = o->time,
                          .progress = common_progress(o)};
    c->read = (ReadOptions){.signature = o->signature, .tags = o->tags};
    if (strcmp(c->precision, "fp32") != 0)
        return diag_unsupported(d, NULL, NULL, "--precision %s does not exist yet; fp32 (the graph's own types) does",
                                c->precision);
    if (o->name && !is_identifier(o->name))
        return diag_usage(d, "--name '%s' is no C identifier (letters, digits, '_')", o->name);
    bool linkable = true;
    for (uint32_t i = 0; i < o->link.len; i++)
        if (!file_exists(o->link.data[i]))
            linkable = diag_usage(d, "--link %s: there is no such file", o->link.data[i]);
    if (!linkable) return false;
    if (o->sysroot && !file_is_directory(o->sysroot)) return diag_usage(d, "--sysroot %s is no directory", o->sysroot);
    c->passes = (PassOptions){.level = o->level ? *o->level - '0' : 2,
                              .only = o->passes,
                              .skip = o->skip,
                              .stop_after = o->stop_after,
                              .dump_after = o->dump_after,
                              .dump = stderr,
                              .time = o->time,
                              .fast_math = o->math && strcmp(o->math, "fast") == 0,
                              .fold_limit = 64 << 20};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (o->threads > MOST_THREADS) return diag_usage(d, "--threads: at most %d", MOST_THREADS);
    c->threads = o->threads >= 0 ? (int)o->threads : (int)(processors > 0 ? processors : 1);
    if (o->max_memory) {
        if (!parse_bytes(&c->max_memory, o->max_memory, d)) return false;
    } else {
        c->max_memory = (int64_t)sysconf(_SC_PHYS_PAGES) / 2 * sysconf(_SC_PAGESIZE);
    }
    VEC(InputOption) inputs = {0};
    for (uint32_t i = 0; i < o->inputs.len; i++) {
        InputWord w;
        if (!common_parse_input(&w, o->inputs.data[i], arena, d)) return false;
        if (w.file && !(o->command & (RUN | VERIFY | BENCHMARK | EXPLAIN)) && !file_exists(w.file)) /* they read it */
            return diag_error(d, NULL, NULL, "--input %s: there is no file %s", o->inputs.data[i], w.file);
        if (w.name && w.file) say_value(&w, o);
        if (w.name) vec_push(arena, &inputs, w.option);
    }
    c->import.guess_ranks = (o->command & (INSPECT | RUN | VERIFY | BENCHMARK | EXPLAIN)) != 0;
    c->import.inputs = inputs.data;
    c->import.n_inputs = inputs.len;
    c->import.outputs = o->outputs.data;
    c->import.n_outputs = o->outputs.len;
    c->op_libraries = o->op_libraries.data;
    c->n_op_libraries = o->op_libraries.len;
    c->link = o->link.data;
    c->n_link = o->link.len;
    c->import.init = o->init.data;
    c->import.n_init = o->init.len;
    return common_bounds(&c->import.bounds, &c->import.n_bounds, o, arena, d) && table_options(c, o, arena, d);
}

const char *common_compile_so(const Options *o, Compilation *c, const char **out_directory, Arena *arena, Diag *d) {
    CompileOptions options;
    if (!common_compile_options(&options, o, arena, d)) return NULL;
    options.name = "model";
    *out_directory = file_make_temp_dir(arena, d);
    if (!*out_directory) return NULL;
    const char *path = arena_printf(arena, "%s/model.so", *out_directory);
    bool ok = compile_to(c, &options, EMIT_KIND_SHARED, path, d) &&
              op_libraries_link_into(arena, *out_directory, options.n_op_libraries, options.op_libraries, d);
    return ok ? path : NULL;
}

const char *common_shared_object(const Options *o, Compilation *c, const char **out_directory, Arena *arena, Diag *d) {
    *out_directory = NULL;
    if (!common_is_compiled(o->model)) return common_compile_so(o, c, out_directory, arena, d);
    if (!o->op_libraries.len) return o->model;
    *out_directory = file_make_temp_dir(arena, d);
    if (!*out_directory) return NULL;
    const char *path = arena_printf(arena, "%s/model.so", *out_directory);
    char *real = realpath(o->model, NULL);
    bool ok = (real && symlink(real, path) == 0) || diag_error(d, NULL, NULL, "cannot make '%s'", path);
    free(real);
    return ok && op_libraries_link_into(arena, *out_directory, o->op_libraries.len, o->op_libraries.data, d) ? path
                                                                                                             : NULL;
}
