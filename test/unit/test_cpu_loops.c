/* Loops kernels against an interpreter of the same statements, for every level that this machine has. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/file.h"
#include "codegen/cpu/cpu.h"
#include "codegen/cpu/isa.h"
#include "tfopt_abi.h"
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the interpreter: values as double (floats) or int64 */

typedef struct {
    double f;
    int64_t i;
} Number;

typedef struct {
    const Kernel *k;
    void **buffers;
    int64_t vars[16], dims[4];
    Number accs[8];
    bool failed;
} Machine_;

static Number load_number(DType t, const void *data, int64_t i) {
    Number n = {0, 0};
    switch (t) {
    case DTYPE_F32:
        n.f = (double)((const float *)data)[i];
        break;
    case DTYPE_F64:
        n.f = ((const double *)data)[i];
        break;
    case DTYPE_S8:
        n.i = ((const int8_t *)data)[i];
        break;
    case DTYPE_U8:
        n.i = ((const uint8_t *)data)[i];
        break;
    case DTYPE_S16:
        n.i = ((const int16_t *)data)[i];
        break;
    case DTYPE_S32:
        n.i = ((const int32_t *)data)[i];
        break;
    case DTYPE_S64:
        n.i = ((const int64_t *)data)[i];
        break;
    case DTYPE_BOOL:
        n.i = ((const uint8_t *)data)[i] != 0;
        break;
    default:
        fail();
    }
    return n;
}

static void store_number(DType t, void *data, int64_t i, Number n) {
    switch (t) {
    case DTYPE_F32:
        ((float *)data)[i] = (float)n.f;
        break;
    case DTYPE_F64:
        ((double *)data)[i] = n.f;
        break;
    case DTYPE_S8:
    case DTYPE_U8:
    case DTYPE_BOOL:
        ((uint8_t *)data)[i] = (uint8_t)n.i;
        break;
    case DTYPE_S16:
        ((int16_t *)data)[i] = (int16_t)n.i;
        break;
    case DTYPE_S32:
        ((int32_t *)data)[i] = (int32_t)n.i;
        break;
    case DTYPE_S64:
        ((int64_t *)data)[i] = n.i;
        break;
    default:
        fail();
    }
}

static Number wrap(DType t, Number n) { /* to what the type holds */
    uint64_t bytes[1] = {0};
    if (t == DTYPE_F64 || t == DTYPE_NONE) return n;
    store_number(t, bytes, 0, n);
    return load_number(t, bytes, 0);
}

static int64_t floor_div(int64_t x, int64_t y) {
    return x / y - (x % y != 0 && (x % y < 0) != (y < 0));
}

static Number apply(Machine_ *m, OpId op, DType from, DType to, Number x, Number y, Number z) {
    Number r = {0, 0};
    bool f = dtype_is_float(from);
    switch (op) {
    case OP_ADD:
        r = (Number){x.f + y.f, (int64_t)((uint64_t)x.i + (uint64_t)y.i)};
        break;
    case OP_SUB:
        r = (Number){x.f - y.f, (int64_t)((uint64_t)x.i - (uint64_t)y.i)};
        break;
    case OP_MUL:
        r = (Number){x.f * y.f, (int64_t)((uint64_t)x.i * (uint64_t)y.i)};
        break;
    case OP_MAX:
        r = f ? (Number){isnan(x.f) || x.f > y.f ? x.f : y.f, 0} : (Number){0, x.i > y.i ? x.i : y.i};
        break;
    case OP_MIN:
        r = f ? (Number){isnan(x.f) || x.f < y.f ? x.f : y.f, 0} : (Number){0, x.i < y.i ? x.i : y.i};
        break;
    case OP_DIV:
        if (f)
            r.f = x.f / y.f;
        else if (y.i == 0)
            m->failed = true;
        else
            r.i = x.i / y.i;
        break;
    case OP_FLOORDIV:
        if (y.i == 0)
            m->failed = true;
        else
            r.i = floor_div(x.i, y.i);
        break;
    case OP_FLOORMOD:
        if (y.i == 0)
            m->failed = true;
        else
            r.i = x.i - floor_div(x.i, y.i) * y.i;
        break;
    case OP_LT:
        r.i = f ? x.f < y.f : x.i < y.i;
        break;
    case OP_LE:
        r.i = f ? x.f <= y.f : x.i <= y.i;
        break;
    case OP_GT:
        r.i = f ? x.f > y.f : x.i > y.i;
        break;
    case OP_GE:
        r.i = f ? x.f >= y.f : x.i >= y.i;
        break;
    case OP_EQ:
        r.i = f ? x.f == y.f : x.i == y.i;
        break;
    case OP_AND:
        r.i = x.i & y.i;
        break;
    case OP_OR:
        r.i = x.i | y.i;
        break;
    case OP_NOT:
        r.i = !x.i;
        break;
    case OP_NEG:
        r = (Number){-x.f, -x.i};
        break;
    case OP_ABS:
        r = (Number){fabs(x.f), x.i < 0 ? -x.i : x.i};
        break;
    case OP_EXP:
        r.f = exp(x.f);
        break;
    case OP_SELECT:
        r = x.i ? y : z;
        break;
    case OP_CAST:
        if (dtype_is_float(from))
            r = (Number){x.f, to == DTYPE_BOOL ? x.f != 0 : (int64_t)x.f};
        else
            r = (Number){(double)x.i, to == DTYPE_BOOL ? x.i != 0 : x.i};
        break;
    default:
        fail();
    }
    return wrap(to, r);
}

static Number interpret(Machine_ *m, ExprId id) {
    const Expr *e = &m->k->exprs.data[id.i];
    switch (e->kind) {
    case EXPR_CONST:
        return wrap(e->dtype, (Number){e->f, e->i});
    case EXPR_VAR:
        return (Number){0, m->vars[e->ref]};
    case EXPR_DIM:
        return (Number){0, dim_is_const(e->dim) ? e->dim.value : m->dims[0]};
    case EXPR_ACC:
        return m->accs[e->ref];
    case EXPR_LOAD:
        if (e->args[1].i && !interpret(m, e->args[1]).i) return interpret(m, e->args[2]);
        return load_number(e->dtype, m->buffers[e->ref], interpret(m, e->args[0]).i);
    default:
        break;
    }
    Number a[3] = {{0, 0}, {0, 0}, {0, 0}};
    if (e->op == OP_SELECT) return interpret(m, e->args[interpret(m, e->args[0]).i ? 1 : 2]);
    for (int i = 0; i < 3 && e->args[i].i; i++) a[i] = interpret(m, e->args[i]);
    return apply(m, e->op, m->k->exprs.data[e->args[0].i].dtype, e->dtype, a[0], a[1], a[2]);
}

static void run_body(Machine_ *m, const Stmt *s) {
    for (; s; s = s->next) {
        bool holds = !s->pred.i || interpret(m, s->pred).i;
        switch (s->kind) {
        case STMT_FOR: {
            int64_t n = interpret(m, s->extent).i;
            for (int64_t i = 0; i < n; i++) {
                m->vars[s->ref] = i;
                run_body(m, s->body);
            }
            break;
        }
        case STMT_STORE: {
            Number value = interpret(m, s->value);
            if (holds)
                store_number(m->k->params.data[s->ref].dtype, m->buffers[s->ref], interpret(m, s->index).i, value);
            break;
        }
        case STMT_ACC:
            m->accs[s->ref] = interpret(m, s->value);
            break;
        case STMT_UPDATE:
            if (holds)
                m->accs[s->ref] = apply(m, s->op, m->k->acc_types[s->ref], m->k->acc_types[s->ref], m->accs[s->ref],
                                        interpret(m, s->value), (Number){0, 0});
            break;
        case STMT_FAIL:
            m->failed |= holds;
            break;
        }
    }
}

/* ---- kernels to test */

typedef struct {
    Arena *arena;
    Graph *g;
    Kernel *k;
    uint32_t seed;
    Dim symbol;
} Builder;

static uint32_t random_bits(Builder *b) {
    b->seed = b->seed * 1664525u + 1013904223u;
    return b->seed >> 8;
}

static ExprId binary(Builder *b, OpId op, DType t, ExprId x, ExprId y) {
    return expr_scalar(b->arena, b->k, op, t, x, y, (ExprId){0});
}
static ExprId unary(Builder *b, OpId op, DType t, ExprId x) {
    return expr_scalar(b->arena, b->k, op, t, x, (ExprId){0}, (ExprId){0});
}
static ExprId whole(Builder *b, int64_t v) {
    return expr_int(b->arena, b->k, DTYPE_S64, v);
}

static uint32_t param(Builder *b, ParamKind kind, DType t) {
    vec_push(b->arena, &b->k->params,
             (Param){.kind = kind, .dtype = t, .aligned = true, .elements = dim_const(kind == PARAM_LOCAL ? 512 : 0)});
    return b->k->params.len - 1;
}

static Stmt *statement(Builder *b, StmtKind kind, uint32_t ref, ExprId index, ExprId value, ExprId pred, Stmt *next) {
    Stmt *s = NEW(b->arena, Stmt);
    *s = (Stmt){.kind = kind, .ref = ref, .index = index, .value = value, .pred = pred, .next = next};
    return s;
}

static Stmt *loop(Builder *b, ForMode mode, uint32_t var, ExprId extent, Stmt *body, Stmt *next) {
    Stmt *s = NEW(b->arena, Stmt);
    *s = (Stmt){.kind = STMT_FOR, .mode = mode, .ref = var, .extent = extent, .body = body, .next = next};
    return s;
}

static void new_kernel(Builder *b, const char *name, int64_t units) {
    b->k = NEW(b->arena, Kernel);
    b->k->name = name;
    b->k->kind = KERNEL_LOOPS;
    b->k->n_vars = 1;
    b->k->units = dim_const(units);
}

/* Row-wise softmax without exp: max, then sum of (x - max), then division; vector loops over a row of `n`. */
static void build_rows(Builder *b, int64_t n, bool dynamic) {
    new_kernel(b, "rows", 3);
    uint32_t in = param(b, PARAM_IN, DTYPE_F32), out = param(b, PARAM_OUT, DTYPE_F32);
    static DType types[] = {DTYPE_F32, DTYPE_F32};
    b->k->n_accs = 2;
    b->k->acc_types = types;
    ExprId extent = dynamic ? expr_dim(b->arena, b->k, b->symbol) : whole(b, n), unit = expr_var(b->arena, b->k, 0);
    ExprId row = binary(b, OP_MUL, DTYPE_S64, unit, extent), least = expr_float(b->arena, b->k, DTYPE_F32, -INFINITY),
           zero = expr_float(b->arena, b->k, DTYPE_F32, 0);
    ExprId j[3], at[3], x[3];
    for (uint32_t i = 0; i < 3; i++) {
        j[i] = expr_var(b->arena, b->k, i + 1);
        at[i] = binary(b, OP_ADD, DTYPE_S64, row, j[i]);
        x[i] = expr_load(b->arena, b->k, in, at[i]);
    }
    ExprId most = expr_acc(b->arena, b->k, 0), sum = expr_acc(b->arena, b->k, 1), none = {0};
    ExprId difference = binary(b, OP_SUB, DTYPE_F32, x[1], most), last = binary(b, OP_SUB, DTYPE_F32, x[2], most);
    ExprId quotient = binary(b, OP_DIV, DTYPE_F32, last, sum);
    Stmt *third = loop(b, FOR_VECTOR, 3, extent, statement(b, STMT_STORE, out, at[2], quotient, none, NULL), NULL);
    Stmt *add = statement(b, STMT_UPDATE, 1, none, difference, none, NULL);
    add->op = OP_ADD;
    Stmt *second = loop(b, FOR_VECTOR, 2, extent, add, third);
    Stmt *raise = statement(b, STMT_UPDATE, 0, none, x[0], none, NULL);
    raise->op = OP_MAX;
    Stmt *first = loop(b, FOR_VECTOR, 1, extent, raise, statement(b, STMT_ACC, 1, none, zero, none, second));
    b->k->body = statement(b, STMT_ACC, 0, none, least, none, first);
}

/* out[j] = max over window of guarded loads: pooling over a row, vector over j (stride s) or channels. */
static void build_pool(Builder *b, int64_t n, int64_t stride, bool unrolled) {
    new_kernel(b, "pool", 2);
    uint32_t in = param(b, PARAM_IN, DTYPE_F32), out = param(b, PARAM_OUT, DTYPE_F32);
    static DType types[] = {DTYPE_F32};
    b->k->n_accs = 1;
    b->k->acc_types = types;
    ExprId unit = expr_var(b->arena, b->k, 0), j = expr_var(b->arena, b->k, 1), w = expr_var(b->arena, b->k, 2),
           none = {0};
    ExprId start = binary(b, OP_MUL, DTYPE_S64, j, whole(b, stride));
    ExprId offset = binary(b, OP_ADD, DTYPE_S64, w, whole(b, -1));
    ExprId x_at = binary(b, OP_ADD, DTYPE_S64, start, offset);
    ExprId above = binary(b, OP_GE, DTYPE_BOOL, x_at, whole(b, 0)),
           below = binary(b, OP_LT, DTYPE_BOOL, x_at, whole(b, n * stride));
    ExprId inside = binary(b, OP_AND, DTYPE_BOOL, above, below);
    ExprId row = binary(b, OP_MUL, DTYPE_S64, unit, whole(b, n * stride));
    ExprId index = binary(b, OP_ADD, DTYPE_S64, row, x_at);
    ExprId least = expr_float(b->arena, b->k, DTYPE_F32, -1e30);
    ExprId x = expr_load_if(b->arena, b->k, in, index, inside, least);
    ExprId out_row = binary(b, OP_MUL, DTYPE_S64, unit, whole(b, n)), out_at = binary(b, OP_ADD, DTYPE_S64, out_row, j);
    ExprId acc = expr_acc(b->arena, b->k, 0);
    Stmt *raise = statement(b, STMT_UPDATE, 0, none, x, none, NULL);
    raise->op = OP_MAX;
    Stmt *store = statement(b, STMT_STORE, out, out_at, acc, none, NULL);
    Stmt *window = loop(b, unrolled ? FOR_UNROLL : FOR_SERIAL, 2, whole(b, 3), raise, store);
    b->k->body = loop(b, FOR_VECTOR, 1, whole(b, n), statement(b, STMT_ACC, 0, none, least, none, window), NULL);
}

/* Gather with a range check, strided and reversed reads, integer division, mixed types, a second output. */
static void build_mixed(Builder *b, int64_t n) {
    new_kernel(b, "mixed", 2);
    uint32_t in = param(b, PARAM_IN, DTYPE_F32), indexes = param(b, PARAM_IN, DTYPE_S32),
             bytes = param(b, PARAM_IN, DTYPE_U8);
    uint32_t out = param(b, PARAM_OUT, DTYPE_F32), flags = param(b, PARAM_OUT, DTYPE_BOOL),
             ints = param(b, PARAM_OUT, DTYPE_S32), local = param(b, PARAM_LOCAL, DTYPE_F32);
    ExprId unit = expr_var(b->arena, b->k, 0), j = expr_var(b->arena, b->k, 1), none = {0};
    ExprId row = binary(b, OP_MUL, DTYPE_S64, unit, whole(b, n)), at = binary(b, OP_ADD, DTYPE_S64, row, j);
    ExprId raw = expr_load(b->arena, b->k, indexes, at), index = unary(b, OP_CAST, DTYPE_S64, raw);
    ExprId low = binary(b, OP_GE, DTYPE_BOOL, index, whole(b, 0)),
           high = binary(b, OP_LT, DTYPE_BOOL, index, whole(b, n));
    ExprId good = binary(b, OP_AND, DTYPE_BOOL, low, high),
           bad = expr_scalar(b->arena, b->k, OP_NOT, DTYPE_BOOL, good, none, none);
    ExprId zero = expr_float(b->arena, b->k, DTYPE_F32, 0.25);
    ExprId gathered = expr_load_if(b->arena, b->k, in, index, good, zero);
    ExprId mirror = binary(b, OP_SUB, DTYPE_S64, whole(b, n - 1), j), reversed = expr_load(b->arena, b->k, in, mirror);
    ExprId third = binary(b, OP_MUL, DTYPE_S64, j, whole(b, 3)), strided = expr_load(b->arena, b->k, in, third);
    ExprId byte = expr_load(b->arena, b->k, bytes, at), number = unary(b, OP_CAST, DTYPE_F32, byte);
    ExprId sum = binary(b, OP_ADD, DTYPE_F32, gathered, reversed),
           product = binary(b, OP_MUL, DTYPE_F32, strided, number);
    ExprId value = binary(b, OP_SUB, DTYPE_F32, sum, product);
    ExprId position = unary(b, OP_CAST, DTYPE_F32, at), more = binary(b, OP_ADD, DTYPE_F32, value, position);
    ExprId positive = binary(b, OP_GT, DTYPE_BOOL, more, zero);
    ExprId wide = unary(b, OP_CAST, DTYPE_S32, byte), seven = expr_int(b->arena, b->k, DTYPE_S32, -7);
    ExprId quotient = binary(b, OP_FLOORDIV, DTYPE_S32, raw, seven),
           rest = binary(b, OP_FLOORMOD, DTYPE_S32, raw, wide);
    ExprId both = binary(b, OP_SUB, DTYPE_S32, quotient, rest);
    ExprId odd = binary(b, OP_FLOORMOD, DTYPE_S64, j, whole(b, 2)),
           is_odd = binary(b, OP_EQ, DTYPE_BOOL, odd, whole(b, 1));
    Stmt *s = statement(b, STMT_STORE, ints, at, both, is_odd, NULL);
    s = statement(b, STMT_STORE, flags, at, positive, none, s);
    ExprId again = expr_load(b->arena, b->k, local, j), doubled = binary(b, OP_ADD, DTYPE_F32, again, again);
    s = statement(b, STMT_STORE, out, at, doubled, none, s);
    s = statement(b, STMT_STORE, local, j, more, none, s);
    (void)bad;
    b->k->body = loop(b, FOR_VECTOR, 1, whole(b, n), statement(b, STMT_FAIL, 0, none, none, bad, s), NULL);
}

/* Sums down columns: vector over j, serial over rows, accumulators by lane; and a transposed copy (strided store). */
static void build_columns(Builder *b, int64_t rows, int64_t columns) {
    new_kernel(b, "columns", 1);
    uint32_t in = param(b, PARAM_IN, DTYPE_S32), sums = param(b, PARAM_OUT, DTYPE_S32),
             turned = param(b, PARAM_OUT, DTYPE_S32);
    static DType types[] = {DTYPE_S32};
    b->k->n_accs = 1;
    b->k->acc_types = types;
    ExprId j = expr_var(b->arena, b->k, 1), r = expr_var(b->arena, b->k, 2), none = {0};
    ExprId start = binary(b, OP_MUL, DTYPE_S64, r, whole(b, columns)), at = binary(b, OP_ADD, DTYPE_S64, start, j);
    ExprId x = expr_load(b->arena, b->k, in, at), zero = expr_int(b->arena, b->k, DTYPE_S32, 0);
    ExprId column = binary(b, OP_MUL, DTYPE_S64, j, whole(b, rows)),
           turned_at = binary(b, OP_ADD, DTYPE_S64, column, r);
    ExprId small = binary(b, OP_LT, DTYPE_BOOL, x, expr_int(b->arena, b->k, DTYPE_S32, 50));
    Stmt *copy = statement(b, STMT_STORE, turned, turned_at, x, none, NULL);
    Stmt *add = statement(b, STMT_UPDATE, 0, none, x, small, copy);
    add->op = OP_ADD;
    Stmt *down = loop(b, FOR_SERIAL, 2, whole(b, rows), add,
                      statement(b, STMT_STORE, sums, j, expr_acc(b->arena, b->k, 0), none, NULL));
    b->k->body = loop(b, FOR_VECTOR, 1, whole(b, columns), statement(b, STMT_ACC, 0, none, zero, none, down), NULL);
}

/* ---- running */

enum { BYTES = 1 << 16 };

static void fill(Builder *b, const Kernel *k, void **buffers, bool zero_bytes) {
    for (uint32_t i = 0; i < k->params.len; i++) {
        DType t = k->params.data[i].dtype;
        for (int64_t e = 0; e < BYTES / (int64_t)dtype_size(t); e++) {
            int64_t r = (int64_t)(random_bits(b) % 100);
            Number n = {(double)r / 4, t == DTYPE_BOOL ? r & 1 : r % 20 + 1};
            if (zero_bytes && t == DTYPE_U8 && e % 17 == 3) n.i = 0;
            store_number(t, buffers[i], e, n);
        }
    }
}

static void check(Builder *b, const IsaRow *isa, const char *triple, const char *folder, int64_t dim, bool zero_bytes,
                  double tolerance) {
    Arena *arena = b->arena;
    Diag d;
    diag_init(&d, arena, NULL);
    static int serial;
    Program p = {.arena = arena, .g = b->g, .isa = isa};
    vec_push(arena, &p.kernels, b->k);
    LlvmUnit *unit = llvm_unit_new(arena, triple, isa, &d);
    CpuOptions options = {.prefix = "t_", .triple = triple};
    assert_true(cpu_emit(&p, &options, unit, &d));
    const char *entry = arena_printf(arena, ".globl entry\nentry: jmp t_%s\n", b->k->name);
    llvm_unit_append_asm(unit, entry, strlen(entry));
    const char *object = arena_printf(arena, "%s/k%d.o", folder, serial),
               *library = arena_printf(arena, "%s/k%d.so", folder, serial);
    serial++;
    assert_true(llvm_unit_emit(unit, LLVM_OBJECT, object, &d));
    llvm_unit_free(unit);
    assert_int_equal(system(arena_printf(arena, "cc -shared -o %s %s -lm", library, object)), 0);
    void *handle = dlopen(library, RTLD_NOW);
    assert_non_null(handle);
    TfoptKernelFn *run;
    *(void **)&run = dlsym(handle, "entry");
    uint32_t n = b->k->params.len;
    void **ours = NEW_ARRAY(arena, void *, n), **theirs = NEW_ARRAY(arena, void *, n);
    for (uint32_t i = 0; i < n; i++) {
        ours[i] = arena_alloc(arena, BYTES);
        theirs[i] = arena_alloc(arena, BYTES);
    }
    fill(b, b->k, ours, zero_bytes);
    for (uint32_t i = 0; i < n; i++) memcpy(theirs[i], ours[i], BYTES);
    int64_t dims[] = {dim};
    int32_t status = 0;
    Machine_ m = {.k = b->k, .buffers = theirs, .dims = {dim}};
    for (int64_t u = 0; u < b->k->units.value; u++) {
        int32_t one = run(ours, dims, u, u + 1);
        status = status ? status : one;
        m.vars[0] = u;
        run_body(&m, b->k->body);
    }
    assert_int_equal(status != 0, m.failed);
    for (uint32_t i = 0; i < n && !m.failed; i++) {
        if (b->k->params.data[i].kind == PARAM_LOCAL) continue;
        DType t = b->k->params.data[i].dtype;
        for (int64_t e = 0; e < BYTES / (int64_t)dtype_size(t); e++) {
            Number x = load_number(t, ours[i], e), y = load_number(t, theirs[i], e);
            double allowed = tolerance * (1 + fabs(y.f));
            if (x.i != y.i || !(fabs(x.f - y.f) <= allowed || (isnan(x.f) && isnan(y.f)) || x.f == y.f))
                fail_msg("%s on %s: parameter %u element %lld: %g, %lld instead of %g, %lld", b->k->name, isa->name, i,
                         (long long)e, x.f, (long long)x.i, y.f, (long long)y.i);
        }
    }
    dlclose(handle);
    assert_int_equal(d.n_errors, 0);
}

static void for_levels(void (*body)(Builder *, const IsaRow *, const char *, const char *)) {
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    const char *triple = llvm_default_triple(arena);
    const char *const levels[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4"};
    char *folder = file_make_temp_dir(arena, &d);
    const IsaRow *native = isa_find(arena, "native", triple, &d);
    assert_non_null(native);
    for (size_t i = 0; i < ARRAY_LEN(levels) && strcmp(native->arch, "x86_64") == 0; i++) {
        if (strcmp(levels[i], native->level) > 0) continue; /* levels sort by name */
        Builder b = {.arena = arena, .seed = 1 + (uint32_t)i, .g = NEW(arena, Graph)};
        dim_table_init(&b.g->dims, arena);
        b.symbol = dim_symbol(&b.g->dims, "n", 0, 1000);
        body(&b, isa_find(arena, levels[i], triple, &d), triple, folder);
    }
    file_remove_tree(folder);
    arena_free(arena);
}

static void rows(Builder *b, const IsaRow *isa, const char *triple, const char *folder) {
    const int64_t sizes[] = {1, 3, 16, 61, 130};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        build_rows(b, sizes[i], false);
        check(b, isa, triple, folder, 0, false, 1e-5);
    }
    const int64_t dims[] = {0, 1, 77, 128};
    for (size_t i = 0; i < ARRAY_LEN(dims); i++) {
        build_rows(b, 0, true);
        check(b, isa, triple, folder, dims[i], false, 1e-5);
    }
}
static void pools(Builder *b, const IsaRow *isa, const char *triple, const char *folder) {
    for (int unrolled = 0; unrolled < 2; unrolled++)
        for (int64_t stride = 1; stride <= 2; stride++) {
            build_pool(b, 37, stride, unrolled);
            check(b, isa, triple, folder, 0, false, 0);
        }
}
static void mixtures(Builder *b, const IsaRow *isa, const char *triple, const char *folder) {
    build_mixed(b, 45);
    check(b, isa, triple, folder, 0, false, 1e-6);
    check(b, isa, triple, folder, 0, true, 1e-6); /* division by zero is reported */
    build_mixed(b, 10);                           /* some indexes out of range */
    check(b, isa, triple, folder, 0, false, 1e-6);
}
static void columns(Builder *b, const IsaRow *isa, const char *triple, const char *folder) {
    build_columns(b, 9, 35);
    check(b, isa, triple, folder, 0, false, 0);
    build_columns(b, 5, 7);
    check(b, isa, triple, folder, 0, false, 0);
}

static void test_rows(void **state) {
    (void)state;
    for_levels(rows);
}
static void test_pools(void **state) {
    (void)state;
    for_levels(pools);
}
static void test_mixtures(void **state) {
    (void)state;
    for_levels(mixtures);
}
static void test_columns(void **state) {
    (void)state;
    for_levels(columns);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_pools),
                                       cmocka_unit_test(test_mixtures), cmocka_unit_test(test_columns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
