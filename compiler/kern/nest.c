/* nest: loop nests: joining neighbouring loops that all indexes walk through as one, and splitting the outer ones over
   units. Units depend on predicted work only, never on the number of threads: any split gives the same bits. */
#include "kern/lower.h"
#include <string.h>

static const double GRAIN_NS = 2500; /* work of a unit: some times the hand-out */
enum { MAX_UNITS_WANTED = 128, VECTOR_CHUNK = 64 };

void nest_dim(Body *b, Nest *nest, Dim extent, bool reduced, ExprId *out_at) {
    if (dim_is(extent, 1)) {
        *out_at = index_int(b, 0);
        return;
    }
    CHECK(nest->n < MAX_LOOPS);
    uint32_t var = b->k->n_vars;
    nest->loops[nest->n++] = (Loop){extent, var, reduced};
    *out_at = expr_var(b->l->arena, b->k, var);
}

/* ---- affine indexes */

static void pin_unseen(const Body *b, ExprId e, bool *pinned, bool *seen) {
    if (e.i == 0 || seen[e.i]) return;
    seen[e.i] = true;
    const Expr *x = body_expr(b, e);
    if (x->kind == EXPR_VAR) pinned[x->ref] = true;
    for (int i = 0; i < 3; i++) pin_unseen(b, x->args[i], pinned, seen);
}

/* Expressions share parts: each is looked at once. */
static void pin_all(const Body *b, ExprId e, bool *pinned) {
    if (e.i == 0 || body_expr(b, e)->kind == EXPR_CONST || body_expr(b, e)->kind == EXPR_DIM) return;
    pin_unseen(b, e, pinned, NEW_ARRAY(b->l->scratch, bool, e.i + 1)); /* operands have smaller numbers */
}

/* Constant or Dim value of an index expression without variables; false when it is something else. */
static bool as_dim(const Body *b, ExprId e, Dim *out) {
    const Expr *x = body_expr(b, e);
    DimTable *t = &b->l->g->dims;
    Dim p, q;
    if (x->kind == EXPR_CONST) return *out = dim_const(x->i), true;
    if (x->kind == EXPR_DIM) return *out = x->dim, true;
    if (x->kind != EXPR_SCALAR || x->args[1].i == 0 || (x->op != OP_MUL && x->op != OP_ADD)) return false;
    if (!as_dim(b, x->args[0], &p) || !as_dim(b, x->args[1], &q)) return false;
    *out = x->op == OP_MUL ? dim_mul(t, p, q) : dim_add(t, p, q);
    return true;
}

static void affine_scaled(const Body *b, ExprId e, Dim scale, Dim *coefs, bool *pinned) {
    const Expr *x = body_expr(b, e);
    DimTable *t = &b->l->g->dims;
    Dim factor;
    if (x->kind == EXPR_VAR) {
        coefs[x->ref] = dim_add(t, coefs[x->ref], scale);
    } else if (x->kind == EXPR_SCALAR && (x->op == OP_ADD || x->op == OP_SUB)) {
        affine_scaled(b, x->args[0], scale, coefs, pinned);
        affine_scaled(b, x->args[1], x->op == OP_ADD ? scale : dim_mul(t, scale, dim_const(-1)), coefs, pinned);
    } else if (x->kind == EXPR_SCALAR && x->op == OP_MUL && as_dim(b, x->args[1], &factor)) {
        affine_scaled(b, x->args[0], dim_mul(t, scale, factor), coefs, pinned);
    } else if (x->kind == EXPR_SCALAR && x->op == OP_MUL && as_dim(b, x->args[0], &factor)) {
        affine_scaled(b, x->args[1], dim_mul(t, scale, factor), coefs, pinned);
    } else {
        pin_all(b, e, pinned);
    }
}

void expr_affine(const Body *b, ExprId e, Dim *coefs, bool *pinned) {
    affine_scaled(b, e, dim_const(1), coefs, pinned);
}

/* ---- merging */

typedef VEC(Dim *) CoefList;

/* Indexes of all loads under e go to the list, variables met elsewhere are pinned. */
static void collect(Body *b, ExprId e, bool *seen, CoefList *list, bool *pinned) {
    if (e.i == 0 || seen[e.i]) return;
    seen[e.i] = true;
    const Expr *x = body_expr(b, e);
    if (x->kind == EXPR_VAR) pinned[x->ref] = true;
    if (x->kind == EXPR_LOAD) {
        Dim *coefs = NEW_ARRAY(b->l->scratch, Dim, b->k->n_vars);
        expr_affine(b, x->args[0], coefs, pinned);
        vec_push(b->l->scratch, list, coefs);
        /* Index expressions may hold loads themselves (gathers). */
        VEC(uint32_t) work = {0};
        bool *walked = NEW_ARRAY(b->l->scratch, bool, e.i + 1);
        vec_push(b->l->scratch, &work, x->args[0].i);
        while (work.len) {
            uint32_t next = work.data[--work.len];
            if (walked[next]) continue;
            walked[next] = true;
            const Expr *y = &b->k->exprs.data[next];
            for (int i = 0; i < 3; i++)
                if (y->args[i].i && y->kind != EXPR_LOAD) vec_push(b->l->scratch, &work, y->args[i].i);
            if (y->kind == EXPR_LOAD) collect(b, (ExprId){(uint32_t)(y - b->k->exprs.data)}, seen, list, pinned);
        }
        collect(b, x->args[1], seen, list, pinned);
        collect(b, x->args[2], seen, list, pinned);
        return;
    }
    for (int i = 0; i < 3; i++) collect(b, x->args[i], seen, list, pinned);
}

typedef struct {
    Body *b;
    const ExprId *map;
    uint32_t *done;
} Substitute;

static ExprId substitute(Substitute *s, ExprId e) {
    if (e.i == 0) return e;
    if (s->done[e.i]) return (ExprId){s->done[e.i]};
    Expr x = *body_expr(s->b, e);
    ExprId r = e;
    Arena *a = s->b->l->arena;
    if (x.kind == EXPR_VAR) {
        if (s->map[x.ref].i) r = s->map[x.ref];
    } else {
        bool changed = false;
        ExprId args[3];
        for (int i = 0; i < 3; i++) {
            args[i] = substitute(s, x.args[i]);
            changed = changed || args[i].i != x.args[i].i;
        }
        if (changed && x.kind == EXPR_SCALAR)
            r = expr_scalar(a, s->b->k, x.op, x.dtype, args[0], args[1], args[2]);
        else if (changed && x.kind == EXPR_LOAD)
            r = expr_load_if(a, s->b->k, x.ref, args[0], args[1], args[2]);
    }
    s->done[e.i] = r.i;
    return r;
}

static void substitute_stmts(Substitute *s, Stmt *stmt) {
    for (; stmt; stmt = stmt->next) {
        stmt->extent = substitute(s, stmt->extent);
        stmt->index = substitute(s, stmt->index);
        stmt->value = substitute(s, stmt->value);
        stmt->pred = substitute(s, stmt->pred);
        substitute_stmts(s, stmt->body);
    }
}

static void merge(Body *b, Nest *nest, int n_exprs, ExprId *exprs) {
    Arena *scratch = b->l->scratch;
    CoefList list = {0};
    bool *pinned = NEW_ARRAY(scratch, bool, b->k->n_vars), *seen = NEW_ARRAY(scratch, bool, b->k->exprs.len);
    for (int i = 0; i < n_exprs; i++) {
        if (exprs[i].i == 0) continue;
        const Expr *x = body_expr(b, exprs[i]);
        if (i % 2 == 0) { /* an index */
            Dim *coefs = NEW_ARRAY(scratch, Dim, b->k->n_vars);
            expr_affine(b, exprs[i], coefs, pinned);
            vec_push(scratch, &list, coefs);
            if (x->kind == EXPR_SCALAR || x->kind == EXPR_VAR) continue;
        }
        collect(b, exprs[i], seen, &list, pinned);
    }
    ExprId *map = NEW_ARRAY(scratch, ExprId, b->k->n_vars);
    Nest merged = {0};
    for (int i = nest->n - 1; i >= 0; i--) { /* from the inside; merged is in reverse */
        const Loop *loop = &nest->loops[i];
        Loop *inner = merged.n ? &merged.loops[merged.n - 1] : NULL;
        bool join = inner && inner->reduced == loop->reduced && !pinned[loop->var] && !pinned[inner->var];
        for (uint32_t j = 0; join && j < list.len; j++) {
            Dim expected = dim_mul(&b->l->g->dims, list.data[j][inner->var], inner->extent);
            join = dim_equal(list.data[j][loop->var], expected);
        }
        if (join) {
            inner->extent = dim_mul(&b->l->g->dims, inner->extent, loop->extent);
            map[loop->var] = index_int(b, 0);
        } else {
            merged.loops[merged.n++] = *loop;
        }
    }
    if (merged.n == nest->n) return;
    for (int i = 0; i < merged.n; i++) nest->loops[i] = merged.loops[merged.n - 1 - i];
    nest->n = merged.n;
    Substitute s = {b, map, NEW_ARRAY(scratch, uint32_t, b->k->exprs.len)};
    for (int i = 0; i < n_exprs; i++) exprs[i] = substitute(&s, exprs[i]);
}

void nest_merge(Body *b, Nest *nest, int n_exprs, ExprId *exprs) {
    if (nest->n < 2) return;
    /* What may fail is asked of the same loops. */
    uint32_t first = (uint32_t)(n_exprs + n_exprs % 2), n = first + 2 * b->fails.len;
    ExprId *all = NEW_ARRAY(b->l->scratch, ExprId, n + 1);
    memcpy(all, exprs, (size_t)n_exprs * sizeof *exprs);
    for (uint32_t i = 0; i < b->fails.len; i++) all[first + 2 * i + 1] = b->fails.data[i];
    merge(b, nest, (int)n, all);
    memcpy(exprs, all, (size_t)n_exprs * sizeof *exprs);
    for (uint32_t i = 0; i < b->fails.len; i++) b->fails.data[i] = all[first + 2 * i + 1];
}

/* ---- tiles */

/* The loop along which neighbours in memory lie for a load that strides through memory along loop v; -1: no such load,
   or not worth a tile. */
static int find_crossing(Body *b, const Nest *nest, int v, const CoefList *list) {
    enum { LEAST = 8 };
    if (lower_typical(b->l, nest->loops[v].extent) < LEAST) return -1;
    for (uint32_t i = 0; i < list->len; i++) {
        const Dim stride = list->data[i][nest->loops[v].var];
        if (dim_is_const(stride) && stride.value < LEAST && stride.value > -LEAST) continue;
        for (int u = 0; u < nest->n; u++)
            if (u != v && dim_is(list->data[i][nest->loops[u].var], 1) && !nest->loops[u].reduced &&
                lower_typical(b->l, nest->loops[u].extent) >= LEAST)
                return u;
    }
    return -1;
}

/* Variable of a loop inside of `loop`, which becomes the loop over blocks of `size`. */
static Loop cut_loop(Body *b, Loop *loop, int64_t size, ExprId *map, ExprId *out_extent) {
    DimTable *t = &b->l->g->dims;
    const Dim whole = loop->extent;
    Loop inner = {dim_const(size), b->k->n_vars, false};
    ExprId within = expr_var(b->l->arena, b->k, inner.var), block = expr_var(b->l->arena, b->k, loop->var);
    ExprId length = index_int(b, size), base = index_mul(b, block, length);
    map[loop->var] = index_add(b, base, within);
    loop->extent = dim_ceildiv(t, whole, size);
    *out_extent = length;
    if (dim_is_const(whole) && whole.value % size == 0) return inner;
    ExprId end = index_dim(b, whole), left = index_sub(b, end, base);
    *out_extent = index_min(b, left, length);
    return inner;
}

bool nest_tile(Body *b, Nest *nest, int n_exprs, ExprId *exprs, DType element, Tile *out) {
    enum { LINE_BYTES = 64 };
    Arena *scratch = b->l->scratch;
    CoefList list = {0};
    bool *pinned = NEW_ARRAY(scratch, bool, b->k->n_vars), *seen = NEW_ARRAY(scratch, bool, b->k->exprs.len);
    for (int i = 1; i < n_exprs; i += 2) collect(b, exprs[i], seen, &list, pinned);
    const int v = nest->n - 1, u = v < 1 ? -1 : find_crossing(b, nest, v, &list);
    if (u < 0 || nest->n + 2 > MAX_LOOPS) return false;
    const int64_t size = LINE_BYTES / (int64_t)dtype_size(element);
    const Loop across = nest->loops[u];
    for (int i = u; i + 1 < v; i++) nest->loops[i] = nest->loops[i + 1];
    nest->loops[v - 1] = across;
    ExprId *map = NEW_ARRAY(scratch, ExprId, b->k->n_vars + 2);
    out->outer = cut_loop(b, &nest->loops[v - 1], size, map, &out->outer_extent);
    out->inner = cut_loop(b, &nest->loops[v], size, map, &out->inner_extent);
    out->elements = size * size;
    Substitute s = {b, map, NEW_ARRAY(scratch, uint32_t, b->k->exprs.len)};
    for (int i = 0; i < n_exprs; i++) exprs[i] = substitute(&s, exprs[i]);
    for (uint32_t i = 0; i < b->fails.len; i++) b->fails.data[i] = substitute(&s, b->fails.data[i]);
    return true;
}

Stmt *nest_tile_wrap(Body *b, const Tile *tile, Stmt *inside) {
    inside = nest_for(b, &tile->inner, FOR_VECTOR, inside);
    inside->extent = tile->inner_extent;
    inside = nest_for(b, &tile->outer, FOR_SERIAL, inside);
    inside->extent = tile->outer_extent;
    return inside;
}

/* ---- loops and units */

Stmt *nest_for(Body *b, const Loop *loop, ForMode mode, Stmt *inside) {
    Stmt *s = NEW(b->l->arena, Stmt);
    s->kind = STMT_FOR;
    s->mode = mode;
    s->ref = loop->var;
    s->extent = index_dim(b, loop->extent);
    s->body = inside;
    return s;
}

/* Loop `s` is the outermost that units cut, in pieces of `chunk`; all loops outside of it are cut to single steps. */
static void choose_cut(const Body *b, const Nest *nest, int n, int vector, double ns, int *out_loop,
                       int64_t *out_chunk) {
    double total = ns, inner = ns;
    for (int i = 0; i < n; i++) total *= (double)lower_typical(b->l, nest->loops[i].extent);
    double grain = total / (double)MAX_UNITS_WANTED > GRAIN_NS ? total / (double)MAX_UNITS_WANTED : GRAIN_NS;
    int cut = n - 1;
    for (; cut > 0; cut--) {
        double with = inner * (double)lower_typical(b->l, nest->loops[cut].extent);
        if (with >= grain) break;
        inner = with;
    }
    double steps = grain / inner + 1;
    int64_t chunk = steps > 1e15 ? (int64_t)1e15 : (int64_t)steps;
    Dim extent = nest->loops[cut].extent;
    if (dim_is_const(extent)) {
        int64_t pieces = extent.value / chunk > 0 ? extent.value / chunk : 1;
        chunk = (extent.value + pieces - 1) / pieces;
        if (chunk < 1) chunk = 1;
    }
    if (cut == vector) chunk = (chunk + VECTOR_CHUNK - 1) / VECTOR_CHUNK * VECTOR_CHUNK;
    *out_loop = cut;
    *out_chunk = chunk;
}

Stmt *nest_wrap(Body *b, const Nest *nest, int n, Stmt *inside, int vector, double ns, Dim *out_units) {
    *out_units = dim_const(1);
    if (n == 0) return inside;
    DimTable *t = &b->l->g->dims;
    int cut;
    int64_t chunk;
    choose_cut(b, nest, n, vector, ns, &cut, &chunk);
    Dim extent = nest->loops[cut].extent, pieces = dim_ceildiv(t, extent, chunk), units = pieces;
    for (int i = 0; i < cut; i++) units = dim_mul(t, units, nest->loops[i].extent);
    Loop pieced = nest->loops[cut];
    ExprId piece_extent = index_dim(b, extent);
    *out_units = units;
    if (!dim_is(units, 1)) {
        ExprId *map = NEW_ARRAY(b->l->scratch, ExprId, b->k->n_vars);
        ExprId rest = expr_var(b->l->arena, b->k, VAR_UNIT);
        if (!dim_is(pieces, 1)) {
            ExprId n_pieces = index_dim(b, pieces), piece = cut == 0 ? rest : index_mod(b, rest, n_pieces);
            ExprId size = index_int(b, chunk), base = index_mul(b, piece, size);
            ExprId var = expr_var(b->l->arena, b->k, pieced.var);
            map[pieced.var] = index_add(b, base, var);
            if (cut > 0) rest = index_div(b, rest, n_pieces);
            ExprId left = index_sub(b, piece_extent, base);
            piece_extent = dim_is_const(extent) && extent.value % chunk == 0 ? size : index_min(b, left, size);
        }
        for (int i = cut - 1; i >= 0; i--) {
            ExprId size = index_dim(b, nest->loops[i].extent);
            map[nest->loops[i].var] = i == 0 ? rest : index_mod(b, rest, size);
            rest = i == 0 ? rest : index_div(b, rest, size);
        }
        Substitute s = {b, map, NEW_ARRAY(b->l->scratch, uint32_t, b->k->exprs.len)};
        substitute_stmts(&s, inside);
    }
    for (int i = n - 1; i >= cut; i--) {
        inside = nest_for(b, &nest->loops[i], i == vector ? FOR_VECTOR : FOR_SERIAL, inside);
        if (i == cut) inside->extent = piece_extent;
    }
    return inside;
}
