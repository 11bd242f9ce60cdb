/* print: a Graph as text (docs/ir.md has the grammar). Values are numbered in the order in which they are printed, so
   the text does not depend on what passes added and removed before. */
#include "ir/graph.h"

#include "ir/build.h"
#include "ir/host.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { LONGEST_LIST = 16 };

typedef struct {
    const Graph *g;
    Str *out;
    bool data;         /* long tensors in full */
    uint32_t *numbers; /* by value */
    uint32_t next;
} Printer;

static void indent(Printer *p, int depth) {
    for (int i = 0; i < depth; i++) str_add(p->out, "  ");
}

static void print_quoted(Str *out, const char *s, size_t n) {
    str_add(out, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)s[i];
        if (ch == '"' || ch == '\\')
            str_printf(out, "\\%c", ch);
        else if (ch < 0x20 || ch == 0x7f)
            str_printf(out, "\\x%02x", ch);
        else
            str_add_bytes(out, &s[i], 1);
    }
    str_add(out, "\"");
}

static void print_text(Str *out, const char *s) {
    print_quoted(out, s, strlen(s));
}

/* Hexadecimal, so that it is exact; always with a 'p', "inf" or "nan", so that it is not taken for an integer. */
static void print_float(Str *out, double v) {
    if (isnan(v))
        str_add(out, "nan");
    else
        str_printf(out, "%a", v);
}

static void print_element(Str *out, const Tensor *t, int64_t i) {
    if (t->dtype == DTYPE_STRING) {
        const StringElement *s = (const StringElement *)t->data + i;
        print_quoted(out, s->data, s->size);
    } else if (dtype_is_float(t->dtype)) {
        print_float(out, tensor_get_f64(t, i));
    } else if (t->dtype == DTYPE_U64) {
        str_printf(out, "%" PRIu64, (uint64_t)tensor_get_i64(t, i));
    } else {
        str_printf(out, "%" PRId64, tensor_get_i64(t, i));
    }
}

/* Whether the elements can be written as numbers or strings: not what has no notation, nor NaNs, whose bits matter. */
static bool has_notation(const Tensor *t, int64_t n) {
    DTypeClass class_ = dtype_info(t->dtype)->class_;
    if (class_ == CLASS_COMPLEX || class_ == CLASS_HANDLE) return false;
    for (int64_t i = 0; class_ == CLASS_FLOAT && i < n; i++)
        if (isnan(tensor_get_f64(t, i))) return false;
    return true;
}

static uint64_t hash_tensor(const Tensor *t) {
    uint64_t h = HASH_SEED;
    if (t->dtype != DTYPE_STRING) return hash_bytes(h, t->data, tensor_bytes(t));
    const StringElement *s = t->data;
    for (int64_t i = 0; i < tensor_count(t); i++) h = hash_bytes(h, s[i].data, s[i].size);
    return h;
}

static void print_tensor_data(Printer *p, const Tensor *t) {
    static const char digits[] = "0123456789abcdef";
    int64_t n = tensor_count(t);
    bool is_long = n > LONGEST_LIST;
    if (is_long && tensor_is_splat(t) && has_notation(t, 1)) {
        str_add(p->out, "splat ");
        print_element(p->out, t, 0);
    } else if ((!is_long || (t->dtype == DTYPE_STRING && p->data)) && has_notation(t, n)) {
        str_add(p->out, "{");
        for (int64_t i = 0; i < n; i++) {
            if (i) str_add(p->out, ", ");
            print_element(p->out, t, i);
        }
        str_add(p->out, "}");
    } else if (!p->data) {
        str_printf(p->out, "#%016" PRIx64, hash_tensor(t));
    } else {
        const uint8_t *bytes = t->data;
        str_add(p->out, "0x");
        for (size_t i = 0, size = tensor_bytes(t); i < size; i++) {
            char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
            str_add_bytes(p->out, pair, 2);
        }
    }
}

static void print_type(Printer *p, DType dtype, const Shape *s) {
    str_add(p->out, dtype_info(dtype)->text);
    shape_print(&p->g->dims, s, p->out);
}

/* A list attribute. Lists that no row of ops.def describes (those of host ops) say their kind in front. */
static void print_attr_list(Printer *p, const Attr *a, bool known) {
    static const char *const prefix[] = {[ATTR_INTS] = "ints",
                                         [ATTR_FLOATS] = "floats",
                                         [ATTR_STRINGS] = "strings",
                                         [ATTR_TYPES] = "types",
                                         [ATTR_DIMS] = "dims"};
    if (!known) str_add(p->out, prefix[a->kind]);
    str_add(p->out, "[");
    for (uint32_t i = 0; i < a->n; i++) {
        if (i) str_add(p->out, ",");
        if (a->kind == ATTR_INTS) str_printf(p->out, "%" PRId64, a->v.ints[i]);
        if (a->kind == ATTR_FLOATS) print_float(p->out, a->v.floats[i]);
        if (a->kind == ATTR_STRINGS) print_quoted(p->out, a->v.strings[i].data, a->v.strings[i].size);
        if (a->kind == ATTR_TYPES) str_add(p->out, dtype_info(a->v.types[i])->text);
        if (a->kind == ATTR_DIMS) dim_print(&p->g->dims, a->v.dims[i], p->out);
    }
    str_add(p->out, "]");
}

static void print_attr(Printer *p, const Node *n, const Attr *a) {
    AttrKind kind;
    bool known = n->op != OP_HOST && op_attr_kind(n->op, a->name, &kind);
    str_printf(p->out, "%s=", a->name);
    if (a->kind == ATTR_INT) {
        str_printf(p->out, "%" PRId64, a->v.i);
    } else if (a->kind == ATTR_BOOL) {
        str_add(p->out, a->v.i ? "true" : "false");
    } else if (a->kind == ATTR_FLOAT) {
        print_float(p->out, a->v.f);
    } else if (a->kind == ATTR_STRING) {
        print_quoted(p->out, a->v.s, a->n);
    } else if (a->kind == ATTR_TYPE) {
        str_add(p->out, dtype_info(a->v.type)->text);
    } else if (a->kind == ATTR_TENSOR) {
        Shape s = tensor_shape(a->v.tensor);
        str_add(p->out, "tensor ");
        print_type(p, a->v.tensor->dtype, &s);
        str_add(p->out, " ");
        print_tensor_data(p, a->v.tensor);
    } else {
        print_attr_list(p, a, known);
    }
}

static void print_value(Printer *p, ValueId v) {
    str_printf(p->out, "%%%u", p->numbers[v.i]);
}

static void define_value(Printer *p, ValueId v) {
    p->numbers[v.i] = ++p->next;
    print_value(p, v);
}

static void print_region(Printer *p, RegionId r, int depth);

static void print_node(Printer *p, const Node *n, int depth) {
    indent(p, depth);
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        if (i) str_add(p->out, ", ");
        define_value(p, n->outputs[i]);
    }
    if (n->n_outputs) str_add(p->out, " = ");
    str_add(p->out, op_info(n->op)->text);
    if (n->host) {
        str_add(p->out, " ");
        print_text(p->out, n->host->name);
    }
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        str_add(p->out, i ? ", " : " ");
        print_value(p, n->inputs[i]);
    }
    if (n->op == OP_CONST) {
        str_add(p->out, " ");
        print_tensor_data(p, node_attr(n, "value")->v.tensor);
    } else if (n->n_attrs) {
        str_add(p->out, " {");
        for (uint32_t i = 0; i < n->n_attrs; i++) {
            if (i) str_add(p->out, ", ");
            print_attr(p, n, &n->attrs[i]);
        }
        str_add(p->out, "}");
    }
    if (n->group) str_printf(p->out, " @%u", n->group);
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        const Value *v = value_at(p->g, n->outputs[i]);
        str_add(p->out, i ? ", " : " : ");
        print_type(p, v->dtype, &v->shape);
    }
    if (*n->name || n->tf_op) {
        str_add(p->out, " ; ");
        print_text(p->out, n->name);
        if (n->tf_op) str_printf(p->out, " %s", n->tf_op);
    }
    str_add(p->out, "\n");
    for (uint32_t i = 0; i < n->n_regions; i++) {
        indent(p, depth);
        str_add(p->out, "{\n");
        print_region(p, n->regions[i], depth + 1);
        indent(p, depth);
        str_add(p->out, "}\n");
    }
}

static void print_region(Printer *p, RegionId r, int depth) {
    const Region *region = region_at(p->g, r);
    for (uint32_t i = 0; i < region->params.len; i++) {
        const Value *v = value_at(p->g, region->params.data[i]);
        indent(p, depth);
        define_value(p, region->params.data[i]);
        str_add(p->out, " = param : ");
        print_type(p, v->dtype, &v->shape);
        if (v->name) {
            str_add(p->out, " ; ");
            print_text(p->out, v->name);
        }
        str_add(p->out, "\n");
    }
    for (uint32_t i = 0; i < region->nodes.len; i++) {
        const Node *n = node_at(p->g, region->nodes.data[i]);
        if (!n->dead) print_node(p, n, depth);
    }
    indent(p, depth);
    str_add(p->out, "return");
    for (uint32_t i = 0; i < region->results.len; i++) {
        str_add(p->out, i ? ", " : " ");
        print_value(p, region->results.data[i]);
    }
    str_add(p->out, "\n");
}

static void print_symbol(Printer *p, const DimSymbol *s) {
    str_printf(p->out, "  dim %s ", s->name);
    if (s->min != INT64_MIN) str_printf(p->out, "%" PRId64, s->min);
    str_add(p->out, "..");
    if (s->max != INT64_MAX) str_printf(p->out, "%" PRId64, s->max);
    str_add(p->out, s->definer ? " computed\n" : "\n");
}

static void print_port(Printer *p, const char *what, const Port *port) {
    str_printf(p->out, "  %s ", what);
    print_text(p->out, port->name ? port->name : "");
    str_add(p->out, " ");
    print_text(p->out, port->tensor ? port->tensor : "");
    if (port->dims) str_printf(p->out, " dims %u", port->dims);
    str_add(p->out, "\n");
}

void graph_print(const Graph *g, Str *out, bool data) {
    Arena *scratch = arena_new();
    Printer p = {g, out, data, NEW_ARRAY(scratch, uint32_t, g->values.len), 0};
    str_add(out, "graph ");
    print_text(out, g->name);
    if (*g->signature) {
        str_add(out, " signature ");
        print_text(out, g->signature);
    }
    if (g->hash) str_printf(out, " hash 0x%" PRIx64, g->hash);
    str_add(out, " {\n");
    for (uint32_t i = 0; i < g->dims.symbols.len; i++) print_symbol(&p, &g->dims.symbols.data[i]);
    print_region(&p, g->root, 1);
    for (uint32_t i = 0; i < g->inputs.len; i++) print_port(&p, "input", &g->inputs.data[i]);
    for (uint32_t i = 0; i < g->outputs.len; i++) print_port(&p, "output", &g->outputs.data[i]);
    str_add(out, "}\n");
    arena_free(scratch);
}
