/* scalars [--all | --cpu NAME]: every row of scalar.def on every dtype of its classes, each with itself as operand,
   with a broadcast one and a scalar, against the reference evaluator: one graph a dtype and operand form. Without --all
   f32 runs on every level, other dtypes on one each. */
#include "graph_run.h"
#include "ir/graph.h"
#include <stdio.h>
#include <string.h>

enum { ROWS = 3, COLUMNS = 37 }; /* whole vectors and a rest on every machine */

static bool takes(const OpInfo *info, DType t) {
    static const char letters[] = {[CLASS_FLOAT] = 'F', [CLASS_SINT] = 'I', [CLASS_UINT] = 'U', [CLASS_BOOLEAN] = 'B'};
    DTypeClass c = dtype_info(t)->class_;
    return c >= CLASS_FLOAT && c <= CLASS_BOOLEAN && c != CLASS_NONE && letters[c] && strchr(info->classes, letters[c]);
}

/* Divisors and exponents must not be 0 or negative: errors at run time. */
static bool needs_positive(OpId op, DType t) {
    return !dtype_is_float(t) && (op == OP_DIV || op == OP_FLOORDIV || op == OP_FLOORMOD || op == OP_TRUNCMOD);
}

/* One graph with all ops on dtype t; operand b is `shape`. */
static const char *graph_of(Arena *arena, DType t, const char *shape) {
    Str s, results, ports;
    str_init(&s, arena);
    str_init(&results, arena);
    str_init(&ports, arena);
    const char *type = dtype_info(t)->text;
    char full[64];
    snprintf(full, sizeof full, "[%d,%d]", ROWS, COLUMNS);
    str_printf(&s, "graph \"scalars\" {\n  %%1 = param : %s%s ; \"a\"\n  %%2 = param : %s%s ; \"b\"\n", type, full,
               type, shape);
    str_printf(&s, "  %%3 = param : bool%s ; \"c\"\n", full);
    int next = 4, outputs = 0;
    bool ints = dtype_is_int(t);
    if (ints) str_printf(&s, "  %%4 = const {1} : %s[]\n  %%5 = max %%2, %%4 : %s%s\n", type, type, shape);
    if (ints) next = 6;
    for (OpId op = OP_NONE + 1; op < N_OPS; op++) {
        const OpInfo *info = op_info(op);
        if (!(info->flags & OP_FLAG_EWISE) || !info->classes || op == OP_CAST || op == OP_BITCAST || op == OP_POW)
            continue;
        if (op != OP_SELECT && !takes(info, t)) continue;
        const char *second = needs_positive(op, t) ? "%5" : "%2", *result = info->result_is_bool ? "bool" : type;
        if (op == OP_SELECT)
            str_printf(&s, "  %%%d = select %%3, %%1, %%2", next);
        else if (info->min_inputs == 2)
            str_printf(&s, "  %%%d = %s %%1, %s", next, info->text, second);
        else
            str_printf(&s, "  %%%d = %s %%1", next, info->text);
        str_printf(&s, " @1 : %s%s ; \"%s\"\n", result, full, info->text);
        str_printf(&results, "%s%%%d", outputs++ ? ", " : "", next++);
        str_printf(&ports, "  output \"%s\" \"%s:0\"\n", info->text, info->text);
    }
    for (DType to = DTYPE_NONE + 1; to < N_DTYPES; to++) {
        if (to == t || !takes(op_info(OP_CAST), to)) continue;
        str_printf(&s, "  %%%d = cast %%1 {dtype=%s} @1 : %s%s ; \"to_%s\"\n", next, dtype_info(to)->text,
                   dtype_info(to)->text, full, dtype_info(to)->text);
        str_printf(&results, ", %%%d", next++);
        str_printf(&ports, "  output \"to_%s\" \"to_%s:0\"\n", dtype_info(to)->text, dtype_info(to)->text);
    }
    str_printf(&s, "  return %s\n  input \"a\" \"a:0\"\n  input \"b\" \"b:0\"\n  input \"c\" \"c:0\"\n%s}\n",
               str_text(&results), str_text(&ports));
    return str_text(&s);
}

int main(int argc, char **argv) {
    bool all = argc > 1 && strcmp(argv[1], "--all") == 0;
    const char *cpu = argc > 2 && strcmp(argv[1], "--cpu") == 0 ? argv[2] : NULL;
    int done = 0, wrong = 0;
    Arena *arena = arena_new();
    static const char *const shapes[] = {"[3,37]", "[37]", "[3,1]", "[]"}, *const levels[] = {"x86-64-v2", "x86-64-v3",
                                                                                              "x86-64-v4", "aarch64"};
    for (DType t = DTYPE_NONE + 1; t < N_DTYPES; t++) {
        if (!takes(op_info(OP_CAST), t)) continue;
        const char *shape = shapes[t % 4]; /* all forms, spread over the types */
        Options o = {.edges = true, .cpu = cpu ? cpu : all || t == DTYPE_F32 ? NULL : levels[(t + t / 4) % 4]};
        run_graph(arena_printf(arena, "%s with %s", dtype_info(t)->text, shape), graph_of(arena, t, shape), &o, &done,
                  &wrong);
    }
    printf("%d of %d right\n", done - wrong, done);
    arena_free(arena);
    return wrong || !done;
}
