/* reader: between the files that turn messages into a TfGraph. Not for other rooms. */
#ifndef TFOPT_FRONTEND_READER_H
#define TFOPT_FRONTEND_READER_H
#include "frontend/message.h"
#include "frontend/tfgraph.h"
#include "graph.pb-c.h"

typedef struct {
    TfGraph *tf;
    Diag *d;
    const char *function; /* the function being read, NULL for the main graph; only for messages */
    size_t expanded;      /* bytes of repeated values written out so far: they are bounded for the whole file */
} GraphReader;

/* ---- graphdef.c ---- */
/* The nodes of one body. `args` (argument name → TF_ARG | flat index) and `port_inputs` (inputs are "node:port:item")
 * for functions. */
bool read_body(GraphReader *r, size_t n, Pb__NodeDef *const *nodes, const Map *args, TfBody *out);
/* Resolves "node:1", "node:port:0" or an argument's name; reports under `where`. */
bool read_input(GraphReader *r, const TfBody *body, const Map *args, const char *text, const char *where, TfInput *out);
/* A whole GraphDef, library first: fills main and functions. Goes on after mistakes to report all. */
bool read_graph(GraphReader *r, const Pb__GraphDef *m);
bool read_shape(const Pb__TensorShapeProto *m, TfShape *out);
/* Name of a node for messages: "function/node" inside a function. */
const char *reader_where(const GraphReader *r, const char *node);

/* ---- graphdef_cycle.c ---- */
/* False after a message that names nodes which wait for each other. */
bool read_cycles(const GraphReader *r, const TfBody *body);

/* ---- graphdef_tensor.c ---- */
/* Decodes a TensorProto; tensor_content stays in place. False after a message that names node and attribute. */
bool read_tensor(GraphReader *r, const char *node, const char *op, const char *attr, const Pb__TensorProto *m,
                 Tensor *out);

/* ---- functions.c ---- */
bool read_functions(GraphReader *r, const Pb__FunctionDefLibrary *m);
/* Flat output number of `arg`:`item` of a node whose op is a function of the library; false when it is none. */
bool function_output_index(const TfGraph *tf, const TfNode *n, const char *arg, uint32_t item, uint32_t *out);

/* ---- savedmodel.c ---- */
bool read_saved_model(TfGraph *tf, const char *directory, const ReadOptions *options, Diag *d);

/* ---- graphdef_file.c ---- */
/* Hash of a file's content. */
uint64_t hash_file(const FileMap *f);
/* Parses a GraphDef or SavedModel file in binary or text form, whichever it is; NULL after a message when it is
 * neither. */
ProtobufCMessage *read_message_file(Arena *arena, const ProtobufCMessageDescriptor *type, const FileMap *file,
                                    const char *path, Diag *d);
#endif
