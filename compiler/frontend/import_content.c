/* import_content: what is known of the elements of small integer tensors while importing, as constants or as sizes, and
   what has to hold for that. Where arithmetic behind them may leave its type (Value.may_wrap), the run checks that it
   does not: a size may be anything that TensorFlow's wrapping numbers are not. */
#include "frontend/importer.h"
#include "ir/constraint.h"

#include <string.h>

/* ---- what the run checks */

bool make_require(Import *c, const char *kind, Dim a, Dim b) {
    ConstraintKind k = CONSTRAINT_EQUAL;
    CHECK(constraint_kind(kind, &k));
    Constraints known = {.g = c->g, .arena = c->im->arena};
    constraint_add(&known, k, a, b);
    if (known.list.len == 0) return true;
    if (dim_is_const(a) && dim_is_const(b))
        return bad(c, "sizes %lld and %lld do not fit", (long long)a.value, (long long)b.value);
    Attr attrs[3];
    attrs[0] = attr_string("kind", kind);
    attrs[1] = attr_dims(c->g->arena, "a", 1, &a);
    attrs[2] = attr_dims(c->g->arena, "b", 1, &b);
    NodeSpec spec = {.op = OP_REQUIRE, .name = c->n->name, .tf_op = c->n->op, .attrs = attrs, .n_attrs = 3};
    return graph_add(c->g, c->r, &spec, c->d).i != 0;
}

/* Makes the run check that the elements are values of the type, where that is not known. */
static bool require_fits(Import *c, const Dim *elements, int64_t n, DType dtype) {
    int64_t least, most;
    dtype_limits(dtype, &least, &most);
    for (int64_t i = 0; i < n; i++) {
        if (dim_fits(c->g, elements[i], dtype)) continue;
        if (!make_require(c, "at_most", elements[i], dim_const(most)) ||
            !make_require(c, "at_most", dim_const(least), elements[i]))
            return false;
    }
    return true;
}

/* Makes the run check that nothing behind the content of v wraps around. */
static bool require_no_wrap(Import *c, ValueId v) {
    enum { MOST = 1024 };
    ValueId pending[MOST];
    Arena *scratch = arena_new();
    Map seen;
    map_init(&seen, scratch);
    int n_pending = 1, n_seen = 0;
    bool ok = true;
    for (pending[0] = v; ok && n_pending > 0;) {
        ValueId id = pending[--n_pending];
        const Value *value = value_at(c->g, id);
        if (!value->content || !value->may_wrap || !map_add_bytes(&seen, &id.i, sizeof id.i, 1)) continue;
        ok = require_fits(c, value->content, shape_count(&value->shape), value->dtype);
        const Node *def = value->def.i ? node_at(c->g, value->def) : NULL;
        if (ok && (++n_seen >= MOST || (def && def->n_inputs > (uint32_t)(MOST - n_pending))))
            ok = unsupported(c, "the arithmetic behind a size is too long to be followed");
        for (uint32_t i = 0; ok && def && i < def->n_inputs; i++) pending[n_pending++] = def->inputs[i];
    }
    arena_free(scratch);
    return ok;
}

const Dim *import_content(Import *c, ValueId v) {
    const Value *value = value_at(c->g, v);
    return value->content && (!value->may_wrap || require_no_wrap(c, v)) ? value_at(c->g, v)->content : NULL;
}

/* ---- operands that must be known */

bool import_const_ints(Import *c, uint32_t input, int64_t *out, int *out_n, int max) {
    Value *v = value_at(c->g, c->in[input]);
    const Tensor *t = value_const(c->g, c->in[input]);
    if (t) { /* of any rank: TensorFlow takes the elements in a row */
        int64_t n = tensor_count(t);
        if (n > max) return bad(c, "input %u has %lld elements, at most %d make sense", input, (long long)n, max);
        for (int64_t i = 0; i < n; i++) out[i] = tensor_get_i64(t, i);
        *out_n = (int)n;
        return true;
    }
    int64_t n = shape_count(&v->shape);
    const Dim *content = import_content(c, c->in[input]);
    if ((content || n == 0) && n >= 0 && n <= max) {
        bool all = true;
        for (int64_t i = 0; i < n; i++) {
            all = all && dim_is_const(content[i]);
            out[i] = content[i].value;
        }
        *out_n = (int)n;
        if (all) return true;
    }
    return unsupported(c, "input %u is computed at run time; only a constant is compiled here", input);
}

/* New symbols for the n elements of a value that is computed at run time. */
static bool load_symbols(Import *c, ValueId id, int64_t min, int64_t n, Dim *out, const char *what) {
    int64_t symbols[MAX_CONTENT] = {0};
    if (n > MAX_CONTENT) return unsupported(c, "%s has more elements than are followed at compile time", what);
    for (int64_t i = 0; i < n; i++) {
        out[i] = dim_symbol(&c->g->dims, NULL, min, INT64_MAX);
        symbols[i] = (int64_t)c->g->dims.exprs.data[out[i].expr].symbol;
    }
    Shape flat = {.rank = 1, .dims = {dim_const(n)}};
    ValueId vector = rank_of(c, id) > 1 ? make_reshape(c, id, &flat) : id;
    Attr attrs[] = {attr_ints(c->g->arena, "symbols", (size_t)n, symbols)};
    NodeSpec spec = {.op = OP_LOAD_DIMS,
                     .name = c->n->name,
                     .tf_op = c->n->op,
                     .inputs = &vector,
                     .n_inputs = 1,
                     .attrs = attrs,
                     .n_attrs = 1};
    if (n > 0 && graph_add(c->g, c->r, &spec, c->d).i == 0) return false;
    /* From here on whoever asks for these elements gets the same symbols. */
    if (value_at(c->g, id)->shape.rank <= 1)
        value_at(c->g, id)->content = arena_memdup(c->g->arena, out, sizeof(Dim) * (size_t)(n ? n : 1));
    return true;
}

/* Looks through what moves elements without reordering them, so that a shape packed from known and unknown parts is
 * known in part. */
static bool load_elements(Import *c, ValueId id, int64_t min, int64_t n, Dim *out, const char *what, int depth) {
    Value *v = value_at(c->g, id);
    const Tensor *t = value_const(c->g, id);
    if (t || v->content) {
        const Dim *content = t ? NULL : import_content(c, id);
        for (int64_t i = 0; i < n && (t || content); i++) out[i] = t ? dim_const(tensor_get_i64(t, i)) : content[i];
        return t || content;
    }
    const Node *def = v->def.i ? node_at(c->g, v->def) : NULL;
    if (def && depth < 8 &&
        (def->op == OP_RESHAPE || (def->op == OP_CAST && dtype_is_int(value_at(c->g, def->inputs[0])->dtype))) &&
        shape_count(&value_at(c->g, def->inputs[0])->shape) == n) {
        DType dtype = v->dtype;
        return load_elements(c, def->inputs[0], min, n, out, what, depth + 1) && require_fits(c, out, n, dtype);
    }
    if (!def || depth >= 8 || def->op != OP_CONCAT) return load_symbols(c, id, min, n, out, what);
    /* Each part has a row of its elements in each of the `outer` blocks in front of the axis. */
    int64_t outer = 1, at = 0;
    for (int64_t k = 0; k < node_int(def, "axis", 0); k++) outer *= v->shape.dims[k].value;
    const uint32_t n_parts = def->n_inputs;
    const ValueId *parts = def->inputs;
    for (uint32_t i = 0; i < n_parts; i++) {
        Dim elements[MAX_CONTENT];
        const int64_t part = shape_count(&value_at(c->g, parts[i])->shape);
        if (part < 0 || part > MAX_CONTENT || at * outer + part > n) return load_symbols(c, id, min, n, out, what);
        if (!load_elements(c, parts[i], min, part, elements, what, depth + 1)) return false;
        const int64_t row = outer ? part / outer : 0;
        for (int64_t k = 0; k < part; k++) out[k / row * (n / outer) + at + k % row] = elements[k];
        at += row;
    }
    return true;
}

bool load_content(Import *c, ValueId id, int64_t min, Dim *out, int *out_n, int max, const char *what) {
    if (failed(id)) return false;
    Value *v = value_at(c->g, id);
    int64_t n = shape_count(&v->shape);
    if (n < 0)
        return unsupported(c, "%s has a length that is known only at run time, so the rank of the result is unknown",
                           what);
    if (n > max) return bad(c, "%s has %lld elements, at most %d make sense", what, (long long)n, max);
    if (!dtype_is_int(v->dtype)) return bad(c, "%s must be integers", what);
    *out_n = (int)n;
    return load_elements(c, id, min, n, out, what, 0);
}

bool const_scalar(Import *c, uint32_t input, const char *what, double *out) {
    const Tensor *t = value_const(c->g, c->in[input]);
    const Value *v = value_at(c->g, c->in[input]);
    if (t && tensor_count(t) == 1) {
        *out = tensor_get_f64(t, 0);
        return true;
    }
    const Dim *content = shape_count(&v->shape) == 1 ? import_content(c, c->in[input]) : NULL;
    if (content && dim_is_const(content[0])) {
        *out = (double)content[0].value;
        return true;
    }
    return unsupported(c, "%s is computed at run time; only a constant is compiled here", what);
}
