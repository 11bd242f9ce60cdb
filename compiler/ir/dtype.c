/* DType: the table of element types, expanded from dtype.def, and the few questions that are not a column of it. */
#include "ir/dtype.h"

#include "base/diag.h"
#include "tfopt_abi.h"
#include <float.h>
#include <string.h>

#define DTYPE(id, text, bits, class_, tf, npy, tf_name)                                                                \
    _Static_assert((int)DTYPE_##id == (int)TFOPT_##id, "dtype.def and tfopt_abi.h must agree");
#include "ir/dtype.def"
#undef DTYPE

static const DTypeInfo table[N_DTYPES] = {
    {"none", 0, CLASS_NONE, 0, "", "none"},
#define DTYPE(id, text, bits, class_, tf, npy, tf_name) {text, bits, CLASS_##class_, tf, npy, tf_name},
#include "ir/dtype.def"
#undef DTYPE
};

const DTypeInfo *dtype_info(DType t) {
    return &table[(unsigned)t < N_DTYPES ? t : DTYPE_NONE];
}

DType dtype_from_tf(int tf) {
    /* Quantised types carry no scale in TensorFlow either: they are their storage type. */
    static const struct {
        int tf;
        DType type;
    } quantised[] = {{11, DTYPE_S8}, {12, DTYPE_U8}, {13, DTYPE_S32}, {15, DTYPE_S16}, {16, DTYPE_U16}};
    if (tf > 100) tf -= 100; /* reference types are their base type */
    for (int t = 1; t < N_DTYPES; t++)
        if (table[t].tf == tf) return (DType)t;
    for (size_t i = 0; i < sizeof quantised / sizeof quantised[0]; i++)
        if (quantised[i].tf == tf) return quantised[i].type;
    return DTYPE_NONE;
}

DType dtype_from_text(const char *text) {
    for (int t = 1; t < N_DTYPES; t++)
        if (strcmp(table[t].text, text) == 0) return (DType)t;
    return DTYPE_NONE;
}

bool dtype_is_float(DType t) {
    return dtype_info(t)->class_ == CLASS_FLOAT;
}

bool dtype_is_int(DType t) {
    return dtype_info(t)->class_ == CLASS_SINT || dtype_info(t)->class_ == CLASS_UINT;
}

bool dtype_is_signed(DType t) {
    return dtype_info(t)->class_ == CLASS_SINT || dtype_info(t)->class_ == CLASS_FLOAT;
}

void dtype_limits(DType t, int64_t *out_least, int64_t *out_most) {
    int bits = t == DTYPE_BOOL ? 1 : t == DTYPE_S4 ? 4 : dtype_info(t)->bits;
    bool is_signed = dtype_is_signed(t);
    *out_most = bits - is_signed >= 63 ? INT64_MAX - 1 : ((int64_t)1 << (bits - is_signed)) - 1;
    *out_least = is_signed ? -*out_most - (bits < 64) : 0;
}

double dtype_highest_float(DType t) {
    switch (t) {
    case DTYPE_F64:
        return DBL_MAX;
    case DTYPE_F32:
        return (double)FLT_MAX;
    case DTYPE_BF16:
        return 0x1.fep127;
    case DTYPE_F16:
        return 65504;
    case DTYPE_F8E5M2:
        return 57344;
    case DTYPE_F8E4M3:
        return 448;
    default:
        BUG("%s is no float type", dtype_info(t)->text);
    }
}

bool dtype_holds(DType to, DType from) {
    int64_t least, most, from_least, from_most;
    dtype_limits(to, &least, &most);
    dtype_limits(from, &from_least, &from_most);
    bool same_or_shorter = from != DTYPE_U64 || to == DTYPE_U64;
    return same_or_shorter && from_least >= least && from_most <= most;
}
