/* The exact mode: every float value of the graph is held and computed in f64, whatever its type says, so that the
   difference to a plain run shows what rounding in the graph's own types does to each answer. Ops that read or write
   the bits of their type (constants, bitcasts, host functions, resizes, whose positions are f32 by definition) get and
   give values of that type: they are converted around them. */
#include "ref/ref_internal.h"

DType ref_exact_dtype(const RefSession *s, DType t) {
    return s && s->exact && dtype_is_float(t) ? DTYPE_F64 : t;
}

bool ref_keeps_types(const Node *n) {
    return n->op == OP_HOST || n->op == OP_BITCAST || n->op == OP_RESIZE ||
           (op_info(n->op)->flags & OP_FLAG_CONSTANT) != 0;
}

void ref_convert_floats(Tensor *t, DType to, void *data) {
    if (t->dtype == to || !dtype_is_float(t->dtype)) return;
    uint64_t chunk[256];
    const int64_t n = tensor_count(t), most = (int64_t)ARRAY_LEN(chunk);
    for (int64_t i = 0; i < n; i += most) {
        const int64_t count = n - i < most ? n - i : most;
        ref_load(t->dtype, t->data, i, count, chunk);
        ref_store(to, data, i, count, ref_wide(t->dtype), chunk);
    }
    t->dtype = to;
    t->data = data;
}

void ref_exact_operands(RefSession *s, const Node *n, Tensor *in) {
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        const DType t = value_at(s->g, n->inputs[i])->dtype;
        if (in[i].dtype == t || !dtype_is_float(t)) continue;
        ref_convert_floats(&in[i], t, arena_alloc(s->scratch, ref_bytes(t, in[i].rank, in[i].dims) + 8));
    }
}

void ref_exact_result(RefSession *s, RefSlot *slot) {
    if (!dtype_is_float(slot->t.dtype) || slot->t.dtype == DTYPE_F64) return;
    RefBuffer *wide = ref_buffer_new(s, ref_bytes(DTYPE_F64, slot->t.rank, slot->t.dims));
    RefSlot converted = {.t = slot->t, .owner = wide, .set = true};
    ref_convert_floats(&converted.t, DTYPE_F64, ref_buffer_data(wide));
    ref_slot_release(s, slot);
    *slot = converted;
}
