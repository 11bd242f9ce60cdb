/* graphdef: NodeDefs → TfBody. Names are resolved to indexes and attributes to plain values, so that nobody behind this
   file sees a message or parses a name. Mistakes (a name twice, an input from nowhere, a shape that contradicts its
   data) are all reported before giving up. */
#include "frontend/reader.h"
#include "ir/custom.h"

#include <string.h>

enum { MAX_OUTPUT = 1 << 20 };

const char *reader_where(const GraphReader *r, const char *node) {
    return r->function ? arena_printf(r->tf->arena, "%s/%s", r->function, node) : node;
}

/* ---- attributes ---- */

bool read_shape(const Pb__TensorShapeProto *m, TfShape *out) {
    *out = (TfShape){.rank = -1};
    if (!m || m->unknown_rank) return true;
    if (m->n_dim > MAX_RANK) return false;
    out->rank = (int)m->n_dim;
    for (size_t i = 0; i < m->n_dim; i++) {
        out->dims[i] = m->dim[i]->size;
        if (out->dims[i] < -1) return false;
    }
    return true;
}

static StringElement *strings_of(Arena *a, size_t n, const ProtobufCBinaryData *s) {
    StringElement *out = NEW_ARRAY(a, StringElement, n);
    for (size_t i = 0; i < n; i++)
        out[i] = (StringElement){arena_strndup(a, (const char *)s[i].data, s[i].len), s[i].len};
    return out;
}

/* Lists hold one kind of value; an empty one does not say which and becomes an empty LIST_INT. */
static bool read_list_attr(GraphReader *r, const Pb__AttrValue__ListValue *m, TfAttr *out) {
    Arena *a = r->tf->arena;
    size_t n = m->n_i ? m->n_i : m->n_b ? m->n_b : m->n_type;
    if (m->n_s) {
        out->kind = TF_ATTR_LIST_STRING;
        out->v.strings = strings_of(a, n = m->n_s, m->s);
    } else if (m->n_func) {
        StringElement *names = NEW_ARRAY(a, StringElement, n = m->n_func);
        for (size_t i = 0; i < n; i++) names[i] = (StringElement){m->func[i]->name, strlen(m->func[i]->name)};
        out->kind = TF_ATTR_LIST_FUNC;
        out->v.strings = names;
    } else if (m->n_f) {
        double *floats = NEW_ARRAY(a, double, n = m->n_f);
        for (size_t i = 0; i < n; i++) floats[i] = (double)m->f[i];
        out->kind = TF_ATTR_LIST_FLOAT;
        out->v.floats = floats;
    } else if (m->n_shape) {
        TfShape *shapes = NEW_ARRAY(a, TfShape, n = m->n_shape);
        for (size_t i = 0; i < n; i++)
            if (!read_shape(m->shape[i], &shapes[i])) return false;
        out->kind = TF_ATTR_LIST_SHAPE;
        out->v.shapes = shapes;
    } else if (m->n_tensor) {
        out->kind = TF_ATTR_NONE; /* no served op has a list of tensors */
    } else {
        int64_t *ints = NEW_ARRAY(a, int64_t, n);
        for (size_t i = 0; i < n; i++) ints[i] = m->n_i ? m->i[i] : m->n_b ? m->b[i] : (int64_t)m->type[i];
        out->kind = m->n_i      ? TF_ATTR_LIST_INT
                    : m->n_b    ? TF_ATTR_LIST_BOOL
                    : m->n_type ? TF_ATTR_LIST_TYPE
                                : TF_ATTR_LIST_INT;
        out->v.ints = ints;
    }
    if (n > UINT32_MAX) return false;
    out->n = (uint32_t)n;
    return true;
}

static bool read_attr(GraphReader *r, const TfNode *node, const Pb__AttrEntry *entry, TfAttr *out) {
    const Pb__AttrValue *m = entry->value;
    *out = (TfAttr){.name = entry->key};
    bool ok = true;
    switch (m ? m->value_case : PB__ATTR_VALUE__VALUE__NOT_SET) {
    case PB__ATTR_VALUE__VALUE_LIST:
        ok = read_list_attr(r, m->list, out);
        break;
    case PB__ATTR_VALUE__VALUE_S:
        out->kind = TF_ATTR_STRING;
        ok = m->s.len <= UINT32_MAX;
        out->n = (uint32_t)m->s.len;
        out->v.s = arena_strndup(r->tf->arena, (const char *)m->s.data, m->s.len);
        break;
    case PB__ATTR_VALUE__VALUE_I:
        out->kind = TF_ATTR_INT, out->v.i = m->i;
        break;
    case PB__ATTR_VALUE__VALUE_F:
        out->kind = TF_ATTR_FLOAT, out->v.f = (double)m->f;
        break;
    case PB__ATTR_VALUE__VALUE_B:
        out->kind = TF_ATTR_BOOL, out->v.i = m->b != 0;
        break;
    case PB__ATTR_VALUE__VALUE_TYPE:
        out->kind = TF_ATTR_TYPE, out->v.i = (int64_t)m->type;
        break;
    case PB__ATTR_VALUE__VALUE_SHAPE:
        out->kind = TF_ATTR_SHAPE, ok = read_shape(m->shape, &out->v.shape);
        break;
    case PB__ATTR_VALUE__VALUE_TENSOR:
        if (!read_tensor(r, node->name, node->op, entry->key, m->tensor, &out->v.tensor)) return false;
        out->kind = out->v.tensor.dtype == DTYPE_NONE ? TF_ATTR_NONE : TF_ATTR_TENSOR;
        break;
    case PB__ATTR_VALUE__VALUE_PLACEHOLDER:
        out->kind = TF_ATTR_PLACEHOLDER, out->v.s = m->placeholder;
        break;
    case PB__ATTR_VALUE__VALUE_FUNC:
        out->kind = TF_ATTR_FUNC, out->v.s = m->func->name;
        break;
    default:
        break;
    }
    if (!ok)
        diag_error(r->d, reader_where(r, node->name), node->op,
                   "attribute '%s': a shape with more than %d dimensions or one below -1, or a list too long",
                   entry->key, MAX_RANK);
    return ok;
}

static bool read_attrs(GraphReader *r, const Pb__NodeDef *m, TfNode *out) {
    bool ok = true;
    out->attrs = NEW_ARRAY(r->tf->arena, TfAttr, m->n_attr);
    for (size_t i = 0; i < m->n_attr; i++) {
        const Pb__AttrEntry *entry = m->attr[i];
        if (strcmp(entry->key, "_output_shapes") == 0)
            continue; /* a hint that may be stale; inference finds shapes itself */
        ok &= read_attr(r, out, entry, &out->attrs[out->n_attrs++]);
    }
    return ok;
}

/* ---- inputs ---- */

/* Splits "node:7" or "node:port:7" from the right. Without a number the whole text is a name. */
static void split_input(Arena *a, const char *text, const char **out_name, const char **out_port, uint32_t *out_item) {
    *out_name = text;
    *out_port = NULL;
    *out_item = 0;
    const char *colon = strrchr(text, ':');
    if (!colon || !colon[1] || strlen(colon + 1) > 9 || strspn(colon + 1, "0123456789") != strlen(colon + 1)) return;
    for (const char *p = colon + 1; *p; p++) *out_item = *out_item * 10 + (uint32_t)(*p - '0');
    *out_name = arena_strndup(a, text, (size_t)(colon - text));
    const char *before = strrchr(*out_name, ':');
    if (!before) return;
    *out_port = before + 1;
    *out_name = arena_strndup(a, text, (size_t)(before - *out_name));
}

bool read_input(GraphReader *r, const TfBody *body, const Map *args, const char *text, const char *where,
                TfInput *out) {
    const char *name, *port;
    uint32_t item;
    split_input(r->tf->arena, text, &name, &port, &item);
    if (args && !port) {
        uint64_t arg = map_get(args, name, UINT64_MAX);
        if (arg != UINT64_MAX) {
            *out = (TfInput){(uint32_t)arg + item, 0};
            return true;
        }
    }
    uint64_t node = map_get(&body->index, name, UINT64_MAX);
    if (node == UINT64_MAX) return diag_error(r->d, where, NULL, "takes '%s', but there is no node '%s'", text, name);
    *out = (TfInput){(uint32_t)node, item};
    if (port && !function_output_index(r->tf, &body->nodes[node], port, item, &out->output)) {
        out->output = tf_output_index(&body->nodes[node], port, item, r->d);
        if (out->output == UINT32_MAX) return false;
    }
    if (out->output > MAX_OUTPUT)
        return diag_error(r->d, where, NULL, "takes '%s': no node has that many outputs", text);
    return true;
}

static bool read_inputs(GraphReader *r, const Pb__NodeDef *m, const TfBody *body, const Map *args, TfNode *out) {
    bool ok = true;
    out->inputs = NEW_ARRAY(r->tf->arena, TfInput, m->n_input);
    out->controls = NEW_ARRAY(r->tf->arena, uint32_t, m->n_input);
    const char *where = m->n_input ? reader_where(r, out->name) : out->name;
    for (size_t i = 0; i < m->n_input; i++) {
        const char *text = m->input[i];
        if (text[0] != '^') {
            if (out->n_controls) ok = diag_error(r->d, where, out->op, "data input '%s' after a control input", text);
            TfInput *input = &out->inputs[out->n_inputs++];
            if (!read_input(r, body, args, text, where, input)) ok = false;
            continue;
        }
        if (args && map_find(args, text + 1)) continue; /* waiting for an argument is waiting for nothing */
        uint64_t node = map_get(&body->index, text + 1, UINT64_MAX);
        if (node == UINT64_MAX)
            ok = diag_error(r->d, where, out->op, "waits for '%s', but there is no such node", text + 1);
        else if (strcmp(text + 1, m->name) == 0)
            ok = diag_error(r->d, where, out->op, "waits for itself");
        else
            out->controls[out->n_controls++] = (uint32_t)node;
    }
    return ok;
}

/* ---- bodies ---- */

bool read_body(GraphReader *r, size_t n, Pb__NodeDef *const *nodes, const Map *args, TfBody *out) {
    Arena *a = r->tf->arena;
    bool ok = true;
    if (n >= TF_ARG) return diag_error(r->d, NULL, NULL, "%zu nodes are too many", n);
    out->nodes = NEW_ARRAY(a, TfNode, n);
    out->n_nodes = (uint32_t)n;
    map_init(&out->index, a);
    for (uint32_t i = 0; i < n; i++) {
        TfNode *node = &out->nodes[i];
        *node = (TfNode){.name = nodes[i]->name, .op = nodes[i]->op, .device = nodes[i]->device};
        const HostOp *custom = custom_op_find(r->tf->custom_ops, node->op);
        if (custom) node->outputs = custom->op->outputs;
        if (!*node->name)
            ok = diag_error(r->d, r->function, node->op, "node number %u has no name", i);
        else if (!map_add(&out->index, node->name, i))
            ok = diag_error(r->d, reader_where(r, node->name), NULL, "two nodes have this name");
        if (!*node->op) ok = diag_error(r->d, reader_where(r, node->name), NULL, "has no op type");
    }
    for (uint32_t i = 0; i < n; i++) ok &= read_attrs(r, nodes[i], &out->nodes[i]);
    for (uint32_t i = 0; i < n; i++) ok &= read_inputs(r, nodes[i], out, args, &out->nodes[i]);
    return ok && read_cycles(r, out);
}

bool read_graph(GraphReader *r, const Pb__GraphDef *m) {
    r->tf->producer = m->versions ? m->versions->producer : m->version;
    map_init(&r->tf->function_index, r->tf->arena);
    bool ok = read_functions(r, m->library);
    ok &= read_body(r, m->n_node, m->node, NULL, &r->tf->main);
    return ok;
}
