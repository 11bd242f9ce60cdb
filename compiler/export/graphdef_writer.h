/* GraphDef writer: streams NodeDefs to a file in protobuf wire format
   (tensorflow/core/framework/{graph,node_def,attr_value,tensor}.proto), so that models of hundreds of megabytes are
   made in little memory. For the model generator and for tests. */
#ifndef TFOPT_EXPORT_GRAPHDEF_WRITER_H
#define TFOPT_EXPORT_GRAPHDEF_WRITER_H
#include "base/str.h"
#include <stdbool.h>
#include <stdio.h>

typedef struct {
    FILE *out;
    Arena *arena;        /* reset after every node */
    uint64_t random;     /* state of the seeded weights */
    int64_t batch;       /* -1: unknown */
    const char *control; /* "^node" that nodes without inputs wait for (they belong to its branch or loop), or NULL */
} GraphWriter;

enum { TF_FLOAT = 1, TF_INT32 = 3 };

/* A NodeDef under construction: attributes are added, then node_end writes it. Names are copied. */
typedef struct {
    GraphWriter *w;
    Str bytes;
} NodeWriter;
NodeWriter node_begin(GraphWriter *w, const char *name, const char *op, int n_inputs, const char *const *inputs);
void node_attr_type(NodeWriter *n, const char *name, int type);
void node_attr_int(NodeWriter *n, const char *name, int64_t v);
void node_attr_float(NodeWriter *n, const char *name, float v);
void node_attr_bool(NodeWriter *n, const char *name, bool v);
void node_attr_string(NodeWriter *n, const char *name, const char *v);
void node_attr_ints(NodeWriter *n, const char *name, int count, const int64_t *v);
void node_attr_shape(NodeWriter *n, const char *name, int rank, const int64_t *dims);
void node_attr_types(NodeWriter *n, const char *name, int count, const int *types);
void node_attr_floats(NodeWriter *n, const char *name, int count, const double *v);
void node_attr_strings(NodeWriter *n, const char *name, int count, const char *const *v, const size_t *sizes);
/* A string that may hold NULs. */
void node_attr_bytes(NodeWriter *n, const char *name, const void *v, size_t size);
/* A TensorProto: `content` is little-endian elements. */
void node_attr_tensor(NodeWriter *n, const char *name, int type, int rank, const int64_t *dims, const void *content,
                      size_t bytes);
void node_attr_string_tensor(NodeWriter *n, const char *name, int rank, const int64_t *dims, int64_t count,
                             const char *const *v, const size_t *sizes);
void node_end(NodeWriter *n);

/* Const nodes. */
void write_floats(GraphWriter *w, const char *name, int rank, const int64_t *dims, const float *values);
void write_ints(GraphWriter *w, const char *name, int rank, int64_t n, const int32_t *values); /* rank 0 or 1 */
/* Weights drawn from a normal distribution with this deviation around `mean`, seeded by the writer. */
void write_weights(GraphWriter *w, const char *name, int rank, const int64_t *dims, double mean, double deviation);
void write_placeholder(GraphWriter *w, const char *name, int type, int rank, const int64_t *dims);
/* versions.producer, at the end of the file. */
void write_versions(GraphWriter *w);
#endif
