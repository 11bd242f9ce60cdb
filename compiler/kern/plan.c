/* plan: when each buffer lives, which share memory in place, and where each lies in the arena. Time is the order of
   steps with the blocks of a branch or loop directly behind their step. What is known before a loop and read in it
   lives to the loop's end; so does what changes places with it. Where all sizes are constants the offsets are fixed
   here: the best of several greedy orders, compared with the bound that no plan can beat; else the runtime plans when
   shapes are bound, with the same lifetimes. */
#include "kern/lower.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint32_t first, last; /* of the loop, in time */
    uint32_t outer;       /* index + 1 of the loop around it */
} LoopSpan;

typedef struct {
    Program *p;
    Arena *scratch;
    uint32_t now;
    VEC(LoopSpan) loops;
    uint32_t *first, *last; /* per root buffer; first UINT32_MAX: not used */
    uint32_t *loop_of;      /* per root buffer: loop + 1 in which it was used first */
} Plan;

static uint32_t root_of(const Program *p, uint32_t buffer) {
    const Buffer *b = &p->buffers.data[buffer];
    return b->kind == BUFFER_VIEW ? b->index : buffer;
}

static void touch(Plan *plan, uint32_t buffer, uint32_t loop) {
    uint32_t r = root_of(plan->p, buffer);
    if (plan->first[r] == UINT32_MAX) {
        plan->first[r] = plan->now;
        plan->loop_of[r] = loop;
    }
    plan->last[r] = plan->now;
}

/* Extends lifetimes over loop `i`, which ended: for what was there before it, and for what MOVE swaps with it. */
static void close_loop(Plan *plan, uint32_t i, const Block *body) {
    const LoopSpan *span = &plan->loops.data[i];
    for (uint32_t r = 0; r < plan->p->buffers.len; r++) {
        bool used_inside = plan->first[r] != UINT32_MAX && plan->last[r] >= span->first;
        if (used_inside && plan->first[r] < span->first) plan->last[r] = span->last;
    }
    for (uint32_t s = 0; s < body->steps.len; s++) {
        const Step *step = &body->steps.data[s];
        if (step->kind != STEP_MOVE) continue;
        for (int j = 0; j < 2; j++) {
            uint32_t r = root_of(plan->p, step->args.data[j]);
            if (plan->first[r] > span->first) plan->first[r] = span->first;
            plan->last[r] = span->last;
        }
    }
}

static void walk(Plan *plan, uint32_t block, uint32_t loop) {
    Program *p = plan->p;
    for (uint32_t i = 0; i < p->blocks.data[block].steps.len; i++) {
        const Step *s = &p->blocks.data[block].steps.data[i];
        plan->now++;
        for (uint32_t j = 0; j < s->args.len; j++)
            if (s->kind != STEP_WHILE) touch(plan, s->args.data[j], loop);
        if (s->kind == STEP_IF) {
            walk(plan, s->a, loop);
            walk(plan, s->b, loop);
        }
        for (uint32_t j = 0; s->kind == STEP_CASE && j < s->b; j++) walk(plan, s->a + j, loop);
        if (s->kind == STEP_WHILE) {
            uint32_t mine = plan->loops.len;
            vec_push(plan->scratch, &plan->loops, (LoopSpan){.first = plan->now, .outer = loop});
            walk(plan, s->a, mine + 1);
            touch(plan, s->args.data[0], mine + 1);
            walk(plan, s->b, mine + 1);
            plan->now++;
            plan->loops.data[mine].last = plan->now;
            close_loop(plan, mine, &p->blocks.data[s->b]);
        }
    }
}

static void find_lifetimes(Plan *plan) {
    uint32_t n = plan->p->buffers.len;
    plan->first = NEW_ARRAY(plan->scratch, uint32_t, n + 1);
    plan->last = NEW_ARRAY(plan->scratch, uint32_t, n + 1);
    plan->loop_of = NEW_ARRAY(plan->scratch, uint32_t, n + 1);
    memset(plan->first, 0xff, sizeof(uint32_t) * n);
    plan->now = 0;
    plan->loops.len = 0;
    walk(plan, 0, 0);
}

/* ---- in place */

/* Makes buffer `b` a view of all of `of`. */
static void alias(Program *p, uint32_t b, uint32_t of) {
    for (uint32_t i = 0; i < p->buffers.len; i++)
        if (p->buffers.data[i].kind == BUFFER_VIEW && p->buffers.data[i].index == b) p->buffers.data[i].index = of;
    p->buffers.data[b].kind = BUFFER_VIEW;
    p->buffers.data[b].index = of;
    p->buffers.data[b].offset = 0;
}

/* Whether every load of parameter `in` is at the index of the one store, which is to `out`: then they may be the same
 * memory. */
static bool same_order(const Kernel *k, uint32_t in, uint32_t out) {
    ExprId index = {0};
    uint32_t stores = 0;
    const Stmt *stack[64];
    int depth = 0;
    if (k->kind == KERNEL_CONTRACTION) return false; /* rows of A and residuals are told apart by their addresses */
    if (k->body) stack[depth++] = k->body;
    while (depth > 0) {
        const Stmt *s = stack[--depth];
        for (; s; s = s->next) {
            if (s->kind == STMT_STORE && ++stores && s->ref == out) index = s->index;
            if (s->body) {
                if (depth == 64) return false;
                stack[depth++] = s->body;
            }
        }
    }
    if (stores != 1 || index.i == 0) return false;
    bool any = false;
    for (uint32_t i = 1; i < k->exprs.len; i++) {
        const Expr *e = &k->exprs.data[i];
        if (e->kind != EXPR_LOAD) continue;
        if (e->ref == out) return false;
        if (e->ref == in && e->args[0].i != index.i) return false;
        any = any || e->ref == in;
    }
    return any;
}

/* Loads of parameter `in` become loads of `out`; `in` goes away. */
static void merge_params(Kernel *k, Step *s, uint32_t in, uint32_t out) {
    k->params.data[out].kind = PARAM_INOUT;
    for (uint32_t i = 1; i < k->exprs.len; i++)
        if (k->exprs.data[i].kind == EXPR_LOAD && k->exprs.data[i].ref == in) k->exprs.data[i].ref = out;
    for (uint32_t i = in; i + 1 < k->params.len; i++) k->params.data[i] = k->params.data[i + 1];
    for (uint32_t i = in; i + 1 < s->args.len; i++) s->args.data[i] = s->args.data[i + 1];
    k->params.len--;
    s->args.len--;
    s->n_in--;
    for (uint32_t i = 1; i < k->exprs.len; i++)
        if (k->exprs.data[i].kind == EXPR_LOAD && k->exprs.data[i].ref > in) k->exprs.data[i].ref--;
}

static void renumber_stores(Stmt *s, uint32_t removed) {
    for (; s; s = s->next) {
        if (s->kind == STMT_STORE && s->ref > removed) s->ref--;
        renumber_stores(s->body, removed);
    }
}

/* Whether `from` may end and `to` begin in the same memory at time `now`. */
static bool can_hand_over(const Plan *plan, uint32_t from, uint32_t to, uint32_t now) {
    const Program *p = plan->p;
    const Buffer *x = &p->buffers.data[from], *y = &p->buffers.data[to];
    return x->kind == BUFFER_ARENA && y->kind == BUFFER_ARENA && from != to && dim_equal(x->bytes, y->bytes) &&
           plan->last[from] == now && plan->first[to] == now && plan->loop_of[from] == plan->loop_of[to] &&
           !x->in_loop && !y->in_loop;
}

static bool share_kernel(Plan *plan, Step *s, uint32_t now) {
    Program *p = plan->p;
    Kernel *k = p->kernels.data[s->kernel];
    uint32_t out = UINT32_MAX;
    for (uint32_t i = 0; i < s->args.len; i++)
        if (k->params.data[i].kind == PARAM_OUT) out = out == UINT32_MAX ? i : UINT32_MAX - 1;
    if (out >= s->args.len || p->buffers.data[s->args.data[out]].kind == BUFFER_VIEW) return false;
    for (uint32_t i = 0; i < s->args.len; i++) {
        uint32_t root = root_of(p, s->args.data[i]);
        const Buffer *b = &p->buffers.data[s->args.data[i]];
        if (k->params.data[i].kind != PARAM_IN || k->params.data[i].dtype != k->params.data[out].dtype) continue;
        if ((b->kind == BUFFER_VIEW && b->offset != 0) || !can_hand_over(plan, root, s->args.data[out], now)) continue;
        bool twice = false; /* another argument in the same memory */
        for (uint32_t j = 0; j < s->args.len; j++) twice = twice || (j != i && root_of(p, s->args.data[j]) == root);
        if (twice || !same_order(k, i, out)) continue;
        uint32_t out_buffer = s->args.data[out];
        merge_params(k, s, i, out);
        renumber_stores(k->body, i);
        alias(p, out_buffer, root);
        return true;
    }
    return false;
}

static uint32_t count_time(const Program *p, uint32_t block) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->blocks.data[block].steps.len; i++) {
        const Step *s = &p->blocks.data[block].steps.data[i];
        n++;
        if (s->kind == STEP_IF || s->kind == STEP_WHILE) n += count_time(p, s->a) + count_time(p, s->b);
        if (s->kind == STEP_WHILE) n++;
        for (uint32_t j = 0; s->kind == STEP_CASE && j < s->b; j++) n += count_time(p, s->a + j);
    }
    return n;
}

/* One pass over a block from `now` on: in-place kernels, copies that become the same memory. Lifetimes of the joined
 * buffer are kept up. */
static void share_block(Plan *plan, uint32_t block, uint32_t now) {
    Program *p = plan->p;
    for (uint32_t i = 0; i < p->blocks.data[block].steps.len; i++) {
        Step *s = &p->blocks.data[block].steps.data[i];
        now++;
        if (s->kind == STEP_KERNEL) {
            uint32_t out = s->args.len ? s->args.data[s->args.len - 1] : 0;
            if (share_kernel(plan, s, now)) {
                for (uint32_t j = 0; j < s->args.len; j++)
                    if (p->kernels.data[s->kernel]->params.data[j].kind == PARAM_INOUT) out = s->args.data[j];
                plan->last[root_of(p, out)] = plan->last[out];
            }
        }
        if (s->kind == STEP_COPY && p->buffers.data[s->args.data[1]].kind == BUFFER_ARENA &&
            can_hand_over(plan, s->args.data[1], s->args.data[0], now)) {
            uint32_t to = s->args.data[0], from = s->args.data[1];
            alias(p, to, from);
            plan->last[from] = plan->last[to];
            s->args.data[1] = to; /* of itself to itself: dropped below */
            s->args.data[0] = to;
        }
        if (s->kind == STEP_IF || s->kind == STEP_WHILE) {
            share_block(plan, s->a, now);
            now += count_time(p, s->a);
            share_block(plan, s->b, now);
            now += count_time(p, s->b) + (s->kind == STEP_WHILE ? 1 : 0);
        }
        for (uint32_t j = 0; s->kind == STEP_CASE && j < s->b; j++) {
            share_block(plan, s->a + j, now);
            now += count_time(p, s->a + j);
        }
    }
}

static void drop_copies(Program *p) {
    for (uint32_t b = 0; b < p->blocks.len; b++) {
        Block *block = &p->blocks.data[b];
        uint32_t kept = 0;
        for (uint32_t i = 0; i < block->steps.len; i++) {
            const Step *s = &block->steps.data[i];
            if (s->kind == STEP_COPY && s->args.data[0] == s->args.data[1]) continue;
            block->steps.data[kept++] = *s;
        }
        block->steps.len = kept;
    }
}

/* ---- offsets */

typedef struct {
    uint32_t buffer, first, last;
    int64_t bytes, offset, weight;
} Item;

static int by_weight(const void *x, const void *y) {
    const Item *a = x, *b = y;
    if (a->weight != b->weight) return a->weight > b->weight ? -1 : 1;
    return a->buffer < b->buffer ? -1 : 1;
}

static int by_offset(const void *x, const void *y) {
    const Item *a = *(const Item *const *)x, *b = *(const Item *const *)y;
    if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
    return a->buffer < b->buffer ? -1 : a->buffer > b->buffer;
}

/* Places items in their order, each in the tightest gap between those alive with it. Returns the arena's size. */
static int64_t place(Arena *scratch, Item *items, uint32_t n) {
    Item **near = NEW_ARRAY(scratch, Item *, n + 1);
    int64_t size = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t count = 0;
        for (uint32_t j = 0; j < i; j++)
            if (items[j].first <= items[i].last && items[i].first <= items[j].last) near[count++] = &items[j];
        qsort(near, count, sizeof *near, by_offset);
        int64_t end = 0, best = -1, best_gap = INT64_MAX;
        for (uint32_t j = 0; j < count; j++) {
            int64_t gap = near[j]->offset - end;
            if (gap >= items[i].bytes && gap < best_gap) {
                best = end;
                best_gap = gap;
            }
            if (near[j]->offset + near[j]->bytes > end) end = near[j]->offset + near[j]->bytes;
        }
        items[i].offset = best >= 0 ? best : end;
        if (items[i].offset + items[i].bytes > size) size = items[i].offset + items[i].bytes;
    }
    return size;
}

static int64_t weigh(const Item *item, int order) {
    int64_t life = (int64_t)item->last - item->first + 1;
    if (order == 0) return item->bytes;
    if (order == 1) return item->bytes / 64 * life;
    if (order == 2) return life;
    return -(int64_t)item->first;
}

/* The largest sum of live bytes, and the largest buffer alive then. */
static int64_t lower_bound(const Item *items, uint32_t n, uint32_t *out_largest) {
    int64_t bound = 0;
    for (uint32_t i = 0; i < n; i++) { /* the maximum is reached where something begins */
        int64_t sum = 0;
        uint32_t largest = i;
        for (uint32_t j = 0; j < n; j++) {
            if (items[j].first > items[i].first || items[j].last < items[i].first) continue;
            sum += items[j].bytes;
            if (items[j].bytes > items[largest].bytes) largest = j;
        }
        if (sum > bound) {
            bound = sum;
            *out_largest = largest;
        }
    }
    return bound;
}

static void assign_offsets(Plan *plan) {
    Program *p = plan->p;
    Item *items = NEW_ARRAY(plan->scratch, Item, p->buffers.len + 1),
         *best = NEW_ARRAY(plan->scratch, Item, p->buffers.len + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->buffers.len; i++) {
        const Buffer *b = &p->buffers.data[i];
        if (b->kind != BUFFER_ARENA || b->bytes.value == 0) continue;
        items[n++] =
            (Item){.buffer = i, .first = b->first_step, .last = b->last_step, .bytes = (b->bytes.value + 63) / 64 * 64};
    }
    uint32_t largest = 0;
    p->arena_bound = lower_bound(items, n, &largest);
    p->arena_peak = n ? p->buffers.data[items[largest].buffer].name : NULL;
    p->arena_bytes = INT64_MAX;
    for (int order = 0; order < 4 && p->arena_bytes > p->arena_bound; order++) {
        for (uint32_t i = 0; i < n; i++) items[i].weight = weigh(&items[i], order);
        qsort(items, n, sizeof *items, by_weight);
        int64_t size = place(plan->scratch, items, n);
        if (size < p->arena_bytes) {
            p->arena_bytes = size;
            memcpy(best, items, sizeof *items * n);
        }
    }
    /* What ends at the top of the arena is tried earlier, a few times: the usual reason for a gap is a large item that
     * came late. */
    for (int round = 0; round < 24 && n > 1 && p->arena_bytes > p->arena_bound; round++) {
        memcpy(items, best, sizeof *items * n);
        uint32_t top = 0;
        for (uint32_t i = 1; i < n; i++)
            if (items[i].offset + items[i].bytes >= items[top].offset + items[top].bytes) top = i;
        if (top == 0) break;
        Item moved = items[top];
        uint32_t to = round % 3 == 0 ? 0 : round % 3 == 1 ? top / 2 : top - 1;
        memmove(&items[to + 1], &items[to], sizeof *items * (top - to));
        items[to] = moved;
        int64_t size = place(plan->scratch, items, n);
        if (size > p->arena_bytes) continue;
        p->arena_bytes = size;
        memcpy(best, items, sizeof *items * n);
    }
    if (n == 0) p->arena_bytes = 0;
    for (uint32_t i = 0; i < n; i++) p->buffers.data[best[i].buffer].offset = best[i].offset;
}

/* Weights one behind the other, 64-byte aligned. */
static void place_constants(Program *p) {
    int64_t offset = 0;
    for (uint32_t i = 0; i < p->buffers.len; i++) {
        Buffer *b = &p->buffers.data[i];
        if (b->kind != BUFFER_CONST) continue;
        b->offset = offset;
        offset += ((int64_t)tensor_bytes(b->data) + 63) / 64 * 64;
    }
}

static void choose_parallel(Program *p) {
    for (uint32_t b = 0; b < p->blocks.len; b++)
        for (uint32_t i = 0; i < p->blocks.data[b].steps.len; i++) {
            Step *s = &p->blocks.data[b].steps.data[i];
            if (s->kind != STEP_KERNEL) continue;
            int64_t units, most; /* at least: what costs are predicted for */
            dim_range(&p->g->dims, s->units, &units, &most);
            s->unit_ns = s->cost.ns / (double)(units > 1 ? units : 1);
            /* Where the number of units is known while running only, the runtime decides by unit_ns. */
            s->parallel = p->threads > 1 && !dim_is(s->units, 1) &&
                          (!dim_is_const(s->units) || cost_threads(p->machine, s->cost.ns, p->threads) > 1);
        }
}

bool program_plan(Program *p, const LowerOptions *o, Diag *d) {
    Plan plan = {.p = p, .scratch = arena_new()};
    find_lifetimes(&plan);
    share_block(&plan, 0, 0);
    drop_copies(p);
    find_lifetimes(&plan);
    p->is_static = true;
    for (uint32_t i = 0; i < p->buffers.len; i++) {
        Buffer *b = &p->buffers.data[i];
        bool unused = plan.first[i] == UINT32_MAX;
        b->first_step = unused ? 0 : plan.first[i];
        b->last_step = unused ? 0 : plan.last[i];
        if (unused && (b->kind == BUFFER_ARENA || b->kind == BUFFER_POOL)) {
            b->kind = BUFFER_ARENA;
            b->bytes = dim_const(0);
        }
        if (b->kind == BUFFER_POOL || (b->kind == BUFFER_ARENA && !dim_is_const(b->bytes))) p->is_static = false;
    }
    if (p->is_static) assign_offsets(&plan);
    place_constants(p);
    choose_parallel(p);
    program_dedup(p);
    arena_free(plan.scratch);
    if (p->is_static && o->max_memory > 0 && p->arena_bytes > o->max_memory)
        return diag_error(d, NULL, NULL,
                          "the program needs %lld MB of memory for intermediate tensors, the largest is '%s'; give a "
                          "smaller batch or raise --max-memory",
                          (long long)(p->arena_bytes >> 20), p->arena_peak);
    return true;
}
