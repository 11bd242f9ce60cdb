/* Attr: named attributes of nodes; names are those of ops.def, or TensorFlow's own for host ops. */
#ifndef TFOPT_IR_ATTR_H
#define TFOPT_IR_ATTR_H
#include "ir/tensor.h"

typedef enum {
    ATTR_INT,
    ATTR_FLOAT,
    ATTR_STRING,
    ATTR_TYPE,
    ATTR_INTS,
    ATTR_FLOATS,
    ATTR_STRINGS,
    ATTR_TYPES,
    ATTR_DIMS,
    ATTR_TENSOR,
    ATTR_BOOL /* in v.i; only of host ops, which keep TensorFlow's kinds: ops of the graph have integers */
} AttrKind;

typedef struct {
    const char *name;
    AttrKind kind;
    uint32_t n; /* list lengths; size of a string */
    union {
        int64_t i;
        double f;
        const char *s; /* NUL-terminated, may hold NULs inside: n counts */
        DType type;
        const int64_t *ints;
        const double *floats;
        const StringElement *strings;
        const DType *types;
        const Dim *dims;
        const Tensor *tensor;
    } v;
} Attr;

/* Makers; lists are copied into the arena, names are not. */
Attr attr_int(const char *name, int64_t v);
Attr attr_bool(const char *name, bool v);
Attr attr_float(const char *name, double v);
Attr attr_string(const char *name, const char *s);
Attr attr_type(const char *name, DType t);
Attr attr_ints(Arena *a, const char *name, size_t n, const int64_t *v);
Attr attr_dims(Arena *a, const char *name, size_t n, const Dim *v);
Attr attr_tensor(Arena *a, const char *name, const Tensor *t);
/* Name, kind and value; of tensors their bits. */
bool attr_equal(const Attr *a, const Attr *b);
#endif
