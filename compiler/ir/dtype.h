/* DType: element types of tensors, and questions about them, all answered from dtype.def. */
#ifndef TFOPT_IR_DTYPE_H
#define TFOPT_IR_DTYPE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    DTYPE_NONE,
#define DTYPE(id, text, bits, class_, tf, npy, tf_name) DTYPE_##id,
#include "ir/dtype.def"
#undef DTYPE
    N_DTYPES
} DType;

typedef enum {
    CLASS_NONE,
    CLASS_FLOAT,
    CLASS_SINT,
    CLASS_UINT,
    CLASS_BOOLEAN,
    CLASS_BYTES,
    CLASS_COMPLEX,
    CLASS_HANDLE
} DTypeClass;

typedef struct {
    const char *text; /* "f32" */
    int bits;         /* of an element in memory (s4 is stored in a byte each in tensors) */
    DTypeClass class_;
    int tf;              /* TensorFlow's DataType */
    const char *npy;     /* "<f4"; "" where .npy has no such type */
    const char *tf_name; /* "float32" */
} DTypeInfo;

const DTypeInfo *dtype_info(DType t);
static inline size_t dtype_size(DType t) {
    return (size_t)dtype_info(t)->bits / 8;
}
/* DTYPE_NONE when there is none. TensorFlow's qint8, quint8, qint32, qint16, quint16 map to s8, u8, s32, s16, u16; ref
 * types to their base. */
DType dtype_from_tf(int tf);
DType dtype_from_text(const char *text);
bool dtype_is_float(DType t);
bool dtype_is_int(DType t); /* signed or unsigned, not bool */
bool dtype_is_signed(DType t);
/* The least and the greatest value of an integer type or bool, but those that mean "unbounded" (ir/dim.h) and what 64
   bits with a sign do not hold. */
void dtype_limits(DType t, int64_t *out_least, int64_t *out_most);
/* The greatest finite number of a float type. */
double dtype_highest_float(DType t);
/* Whether every integer (or bool) of type `from` is one of type `to`. */
bool dtype_holds(DType to, DType from);
#endif
