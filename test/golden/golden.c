/* golden: runs passes over the graph in each file and compares what comes out with the rest of the file; then evaluates
   both graphs with the reference evaluator on seeded inputs, since a rewrite that prints well may still compute
   something else. A file: comment lines, `# run: --passes=a,b [--level=N]`, a graph, a line of dashes, the graph
   expected. golden [--update] FILE… ; --update rewrites the expected part. */
#include "pass.h"
#include "ref/ref.h"

#include "base/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char separator[] = "\n----\n";

typedef struct {
    Arena *arena;
    const char *path;
    char *head, *input, *expected; /* comment lines, graph, graph expected ("" when there is none) */
    PassOptions options;
} Case;

/* Cuts the file into its parts. */
static bool read_case(Case *c, Diag *d) {
    FileMap f;
    if (!file_map(&f, c->arena, c->path, d)) return false;
    char *text = arena_strndup(c->arena, (const char *)f.data, f.size);
    file_unmap(&f);
    char *graph = strstr(text, "\ngraph "), *run = strstr(text, "# run: --passes=");
    if (!graph || !run || run > graph) return diag_error(d, NULL, NULL, "%s has no '# run:' line and graph", c->path);
    graph++;
    c->head = arena_strndup(c->arena, text, (size_t)(graph - text));
    run += strlen("# run: --passes=");
    size_t n = strcspn(run, " \n");
    c->options = (PassOptions){.level = 3, .fold_limit = 1 << 20, .only = arena_strndup(c->arena, run, n)};
    c->options.fast_math = strncmp(run + n, " --math=fast", 12) == 0;
    char *end = strstr(graph, separator);
    c->input = end ? arena_strndup(c->arena, graph, (size_t)(end + 1 - graph)) : graph;
    c->expected = end ? end + strlen(separator) : arena_strdup(c->arena, "");
    return true;
}

static const char *print(Arena *arena, const Graph *g) {
    Str s;
    str_init(&s, arena);
    graph_print(g, &s, true);
    return str_text(&s);
}

/* ---- the same graphs, evaluated */

static double next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

static Tensor make_input(Arena *arena, const Graph *g, ValueId v, const int64_t *symbols, uint64_t *random) {
    const Value *value = value_at(g, v);
    int64_t dims[MAX_RANK];
    for (int i = 0; i < value->shape.rank; i++) dims[i] = dim_eval(&g->dims, value->shape.dims[i], symbols);
    Tensor t = tensor_new(arena, value->dtype, value->shape.rank, dims);
    for (int64_t i = 0, n = tensor_count(&t); i < n; i++) {
        double x = next_random(random);
        if (dtype_is_float(t.dtype))
            tensor_set_f64(&t, i, x * 4 - 2);
        else
            tensor_set_i64(&t, i, (int64_t)(x * (t.dtype == DTYPE_BOOL ? 2 : 4)));
    }
    return t;
}

/* The larger of the tensors' differences, relative to the largest magnitude; infinity when dtype, shape or a NaN
 * differs. */
static double difference(const Tensor *a, const Tensor *b) {
    if (a->dtype != b->dtype || a->rank != b->rank) return (double)INFINITY;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i]) return (double)INFINITY;
    if (!dtype_is_float(a->dtype)) return tensor_equal(a, b) ? 0 : (double)INFINITY;
    double largest = 1e-6, worst = 0;
    for (int64_t i = 0, n = tensor_count(a); i < n; i++) {
        double x = tensor_get_f64(a, i), y = tensor_get_f64(b, i);
        if (isnan(x) != isnan(y) || isinf(x) != isinf(y)) return (double)INFINITY;
        if (isnan(x) || isinf(x)) continue;
        if (fabs(x) > largest) largest = fabs(x);
        if (fabs(x - y) > worst) worst = fabs(x - y);
    }
    return worst / largest;
}

static bool same_results(const Case *c, const Graph *before, const Graph *after, Diag *d) {
    const Region *root = region_at(before, before->root);
    if (!root->results.len) return true;
    int64_t *symbols = NEW_ARRAY(c->arena, int64_t, before->dims.symbols.len + 1);
    for (uint32_t i = 0; i < before->dims.symbols.len; i++) {
        const DimSymbol *s = &before->dims.symbols.data[i];
        symbols[i] = s->max < 3 ? s->max : s->min > 3 ? s->min : 3;
    }
    uint64_t random = 42;
    Tensor *in = NEW_ARRAY(c->arena, Tensor, root->params.len + 1), *x = NEW_ARRAY(c->arena, Tensor, root->results.len),
           *y = NEW_ARRAY(c->arena, Tensor, root->results.len);
    for (uint32_t i = 0; i < root->params.len; i++)
        in[i] = make_input(c->arena, before, root->params.data[i], symbols, &random);
    RefSession *one = ref_open(before), *two = ref_open(after);
    bool ok = ref_run(one, in, x, c->arena, d) && ref_run(two, in, y, c->arena, d);
    for (uint32_t i = 0; ok && i < root->results.len; i++) {
        double off = difference(&x[i], &y[i]);
        if (!(off <= 2e-5)) ok = diag_error(d, NULL, NULL, "result %u of the rewritten graph is off by %g", i, off);
    }
    ref_close(one);
    ref_close(two);
    return ok;
}

static bool run_case(const char *path, bool update) {
    Case c = {.arena = arena_new(), .path = path};
    Diag d;
    diag_init(&d, c.arena, path);
    bool ok = read_case(&c, &d);
    Graph *before = ok ? graph_parse(c.arena, c.input, &d) : NULL,
          *after = ok && before ? graph_parse(c.arena, c.input, &d) : NULL;
    ok = after != NULL;
    if (ok) {
        Unit u = {.g = after,
                  .machine = machine_find("", "x86-64-v3"),
                  .options = &c.options,
                  .arena = c.arena,
                  .scratch = arena_new(),
                  .d = &d};
        passes_run(&u);
        arena_free(u.scratch);
        const char *printed = print(c.arena, after);
        ok = !d.n_errors && same_results(&c, before, after, &d);
        if (ok && update) {
            const char *all = arena_printf(c.arena, "%s%s%s%s", c.head, print(c.arena, before), separator + 1, printed);
            ok = file_write(c.arena, path, all, strlen(all), &d);
        } else if (ok && strcmp(printed, c.expected) != 0) {
            printf("%s: expected\n%s-- is\n%s", path, c.expected, printed);
            ok = false;
        }
    }
    diag_print(&d, stdout, DIAG_NOTE);
    if (!ok) printf("FAILED %s\n", path);
    arena_free(c.arena);
    return ok;
}

int main(int argc, char **argv) {
    bool update = argc > 1 && strcmp(argv[1], "--update") == 0;
    int failed = 0, n = 0;
    for (int i = update ? 2 : 1; i < argc; i++, n++) failed += !run_case(argv[i], update);
    printf("%d golden cases, %d failed\n", n, failed);
    return failed != 0;
}
