/* Sorting by keys (order.h): radix sort, a byte at a time from the last, where bytes that are the same in all keys cost
   nothing; the k first by a heap that holds the last of the kept on top, which most elements are compared with and
   passed over. */
#include "hostops/order.h"
#include <string.h>

enum { CHUNK = 256 };

/* Bits of a float in the order of the numbers: the sign turned for positive ones, all for negative ones. */
#define FLOAT_KEYS(float_type, int_type, value)                                                                        \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        const float_type v = (value) + (float_type)0; /* -0 becomes 0 */                                               \
        int_type bits;                                                                                                 \
        memcpy(&bits, &v, sizeof bits);                                                                                \
        const int_type sign = bits >> (8 * sizeof bits - 1);                                                           \
        keys[i] = (bits ^ ((int_type)(0 - sign) | (int_type)1 << (8 * sizeof bits - 1))) ^ turn;                       \
        nan |= v != v;                                                                                                 \
    }
#define INT_KEYS(type)                                                                                                 \
    for (int64_t i = 0; i < n; i++)                                                                                    \
        keys[i] = ((uint64_t)(int64_t)((const type *)t->data)[first + i] ^ UINT64_C(1) << 63) ^ turn;

bool tfopt_order_keys(const TfoptTensor *t, int64_t first, int64_t n, bool descending, uint64_t *keys) {
    const uint64_t turn = descending ? UINT64_MAX : 0;
    bool nan = false;
    switch (t->dtype) {
    case TFOPT_F32:
        FLOAT_KEYS(float, uint32_t, ((const float *)t->data)[first + i])
        break;
    case TFOPT_F16:
    case TFOPT_BF16:
    case TFOPT_F8E4M3:
    case TFOPT_F8E5M2:
        FLOAT_KEYS(float, uint32_t, (float)tfopt_real_at(t, first + i))
        break;
    case TFOPT_F64:
        FLOAT_KEYS(double, uint64_t, ((const double *)t->data)[first + i])
        break;
    case TFOPT_S32:
        INT_KEYS(int32_t)
        break;
    case TFOPT_S64:
        INT_KEYS(int64_t)
        break;
    case TFOPT_U64:
        for (int64_t i = 0; i < n; i++) keys[i] = ((const uint64_t *)t->data)[first + i] ^ turn;
        break;
    default:
        for (int64_t i = 0; i < n; i++) keys[i] = ((uint64_t)tfopt_int_at(t, first + i) ^ UINT64_C(1) << 63) ^ turn;
        break;
    }
    return !nan;
}

static bool before(TfoptOrdered a, TfoptOrdered b) {
    return a.key < b.key || (a.key == b.key && a.index < b.index);
}

static void insertion_sort(TfoptOrdered *entries, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        const TfoptOrdered e = entries[i];
        int64_t at = i;
        for (; at > 0 && e.key < entries[at - 1].key; at--) entries[at] = entries[at - 1];
        entries[at] = e;
    }
}

const TfoptOrdered *tfopt_order_sort(const TfoptTensor *t, int64_t first, int64_t n, bool descending,
                                     TfoptOrdered *space) {
    enum { FEW = 32, BYTES = 8 };
    TfoptOrdered *from = space, *to = space + n;
    uint64_t keys[CHUNK], ones = 0, all = UINT64_MAX;
    for (int64_t i = 0; i < n; i += CHUNK) {
        const int64_t count = n - i < CHUNK ? n - i : CHUNK;
        if (!tfopt_order_keys(t, first + i, count, descending, keys)) return NULL;
        for (int64_t k = 0; k < count; k++) {
            from[i + k] = (TfoptOrdered){keys[k], i + k};
            ones |= keys[k];
            all &= keys[k];
        }
    }
    if (n <= FEW) {
        insertion_sort(from, n);
        return from;
    }
    for (int byte = 0; byte < BYTES; byte++) {
        const int shift = 8 * byte;
        if (((ones ^ all) >> shift & 255) == 0) continue;
        int64_t starts[256] = {0};
        for (int64_t i = 0; i < n; i++) starts[from[i].key >> shift & 255]++;
        for (int64_t digit = 0, sum = 0; digit < 256; digit++) {
            const int64_t count = starts[digit];
            starts[digit] = sum;
            sum += count;
        }
        for (int64_t i = 0; i < n; i++) to[starts[from[i].key >> shift & 255]++] = from[i];
        TfoptOrdered *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

/* Puts e where the top of the heap was. */
static void replace_top(TfoptOrdered *heap, int64_t size, TfoptOrdered e) {
    int64_t at = 0;
    for (;;) {
        int64_t child = 2 * at + 1;
        if (child >= size) break;
        if (child + 1 < size && before(heap[child], heap[child + 1])) child++;
        if (!before(e, heap[child])) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = e;
}

bool tfopt_order_top(const TfoptTensor *t, int64_t first, int64_t n, int64_t k, TfoptOrdered *space) {
    TfoptOrdered *heap = space;
    int64_t size = 0;
    uint64_t keys[CHUNK];
    for (int64_t i = 0; i < n; i += CHUNK) {
        const int64_t count = n - i < CHUNK ? n - i : CHUNK;
        if (!tfopt_order_keys(t, first + i, count, true, keys)) return false;
        int64_t c = 0;
        for (; c < count && size < k; c++) {
            const TfoptOrdered e = {keys[c], i + c};
            int64_t at = size++;
            for (; at > 0 && before(heap[(at - 1) / 2], e); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
            heap[at] = e;
        }
        for (; c < count && k > 0; c++) { /* an equal element comes later */
            if (keys[c] < heap[0].key) replace_top(heap, k, (TfoptOrdered){keys[c], i + c});
        }
    }
    /* Taking the last one out again and again sorts in place. */
    for (int64_t end = size - 1; end > 0; end--) {
        const TfoptOrdered last = heap[0];
        replace_top(heap, end, heap[end]);
        heap[end] = last;
    }
    return true;
}
