/* The order of elements as unsigned keys: sorting and picking the first without calling a comparison. Equal elements go
 * by index. */
#ifndef TFOPT_HOSTOPS_ORDER_H
#define TFOPT_HOSTOPS_ORDER_H
#include "hostops/host.h"

typedef struct {
    uint64_t key;
    int64_t index;
} TfoptOrdered;

/* keys[0..n) of the elements from `first` on: smaller where the element is smaller, or, descending, larger; 0 and -0
   are equal. false: one of them is a NaN. */
bool tfopt_order_keys(const TfoptTensor *t, int64_t first, int64_t n, bool descending, uint64_t *keys);
/* Entries of n elements in order, in memory of which `space` has room for 2 n entries. NULL: one of them is a NaN. */
const TfoptOrdered *tfopt_order_sort(const TfoptTensor *t, int64_t first, int64_t n, bool descending,
                                     TfoptOrdered *space);
/* The k first of n elements, largest first; `space` has room for k entries. false: one of them is a NaN. */
bool tfopt_order_top(const TfoptTensor *t, int64_t first, int64_t n, int64_t k, TfoptOrdered *space);
#endif
