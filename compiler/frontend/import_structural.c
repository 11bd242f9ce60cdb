/* import_structural: ops that compute nothing: constants, placeholders, identities, checks and prints (dropped),
   and host ops. */
#include "frontend/importer.h"
#include "ir/host.h"

#include <string.h>

bool import_constant(Import *c) {
    const TfAttr *a = tf_attr(c->n, "value");
    if (!a || a->kind != TF_ATTR_TENSOR) return bad(c, "has no attribute 'value' that is a tensor");
    return give(c, make_const(c, &a->v.tensor));
}

bool import_placeholder(Import *c) {
    return bad(c, "is a placeholder that is needed but is not among the inputs");
}

/* Identity, StopGradient, CheckNumerics …: outputs are the inputs. Also PlaceholderWithDefault, which as an input never
 * gets here. */
bool import_identity(Import *c) {
    return give(c, c->in[0]);
}

bool import_identity_n(Import *c) {
    if (c->n_in > IMPORT_MAX_OUTPUTS) return unsupported(c, "has more than %d outputs", IMPORT_MAX_OUTPUTS);
    c->n_out = c->n_in;
    memcpy(c->out, c->in, sizeof(ValueId) * c->n_in);
    return true;
}

/* NoOp, Assert, summaries: nothing is left of them. Print has its first input as result. */
bool import_drop(Import *c) {
    c->n_out = 0;
    if (import_row(c)->arg) diag_note(c->d, c->n->name, c->n->op, "dropped: it has no effect on the results");
    return true;
}

bool import_print(Import *c) {
    diag_note(c->d, c->n->name, c->n->op, "dropped: nothing is printed when the model runs");
    return give(c, c->in[0]);
}

bool import_constant_true(Import *c) {
    return give(c, make_scalar_int(c, DTYPE_BOOL, 1));
}

/* ---- host ops */

static Attr host_attr(Import *c, const TfAttr *a, bool *out_ok) {
    Arena *arena = c->g->arena;
    Attr r = {.name = arena_strdup(arena, a->name), .n = a->n};
    *out_ok = true;
    switch (a->kind) {
    case TF_ATTR_STRING:
        r.kind = ATTR_STRING;
        r.v.s = arena_strndup(arena, a->v.s ? a->v.s : "", a->n);
        return r;
    case TF_ATTR_INT:
        return attr_int(r.name, a->v.i);
    case TF_ATTR_BOOL:
        return attr_bool(r.name, a->v.i != 0);
    case TF_ATTR_FLOAT:
        return attr_float(r.name, a->v.f);
    case TF_ATTR_TYPE:
        return attr_type(r.name, dtype_from_tf((int)a->v.i));
    case TF_ATTR_LIST_TYPE: {
        DType *types = NEW_ARRAY(arena, DType, a->n + 1);
        for (uint32_t i = 0; i < a->n; i++) types[i] = dtype_from_tf((int)a->v.ints[i]);
        r.kind = ATTR_TYPES;
        r.v.types = types;
        return r;
    }
    case TF_ATTR_LIST_INT:
    case TF_ATTR_LIST_BOOL:
        return attr_ints(arena, r.name, a->n, a->v.ints);
    case TF_ATTR_LIST_FLOAT:
        r.kind = ATTR_FLOATS;
        r.v.floats = arena_memdup(arena, a->v.floats, sizeof(double) * a->n);
        return r;
    case TF_ATTR_LIST_STRING:
        r.kind = ATTR_STRINGS;
        r.v.strings = arena_memdup(arena, a->v.strings, sizeof(StringElement) * a->n);
        return r;
    case TF_ATTR_SHAPE:
        if (a->v.shape.rank < 0) break; /* unknown rank: no attribute */
        return attr_ints(arena, r.name, (size_t)a->v.shape.rank, a->v.shape.dims);
    case TF_ATTR_LIST_SHAPE: {
        /* one after the other: rank (-1 unknown), then its dims (-1 unknown) */
        int64_t *flat = NEW_ARRAY(arena, int64_t, (size_t)a->n * (1 + MAX_RANK) + 1);
        size_t n = 0;
        for (uint32_t i = 0; i < a->n; i++) {
            flat[n++] = a->v.shapes[i].rank;
            for (int k = 0; k < a->v.shapes[i].rank; k++) flat[n++] = a->v.shapes[i].dims[k];
        }
        return attr_ints(arena, r.name, n, flat);
    }
    case TF_ATTR_TENSOR:
        return attr_tensor(arena, r.name, &a->v.tensor);
    default:
        break;
    }
    *out_ok = false;
    return r;
}

/* TensorFlow's own attributes by their names; a shape is its dims as ints (-1 unknown, no attribute when the rank is
   unknown), a list of shapes is one list of ints: rank, dims, rank, dims …. Names that start with _ are TensorFlow's
   notes to itself. */
static uint32_t host_attrs(Import *c, Attr **out) {
    Attr *attrs = NEW_ARRAY(c->im->arena, Attr, c->n->n_attrs + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n->n_attrs; i++) {
        bool ok = c->n->attrs[i].name[0] != '_';
        if (ok) attrs[n] = host_attr(c, &c->n->attrs[i], &ok);
        n += ok;
    }
    *out = attrs;
    return n;
}

static ValueId import_host_row(Import *c, const HostOp *host, uint32_t n_inputs, const ValueId *inputs,
                               uint32_t n_outputs) {
    if (n_outputs > IMPORT_MAX_OUTPUTS) {
        unsupported(c, "has more than %d outputs", IMPORT_MAX_OUTPUTS);
        return (ValueId){0};
    }
    Attr *attrs = NULL;
    uint32_t n_attrs = host_attrs(c, &attrs);
    NodeSpec spec = {
        .op = OP_HOST, .name = c->n->name, .tf_op = c->n->op, .host = host, .inputs = inputs, .n_inputs = n_inputs};
    spec.n_outputs = n_outputs;
    spec.attrs = attrs;
    spec.n_attrs = n_attrs;
    NodeId id = graph_add(c->g, c->r, &spec, c->d);
    if (id.i == 0) return (ValueId){0};
    Node *n = node_at(c->g, id);
    c->n_out = n->n_outputs;
    memcpy(c->out, n->outputs, sizeof(ValueId) * n->n_outputs);
    return n->n_outputs ? c->out[0] : (ValueId){0};
}

ValueId import_host(Import *c, const char *row, uint32_t n_inputs, const ValueId *inputs, uint32_t n_outputs) {
    const HostOp *host = host_op_find(row);
    if (host) return import_host_row(c, host, n_inputs, inputs, n_outputs);
    unsupported(c, "has no implementation for these element types (host function %s)", row);
    return (ValueId){0};
}

bool import_custom(Import *c, const HostOp *host) {
    uint32_t errors = c->d->n_errors;
    for (uint32_t i = 0; i < c->n_in; i++)
        if (any_rank_find(c->im, c->in[i])) return unsupported(c, "the rank of input %u is known only at run time", i);
    import_host_row(c, host, c->n_in, c->in, tf_output_count(c->n));
    return c->d->n_errors == errors;
}

bool import_host_generic(Import *c) {
    const HostOp *host = host_op_find(c->n->op);
    uint32_t errors = c->d->n_errors;
    import_host(c, c->n->op, c->n_in, c->in,
                host && host->n_results >= 0 ? (uint32_t)host->n_results : tf_output_count(c->n));
    return c->d->n_errors == errors;
}
