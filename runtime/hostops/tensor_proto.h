/* Tensors as TensorFlow's TensorProto messages. */
#ifndef TFOPT_HOSTOPS_TENSOR_PROTO_H
#define TFOPT_HOSTOPS_TENSOR_PROTO_H
#include "hostops/text.h"

/* How strings are written: as a field each, or one behind the other as content. */
typedef enum { TFOPT_STRING_FIELDS, TFOPT_STRING_CONTENT } TfoptStringForm;
int32_t tfopt_tensor_serialize(TfoptHostCall *call, const TfoptTensor *t, TfoptStringForm form, TfoptString *out);
/* Reads either form. The elements lie in scratch memory, or, with output >= 0, as a vector in that output of the
   call. */
int32_t tfopt_tensor_parse(TfoptHostCall *call, TfoptString s, int32_t dtype, int32_t output, TfoptTensor *out);
#endif
