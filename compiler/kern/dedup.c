/* dedup: equal kernels become one. A kernel is written out as bytes, everything but its name and cost; equal bytes are
 * equal kernels. */
#include "kern/lower.h"

static void add_u64(Str *s, uint64_t v) {
    str_add_bytes(s, &v, sizeof v);
}

static void add_dim(Str *s, Dim d) {
    add_u64(s, d.expr);
    add_u64(s, (uint64_t)d.value);
}

static void add_body(Str *s, const Stmt *stmt) {
    for (; stmt; stmt = stmt->next) {
        add_u64(s, (uint64_t)stmt->kind + 1);
        add_u64(s, (uint64_t)stmt->mode);
        add_u64(s, stmt->ref);
        add_u64(s, (uint64_t)stmt->op);
        add_u64(s, stmt->extent.i);
        add_u64(s, stmt->index.i);
        add_u64(s, stmt->value.i);
        add_u64(s, stmt->pred.i);
        add_body(s, stmt->body);
    }
    add_u64(s, 0);
}

static void add_contraction(Str *s, const Contraction *c) {
    const Dim dims[] = {c->batch, c->m,   c->n,        c->k,       c->a_batch, c->a_m, c->a_k,   c->b_batch,
                        c->b_k,   c->b_n, c->b_repeat, c->c_batch, c->c_m,     c->c_n, c->c_row, c->c_offset};
    const int64_t numbers[] = {(int64_t)c->kind, (int64_t)c->a,   (int64_t)c->b,  (int64_t)c->acc,
                               c->b_packed,      c->packed.nr,    c->packed.kg,   c->tile_m,
                               c->tile_n,        c->unit_m,       c->unit_n,      c->conv.rank,
                               c->conv.channels, c->conv.filters, c->conv.groups, c->scratch};
    for (size_t i = 0; i < ARRAY_LEN(dims); i++) add_dim(s, dims[i]);
    str_add_bytes(s, numbers, sizeof numbers);
    for (int i = 0; i < c->conv.rank; i++) {
        add_dim(s, c->conv.in[i]);
        add_dim(s, c->conv.out[i]);
        add_dim(s, c->conv.before[i]);
        add_u64(s, (uint64_t)c->conv.kernel[i]);
        add_u64(s, (uint64_t)c->conv.stride[i]);
        add_u64(s, (uint64_t)c->conv.dilation[i]);
    }
}

static void add_kernel(Str *s, const Kernel *k) {
    add_u64(s, (uint64_t)k->kind);
    add_u64(s, k->params.len);
    for (uint32_t i = 0; i < k->params.len; i++) {
        const Param *p = &k->params.data[i];
        add_u64(s, (uint64_t)p->kind);
        add_u64(s, (uint64_t)p->dtype);
        add_u64(s, p->aligned);
        add_dim(s, p->elements);
    }
    add_u64(s, k->n_accs);
    for (uint32_t i = 0; i < k->n_accs; i++) add_u64(s, (uint64_t)k->acc_types[i]);
    add_u64(s, k->exprs.len);
    str_add_bytes(s, k->exprs.data, sizeof(Expr) * k->exprs.len); /* clean by construction */
    add_u64(s, k->epilogue.i);
    add_dim(s, k->units);
    add_body(s, k->body);
    if (k->contraction) add_contraction(s, k->contraction);
}

void program_dedup(Program *p) {
    Arena *scratch = arena_new();
    Map index;
    map_init(&index, scratch);
    uint32_t *number = NEW_ARRAY(scratch, uint32_t, p->kernels.len + 1), kept = 0;
    for (uint32_t i = 0; i < p->kernels.len; i++) {
        Kernel *k = p->kernels.data[i];
        Str bytes;
        str_init(&bytes, scratch);
        add_kernel(&bytes, k);
        k->hash = hash_bytes(HASH_SEED, bytes.data, bytes.len);
        if (map_add_bytes(&index, bytes.data, bytes.len, kept)) {
            number[i] = kept;
            p->kernels.data[kept++] = k;
        } else {
            number[i] = (uint32_t)map_find_bytes(&index, bytes.data, bytes.len)->value;
        }
    }
    p->kernels.len = kept;
    for (uint32_t b = 0; b < p->blocks.len; b++)
        for (uint32_t i = 0; i < p->blocks.data[b].steps.len; i++) {
            Step *s = &p->blocks.data[b].steps.data[i];
            if (s->kind == STEP_KERNEL) s->kernel = number[s->kernel];
        }
    arena_free(scratch);
}
