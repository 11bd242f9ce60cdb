/* import_variant: what is put into objects and taken out again (runtime/hostops/variant.h): ragged tensors as elements,
   lists inside of lists, optional values, maps. An object knows the rank of what it holds; the importer remembers which
   ranks were put into objects of a kind, so that what comes out of one mostly has a known rank. */
#include "frontend/importer.h"
#include "ir/host.h"

#include <string.h>

/* A tensor taken out of an object: c->out[i] and c->out[i + 1], as a value of its own. */
static ValueId taken(Import *c, ValueId elements, ValueId dims, uint32_t ranks) {
    ValueId v = any_rank_register(c, elements, dims, ranks);
    return !failed(v) && __builtin_popcount(ranks) == 1 ? any_rank_fix(c, v, __builtin_ctz(ranks)) : v;
}

static uint32_t ranks_of(const Import *c, ValueId v) {
    const AnyRank *any = any_rank_find(c->im, v);
    return any ? any->ranks : 1u << rank_of(c, v);
}

/* RaggedTensorToVariant (nested splits…, values) */
bool import_ragged_to_variant(Import *c) {
    uint32_t ranks = ranks_of(c, c->in[c->n_in - 1]);
    if (attr_i(c, "batched_input", 0) && c->n_in == 1) ranks >>= 1; /* rows of a tensor */
    c->im->ragged_ranks[dtype_of(c, c->in[c->n_in - 1])] |= ranks;
    return import_host_generic(c);
}

/* RaggedTensorFromVariant (variants) -> nested splits…, values */
bool import_ragged_from_variant(Import *c) {
    int64_t depth = attr_i(c, "output_ragged_rank", 0);
    DType dtype = attr_t(c, "Tvalues", DTYPE_F32);
    if (depth < 0 || depth > MAX_RANK || dtype == DTYPE_NONE)
        return bad(c, "has no valid output_ragged_rank or Tvalues");
    if (dtype_of(c, c->in[0]) != DTYPE_VARIANT) return bad(c, "reads a value that is no variant");
    uint32_t ranks = c->im->ragged_ranks[dtype];
    if (depth == 0) ranks <<= rank_of(c, c->in[0]);
    if (!ranks) return unsupported(c, "nothing of this type was put into variants before");
    uint32_t errors = c->d->n_errors;
    import_host(c, "_RaggedTensorFromVariant", 1, c->in, (uint32_t)depth + 2);
    if (c->d->n_errors != errors) return false;
    c->n_out = (uint32_t)depth + 1;
    c->out[depth] = taken(c, c->out[depth], c->out[depth + 1], ranks);
    return !failed(c->out[depth]);
}

/* OptionalGetValue (optional) -> components */
bool import_optional_get_value(Import *c) {
    const TfAttr *types = tf_attr(c->n, "output_types");
    const TfAttr *shapes = tf_attr(c->n, "output_shapes");
    if (!types || types->kind != TF_ATTR_LIST_TYPE || types->n == 0 || types->n > IMPORT_MAX_OUTPUTS / 2)
        return bad(c, "has no attribute output_types");
    uint32_t errors = c->d->n_errors;
    import_host(c, "_OptionalGetValue", 1, c->in, 2 * types->n);
    if (c->d->n_errors != errors) return false;
    c->n_out = types->n;
    for (uint32_t i = 0; i < types->n; i++) {
        uint32_t ranks = ANY_RANK_ALL;
        if (shapes && shapes->kind == TF_ATTR_LIST_SHAPE && i < shapes->n && shapes->v.shapes[i].rank >= 0)
            ranks = 1u << shapes->v.shapes[i].rank;
        c->out[i] = taken(c, c->out[2 * i], c->out[2 * i + 1], ranks);
        if (failed(c->out[i])) return false;
    }
    return true;
}

/* TensorMapLookup, TensorMapStackKeys */
bool import_map_take(Import *c) {
    const char *row = import_row(c)->text;
    if (failed(import_host(c, row, c->n_in, c->in, 2))) return false;
    c->n_out = 1;
    return give(c, taken(c, c->out[0], c->out[1], ANY_RANK_ALL));
}

/* CSRSparseMatrixToDense, SparseMatrixNNZ: whether there is a batch in front is known while running; arg: ranks */
bool import_csr_take(Import *c) {
    const TfOpRow *row = import_row(c);
    if (failed(import_host(c, row->text, c->n_in, c->in, 2))) return false;
    c->n_out = 1;
    return give(c, taken(c, c->out[0], c->out[1], (uint32_t)row->arg));
}

/* ---- lists inside of lists */

/* A host op of the importer's own choice, with these attributes; NULL after a message. */
static const ValueId *call(Import *c, const char *op, uint32_t n, const ValueId *inputs, Attr attr,
                           uint32_t n_outputs) {
    NodeSpec spec = {.op = OP_HOST,
                     .name = c->n->name,
                     .tf_op = c->n->op,
                     .host = host_op_find(op),
                     .inputs = inputs,
                     .n_inputs = n,
                     .n_outputs = n_outputs,
                     .attrs = &attr,
                     .n_attrs = 1};
    CHECK(spec.host);
    NodeId id = graph_add(c->g, c->r, &spec, c->d);
    return id.i ? node_at(c->g, id)->outputs : NULL;
}

/* The two parts of a ragged list. */
static Attr part_types(const Import *c, const char *name, DType dtype) {
    DType types[] = {dtype, DTYPE_S64};
    return (Attr){.name = name,
                  .kind = ATTR_TYPES,
                  .n = ARRAY_LEN(types),
                  .v.types = arena_memdup(c->g->arena, types, sizeof types)};
}

/* A list of values of different shapes goes into an object with its meta beside it, and from then on every list of
   values of that type does. */
static ValueId box_ragged(Import *c, ValueId list, DType dtype) {
    uint32_t *known = &c->im->boxed_ragged[dtype];
    list = ragged_of(c, list, *known ? (int)*known - 1 : 0);
    if (failed(list)) return list;
    ValueId parts[] = {list, list_find(c->im, list)->meta};
    uint32_t width = (uint32_t)dim_of(c, parts[1], 1).value; /* 1 + rank */
    if (c->im->boxed_ranks[dtype] || (*known && *known != width)) {
        unsupported(c, "puts lists of values of different shapes and others into lists");
        return (ValueId){0};
    }
    *known = width;
    const ValueId *box = call(c, "OptionalFromValue", 2, parts, part_types(c, "Toutput_types", dtype), 1);
    return box ? box[0] : (ValueId){0};
}

static ValueId unbox_ragged(Import *c, ValueId list, DType dtype) {
    const ValueId *made = call(c, "_OptionalGetValue", 1, &list, part_types(c, "output_types", dtype), 4);
    if (!made) return (ValueId){0};
    ValueId parts[4];
    memcpy(parts, made, sizeof parts);
    TfShape unknown = {.rank = -1};
    ValueId data = taken(c, parts[0], parts[1], 1u << 1);
    ValueId meta = taken(c, parts[2], parts[3], 1u << 2);
    meta = make_sized(c, meta, 1, c->im->boxed_ragged[dtype]);
    return ragged_register(c, data, meta, &unknown);
}

ValueId list_box(Import *c, ValueId list) {
    const ListInfo *info = list_find(c->im, list);
    if (failed(list) || (dtype_of(c, list) == DTYPE_VARIANT && !info)) return list;
    DType dtype = info ? info->dtype : dtype_of(c, list);
    if ((info && (info->parts || info->meta.i)) || c->im->boxed_ragged[dtype]) return box_ragged(c, list, dtype);
    ValueId x = list_tensor(c, list, NULL);
    if (failed(x)) return x;
    c->im->boxed_ranks[dtype_of(c, x)] |= ranks_of(c, x);
    x = import_host(c, "_ListBox", 1, &x, 1);
    c->n_out = 1;
    return x;
}

/* The element type of a list that is an object: what the op says, else the only one that was put into objects. */
static DType boxed_type(const Import *c) {
    DType only = DTYPE_NONE;
    int n = 0;
    DType said = attr_t(c, "element_dtype", DTYPE_NONE);
    for (DType t = DTYPE_F32; t < N_DTYPES; t++)
        if (c->im->boxed_ranks[t] || c->im->boxed_ragged[t]) only = t, n++;
    return said != DTYPE_NONE ? said : n == 1 ? only : DTYPE_NONE;
}

bool list_is_boxed(const Import *c, ValueId list) {
    return dtype_of(c, list) == DTYPE_VARIANT && rank_of(c, list) == 0 && !list_find(c->im, list);
}

ValueId list_unbox(Import *c, ValueId list) {
    return list_is_boxed(c, list) ? list_unbox_as(c, list, boxed_type(c)) : list;
}

ValueId list_unbox_as(Import *c, ValueId list, DType dtype) {
    uint32_t ranks = dtype == DTYPE_NONE ? 0 : c->im->boxed_ranks[dtype];
    if (dtype != DTYPE_NONE && c->im->boxed_ragged[dtype]) return unbox_ragged(c, list, dtype);
    if (__builtin_popcount(ranks) != 1) {
        unsupported(c, ranks ? "uses a list out of a list of lists of different ranks"
                             : "uses a list out of a list that lists were not put into before");
        return (ValueId){0};
    }
    const ValueId *parts = call(c, "_ListUnbox", 1, &list, attr_type("element_dtype", dtype), 2);
    if (!parts) return (ValueId){0};
    ValueId elements = parts[0];
    ValueId dims = parts[1];
    return taken(c, elements, dims, ranks);
}
