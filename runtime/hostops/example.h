/* What the parsers of tf.Example and tf.SequenceExample share: the features of a message and the tensors made of them.
 */
#ifndef TFOPT_HOSTOPS_EXAMPLE_H
#define TFOPT_HOSTOPS_EXAMPLE_H
#include "hostops/wire.h"

typedef struct {
    TfoptString key, bytes; /* of the Feature message; bytes.data NULL: absent */
    int32_t dtype;
} TfoptFeature;

/* The list inside a Feature and its element type; TFOPT_INVALID when it has none. false: bad bytes. */
bool tfopt_feature_list(TfoptString feature, int32_t *dtype, TfoptString *list);
/* Values of a list: value i goes to element first + i of t when t is given and i < room. The count, -1 for bad bytes.
 */
int64_t tfopt_read_list(TfoptString list, int32_t dtype, const TfoptTensor *t, int64_t first, int64_t room);
int32_t tfopt_wrong_feature(TfoptHostCall *call, int64_t example, const TfoptFeature *f, const char *why);

/* Names of the attributes that say the types and shapes of what is asked for. */
typedef struct {
    const char *sparse_types, *dense_types, *ragged_types, *dense_shapes;
} TfoptExampleAttrs;
/* Everything that is asked for: keys in the order sparse, dense, ragged. */
typedef struct {
    int32_t n_sparse, n_dense, n_ragged;
    TfoptFeature *features;
    const TfoptTensor *defaults;      /* n_dense */
    const int64_t *dense_shapes[256]; /* rank, then dims */
    const TfoptTensor *serialized;
    TfoptString *lists; /* [example][feature]; data NULL: absent */
} TfoptRequest;
/* Finishes a request whose keys, counts and defaults are set: writes the first 3 n_sparse + n_dense + 2 n_ragged
 * results. */
int32_t tfopt_parse_request(TfoptHostCall *call, TfoptRequest *r, const TfoptExampleAttrs *attrs);
#endif
