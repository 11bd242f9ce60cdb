/* pack: lays constant matrices out as contraction kernels read them: panels of nr columns, k-major, so that a register
   tile reads one sequential stream. Columns past the end are zero, so kernels never mask loads of a packed operand. */
#include "kern/contraction.h"

#include <string.h>

static int64_t round_up(int64_t value, int64_t to) {
    return (value + to - 1) / to * to;
}

int64_t packed_elements(const Contraction *c, const MatrixLayout *layout) {
    CHECK(c->packed.nr > 0 && c->packed.kg > 0);
    int64_t columns = round_up(layout->n, c->packed.nr), rows = round_up(layout->k, c->packed.kg), total;
    if (c->kind == CONTRACT_WINOGRAD) rows = layout->k * 4; /* 36 products of what were 9 taps */
    if (__builtin_mul_overflow(columns, rows, &total) || __builtin_mul_overflow(total, layout->batch, &total))
        return -1;
    return total;
}

/* One panel row: `n` elements `stride` apart, copied side by side. The common case, stride 1, is a memcpy. */
static void copy_row(uint8_t *to, const uint8_t *from, int64_t n, int64_t stride, size_t size) {
    if (stride == 1) {
        memcpy(to, from, (size_t)n * size);
        return;
    }
    for (int64_t i = 0; i < n; i++) memcpy(to + (size_t)i * size, from + (size_t)(i * stride) * size, size);
}

Tensor contraction_pack(Arena *arena, const Contraction *c, const Tensor *source, const MatrixLayout *layout) {
    CHECK(source->dtype == c->b && c->packed.kg == 1);
    int64_t total = packed_elements(c, layout), nr = c->packed.nr;
    CHECK(total >= 0);
    Tensor packed = tensor_new(arena, c->b, 1, &total);
    size_t size = dtype_size(c->b);
    const uint8_t *from = source->data;
    uint8_t *to = (uint8_t *)(uintptr_t)packed.data;
    if (total == 0) return packed;
    if (c->kind == CONTRACT_WINOGRAD) {
        winograd_pack(c, source->data, layout, (float *)(uintptr_t)packed.data);
        return packed;
    }
    if (c->kind == CONTRACT_DEPTHWISE) {
        int64_t padded = round_up(layout->n, nr);
        for (int64_t k = 0; k < layout->k; k++)
            copy_row(to + (size_t)(k * padded) * size, from + (size_t)(k * layout->k_stride) * size, layout->n,
                     layout->n_stride, size);
        return packed;
    }
    for (int64_t b = 0; b < layout->batch; b++)
        for (int64_t n = 0; n < layout->n; n += nr) {
            int64_t live = layout->n - n < nr ? layout->n - n : nr;
            for (int64_t k = 0; k < layout->k; k++, to += (size_t)nr * size)
                copy_row(to,
                         from + (size_t)(b * layout->batch_stride + k * layout->k_stride + n * layout->n_stride) * size,
                         live, layout->n_stride, size);
        }
    return packed;
}
