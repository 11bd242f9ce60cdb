/* plan: offsets of buffers whose sizes are known only when shapes are bound. Greedy by size: the largest buffer first,
   each into the tightest gap between the buffers already placed that live at the same time. Allocates nothing. */
#include "core/core.h"

/* Larger first, then by buffer number: a total order, so that every run plans alike. */
static bool comes_after(const PlanItem *a, const PlanItem *b) {
    return a->bytes != b->bytes ? a->bytes < b->bytes : a->buffer > b->buffer;
}

static void swap(PlanItem *a, PlanItem *b) {
    PlanItem t = *a;
    *a = *b;
    *b = t;
}

static void sift(PlanItem *items, uint32_t at, uint32_t n) {
    for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && comes_after(&items[child + 1], &items[child])) child++;
        if (!comes_after(&items[child], &items[at])) return;
        swap(&items[at], &items[child]);
    }
}

static void sort_by_size(PlanItem *items, uint32_t n) {
    for (uint32_t i = n / 2; i-- > 0;) sift(items, i, n);
    for (uint32_t i = n; i-- > 1;) {
        swap(&items[0], &items[i]);
        sift(items, 0, i);
    }
}

/* The placed items are kept ordered by offset: items[0..n_placed). Returns where the new one goes. */
static int64_t best_gap(const PlanItem *items, uint32_t n_placed, const PlanItem *new_item) {
    int64_t end = 0, best = -1, best_gap_bytes = INT64_MAX;
    for (uint32_t i = 0; i < n_placed; i++) {
        const PlanItem *p = &items[i];
        if (p->last < new_item->first || new_item->last < p->first) continue;
        int64_t gap = p->offset - end;
        if (gap >= new_item->bytes && gap < best_gap_bytes) {
            best = end;
            best_gap_bytes = gap;
        }
        if (p->offset + p->bytes > end) end = p->offset + p->bytes;
    }
    return best >= 0 ? best : end;
}

/* Sets the offsets of items (reorders them) and returns the arena's size; INT64_MAX when it does not fit in 64 bits. */
int64_t core_plan(PlanItem *items, uint32_t n) {
    const int64_t mask = ALIGNMENT - 1;
    int64_t total = 0, sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (items[i].bytes > INT64_MAX - mask || __builtin_add_overflow(sum, (items[i].bytes + mask) & ~mask, &sum))
            return INT64_MAX;
        items[i].bytes = (items[i].bytes + mask) & ~mask;
    }
    sort_by_size(items, n);
    for (uint32_t i = 0; i < n; i++) {
        PlanItem item = items[i];
        item.offset = best_gap(items, i, &item);
        if (item.offset + item.bytes > total) total = item.offset + item.bytes;
        uint32_t at = i;
        for (; at > 0 && items[at - 1].offset > item.offset; at--) items[at] = items[at - 1];
        items[at] = item;
    }
    return total;
}
