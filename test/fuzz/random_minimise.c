/* random_minimise: see random_minimise.h. Every attempt is judged in a child process. */
#include "random_minimise.h"
#include "ref/ref.h"
#include "rewrite.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int in_child(int seconds, bool quiet) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) BUG("cannot fork");
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        if (quiet) {
            int null = open("/dev/null", O_WRONLY);
            dup2(null, 2);
        }
        alarm((unsigned)seconds);
        return IN_CHILD;
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool still(const Case *c, Verdict wanted, int seconds, char *why) {
    struct Shared {
        Verdict verdict;
        char why[WHY];
    } *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return false;
    shared->verdict = DIED;
    int status = in_child(seconds, true);
    if (status == IN_CHILD) {
        Case copy = *c;
        copy.verdict = SAME;
        copy.why[0] = 0;
        judge_cases(&copy, 1, arena_new());
        shared->verdict = copy.verdict;
        memcpy(shared->why, copy.why, WHY);
        _exit(0);
    }
    Verdict got = status == 0 ? shared->verdict : DIED;
    if (got == wanted && wanted == DIFFERENT) memcpy(why, shared->why, WHY);
    if (got == wanted && wanted == DIED)
        snprintf(why, WHY, "%s %d", status < 0 ? "signal" : "exit", status < 0 ? -status : status);
    munmap(shared, sizeof *shared);
    return got == wanted;
}

/* Drops what no output needs, and inputs without users whose sizes nobody asks for. */
static void clean(Case *c, Arena *arena) {
    Graph *g = c->g;
    Arena *scratch = arena_new();
    drop_unused(g, scratch);
    graph_sort(g);
    uint32_t *uses = graph_count_uses(g, scratch);
    Region *root = region_at(g, g->root);
    for (uint32_t i = root->params.len; i-- > 0;) {
        const Value *v = value_at(g, root->params.data[i]);
        bool binds = false;
        for (int k = 0; k < v->shape.rank; k++) binds = binds || !dim_is_const(v->shape.dims[k]);
        if (uses[root->params.data[i].i] || binds) continue;
        uint32_t rest = root->params.len - i - 1;
        memmove(root->params.data + i, root->params.data + i + 1, rest * sizeof *root->params.data);
        memmove(g->inputs.data + i, g->inputs.data + i + 1, rest * sizeof *g->inputs.data);
        for (int b = 0; b < c->n_bindings; b++) memmove(c->inputs[b] + i, c->inputs[b] + i + 1, rest * sizeof(Tensor));
        root->params.len--;
        g->inputs.len--;
        for (uint32_t p = 0; p < root->params.len; p++) value_at(g, root->params.data[p])->index = p;
    }
    arena_free(scratch);
    (void)arena;
}

static Case copy_case(const Case *c, Arena *arena) {
    Case copy = *c;
    copy.g = graph_copy(arena, c->g);
    for (int b = 0; b < c->n_bindings; b++) {
        copy.inputs[b] = NEW_ARRAY(arena, Tensor, c->g->inputs.len + 2);
        memcpy(copy.inputs[b], c->inputs[b], c->g->inputs.len * sizeof(Tensor));
    }
    return copy;
}

static bool try_outputs(Case *c, Verdict wanted, int seconds, uint32_t first, uint32_t n, Arena *arena) {
    Case part = copy_case(c, arena);
    Region *root = region_at(part.g, part.g->root);
    for (uint32_t i = 0; i < n; i++) {
        root->results.data[i] = root->results.data[first + i];
        part.g->outputs.data[i] = part.g->outputs.data[first + i];
    }
    root->results.len = part.g->outputs.len = n;
    clean(&part, arena);
    if (!still(&part, wanted, seconds, part.why)) return false;
    *c = part;
    return true;
}

/* Result of a node becomes an input that holds what the reference computes. */
static bool try_cut(Case *c, Verdict wanted, int seconds, ValueId cut, Arena *arena) {
    Case part = copy_case(c, arena);
    Graph *g = part.g;
    Diag d;
    diag_init(&d, arena, NULL);
    const Value v = *value_at(g, cut);
    if (v.dtype == DTYPE_RESOURCE || v.dtype == DTYPE_VARIANT) return false;
    for (int k = 0; k < v.shape.rank; k++) { /* a size that a node defines must stay with it */
        if (dim_is_const(v.shape.dims[k])) continue;
        for (uint32_t s = 0; s < g->dims.symbols.len; s++)
            if (g->dims.symbols.data[s].definer && dim_uses(&g->dims, v.shape.dims[k], s)) return false;
    }
    for (int b = 0; b < part.n_bindings; b++) {
        RefSession *s = ref_open(g);
        Tensor *out = NEW_ARRAY(arena, Tensor, g->outputs.len + 1);
        ref_keep_all(s, true);
        ref_run(s, part.inputs[b], out, arena, &d);
        const Tensor *t = ref_value(s, cut);
        if (t) {
            Tensor copy = *t;
            copy.data = tensor_bytes(t) ? arena_memdup(arena, t->data, tensor_bytes(t)) : NULL;
            part.inputs[b][g->inputs.len] = copy;
        }
        ref_close(s);
        if (!t) return false;
    }
    const char *name = arena_printf(g->arena, "cut%u", cut.i);
    ValueId p = graph_add_param(g, g->root, v.dtype, &v.shape, name);
    vec_push(g->arena, &g->inputs,
             (Port){.name = name, .tensor = arena_printf(g->arena, "%s:0", name), .dtype = v.dtype});
    graph_replace_uses(g, cut, p);
    clean(&part, arena);
    if (!still(&part, wanted, seconds, part.why)) return false;
    *c = part;
    return true;
}

static bool cut_once(Case *c, Verdict wanted, int seconds, Arena *arena) {
    const Region *root = region_at(c->g, c->g->root);
    for (uint32_t i = root->nodes.len; i-- > 0;) {
        const Node *n = node_at(c->g, root->nodes.data[i]);
        if (n->dead || n->op == OP_CONST) continue;
        for (uint32_t k = 0; k < n->n_outputs; k++) {
            bool is_result = false;
            for (uint32_t o = 0; o < root->results.len; o++)
                is_result = is_result || root->results.data[o].i == n->outputs[k].i;
            uint32_t *uses = graph_count_uses(c->g, arena);
            if (is_result || !uses[n->outputs[k].i]) continue;
            if (try_cut(c, wanted, seconds, n->outputs[k], arena)) return true;
        }
    }
    return false;
}

/* ---- smaller sizes of the run */

/* What symbol s is with the case's inputs, -1 when it is the size of none of them. */
static int64_t symbol_value(const Case *c, uint32_t s) {
    const Region *root = region_at(c->g, c->g->root);
    for (uint32_t i = 0; i < root->params.len; i++) {
        const Shape *shape = &value_at(c->g, root->params.data[i])->shape;
        for (int k = 0; k < shape->rank; k++) {
            const DimExpr *e = &c->g->dims.exprs.data[shape->dims[k].expr];
            if (!dim_is_const(shape->dims[k]) && e->kind == DIM_SYMBOL && e->symbol == s)
                return c->inputs[0][i].dims[k];
        }
    }
    return -1;
}

/* The first elements of t along each axis. */
static Tensor leading_part(const Tensor *t, const int64_t *dims, Arena *arena) {
    Tensor part = tensor_new(arena, t->dtype, t->rank, dims);
    size_t size = dtype_size(t->dtype);
    for (int64_t i = 0; i < tensor_count(&part); i++) {
        int64_t from = 0, rest = i, stride = 1;
        for (int k = t->rank - 1; k >= 0; k--) {
            from += rest % dims[k] * stride;
            rest /= dims[k];
            stride *= t->dims[k];
        }
        memcpy((char *)(uintptr_t)part.data + (size_t)i * size, (const char *)t->data + (size_t)from * size, size);
    }
    return part;
}

static bool try_size(Case *c, Verdict wanted, int seconds, uint32_t symbol, int64_t value, Arena *arena) {
    Case part = copy_case(c, arena);
    const Region *root = region_at(part.g, part.g->root);
    const DimTable *t = &part.g->dims;
    int64_t *values = NEW_ARRAY(arena, int64_t, t->symbols.len + 1);
    for (uint32_t s = 0; s < t->symbols.len; s++) values[s] = s == symbol ? value : symbol_value(c, s);
    for (uint32_t i = 0; i < root->params.len; i++) {
        Tensor *in = &part.inputs[0][i];
        const Shape *shape = &value_at(part.g, root->params.data[i])->shape;
        int64_t dims[MAX_RANK];
        for (int k = 0; k < in->rank; k++) {
            dims[k] = dim_eval(t, shape->dims[k], values);
            if (dims[k] < 0 || dims[k] > in->dims[k]) return false;
        }
        *in = leading_part(in, dims, arena);
    }
    if (!still(&part, wanted, seconds, part.why)) return false;
    *c = part;
    return true;
}

static void shrink_sizes(Case *c, Verdict wanted, int seconds, Arena *arena) {
    for (uint32_t s = 0; s < c->g->dims.symbols.len && c->n_bindings == 1; s++) {
        int64_t value = symbol_value(c, s);
        for (int64_t less = 1; less < value; less = 2 * less + 1)
            if (try_size(c, wanted, seconds, s, less, arena)) break;
    }
}

void minimise(Case *c, Verdict verdict, int seconds, Arena *arena) {
    if (!still(c, verdict, seconds, c->why)) {
        snprintf(c->why, WHY, "not seen again alone");
        return;
    }
    if (c->n_bindings > 1) {
        Case one = *c;
        for (int b = 0; b < N_BINDINGS; b++) {
            one.n_bindings = 1;
            one.inputs[0] = c->inputs[b];
            if (!still(&one, verdict, seconds, one.why)) continue;
            *c = one;
            break;
        }
    }
    for (uint32_t i = 0; i < c->g->outputs.len && c->g->outputs.len > 1; i++)
        if (try_outputs(c, verdict, seconds, i, 1, arena)) break;
    for (int rounds = 0; rounds < 60 && cut_once(c, verdict, seconds, arena);) rounds++;
    shrink_sizes(c, verdict, seconds, arena);
    const char *pass = verdict == DIFFERENT ? find_guilty_pass(c, arena) : NULL;
    size_t at = strlen(c->why);
    if (pass) snprintf(c->why + at, WHY - at, "; pass %s", pass);
}

void case_print(const Case *c, Str *out) {
    settings_print(&c->settings, out);
    str_add(out, "\n");
    graph_print(c->g, out, true);
    for (int b = 0; b < c->n_bindings; b++) {
        Arena *arena = arena_new();
        Graph *g = graph_new(arena, "inputs");
        for (uint32_t i = 0; i < c->g->inputs.len; i++) {
            ValueId v = build_const(g, g->root, &c->inputs[b][i], "");
            vec_push(arena, &region_at(g, g->root)->results, v);
            vec_push(arena, &g->outputs, c->g->inputs.data[i]);
        }
        graph_print(g, out, true);
        arena_free(arena);
    }
}
