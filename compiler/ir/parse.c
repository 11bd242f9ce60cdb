/* parse: the IR's text form back into a Graph (docs/ir.md has the grammar). Nodes are added with graph_add, so a text
   can say nothing that a model could not; the types it gives must be those that are inferred. The text is not trusted.
 */
#include "ir/build.h"
#include "ir/host.h"
#include "ir/lexer.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 100 };

typedef struct {
    Lexer l;
    VEC(ValueId) values; /* by number in the text; {0}: not defined */
} Parser;

typedef VEC(ValueId) ValueList;
typedef VEC(uint32_t) NumberList;
typedef VEC(Attr) AttrList;
typedef VEC(RegionId) RegionList;

/* "%12" */
static bool parse_number(Parser *p, uint32_t *out) {
    int64_t v;
    if (!lex_expect(&p->l, '%') || !lex_int(&p->l, &v)) return false;
    if (v < 1 || v > (1 << 28)) return lex_error(&p->l, "there is no value %%%lld", (long long)v);
    *out = (uint32_t)v;
    return true;
}

static bool parse_operand(Parser *p, RegionId region, ValueId *out) {
    uint32_t number = 0;
    if (!parse_number(p, &number)) return false;
    *out = number < p->values.len ? p->values.data[number] : (ValueId){0};
    if (!out->i) return lex_error(&p->l, "value %%%u is not defined before its use", number);
    if (value_at(p->l.g, *out)->region.i != region.i)
        return lex_error(&p->l, "value %%%u belongs to another region: pass it in", number);
    return true;
}

static bool define(Parser *p, uint32_t number, ValueId v) {
    /* Numbers come in order, so a number far beyond the last is a mistake, and not a reason to take memory. */
    if (number > p->values.len + 4096) return lex_error(&p->l, "value %%%u: numbers must follow each other", number);
    while (p->values.len <= number) vec_push(p->l.g->arena, &p->values, (ValueId){0});
    if (p->values.data[number].i) return lex_error(&p->l, "value %%%u is defined twice", number);
    p->values.data[number] = v;
    return true;
}

/* `; "name" TfOp` at the end of a line; both may be missing. */
static bool parse_comment(Parser *p, const char **out_name, const char **out_tf_op) {
    size_t n;
    *out_name = NULL;
    *out_tf_op = NULL;
    while (*p->l.p == ' ') p->l.p++;
    if (*p->l.p != ';') return true;
    p->l.p++;
    while (*p->l.p == ' ') p->l.p++;
    if (*p->l.p == '"' && !lex_string(&p->l, out_name, &n)) return false;
    while (*p->l.p == ' ') p->l.p++;
    if (*p->l.p != '\n' && *p->l.p) *out_tf_op = lex_word(&p->l);
    return true;
}

static bool parse_region(Parser *p, RegionId region, int depth);

static bool parse_param(Parser *p, RegionId region, const NumberList *numbers) {
    DType dtype;
    Shape shape;
    const char *name, *unused;
    if (numbers->len != 1) return lex_error(&p->l, "a param is one value");
    if (!lex_expect(&p->l, ':') || !parse_type(&p->l, &dtype, &shape) || !parse_comment(p, &name, &unused))
        return false;
    if (region_at(p->l.g, region)->nodes.len) return lex_error(&p->l, "params come first");
    ValueId v = graph_add_param(p->l.g, region, dtype, &shape, name);
    return define(p, numbers->data[0], v);
}

/* Data of a constant stands before its type: it is read again once the type is known. */
static bool parse_const(Parser *p, const Value *type, const char *data, uint32_t data_line, Attr *out) {
    Lexer at = p->l;
    Tensor *t = NEW(p->l.g->arena, Tensor);
    p->l.p = data;
    p->l.line = data_line;
    bool ok = parse_tensor_data(&p->l, type->dtype, &type->shape, t);
    if (ok && lex_peek(&p->l) != ':') ok = lex_error(&p->l, "a constant has more elements than its type");
    p->l.p = at.p;
    p->l.line = at.line;
    *out = (Attr){.name = "value", .kind = ATTR_TENSOR, .n = 1, .v.tensor = t};
    return ok;
}

/* Skips the data of a constant, minding ':' in strings. */
static bool skip_data(Parser *p) {
    const char *unused;
    size_t n;
    for (char c = lex_peek(&p->l); c != ':'; c = lex_peek(&p->l)) {
        if (c == 0) return lex_error(&p->l, "a constant has no type");
        if (c == '"') {
            if (!lex_string(&p->l, &unused, &n)) return false;
        } else {
            p->l.p++;
        }
    }
    return true;
}

static bool check_types(Parser *p, NodeId id, const Value *types) {
    const Node *n = node_at(p->l.g, id);
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        const Value *v = value_at(p->l.g, n->outputs[i]);
        if (v->dtype == types[i].dtype && shape_equal(&v->shape, &types[i].shape)) continue;
        Str text;
        str_init(&text, p->l.g->arena);
        shape_print(&p->l.g->dims, &v->shape, &text);
        return lex_error(&p->l, "result %u of this %s is %s%s", i, op_info(n->op)->text, dtype_info(v->dtype)->text,
                         str_text(&text));
    }
    return true;
}

/* What follows "%1, %2 = op": `"HostOp" operands {attributes} @group : types ; comment`, then its regions. */
static bool parse_node(Parser *p, RegionId region, const NumberList *numbers, OpId op, int depth) {
    Graph *g = p->l.g;
    NodeSpec spec = {.op = op, .n_outputs = numbers->len};
    ValueList inputs = {0};
    AttrList attrs = {0};
    RegionList regions = {0};
    VEC(Value) types = {0};
    const char *host = NULL, *data = NULL;
    size_t n;
    int64_t group = 0;
    uint32_t line = p->l.line, data_line = line;
    if (op == OP_HOST) {
        if (!lex_string(&p->l, &host, &n)) return false;
        if (!(spec.host = host_op_find(host))) return lex_error(&p->l, "there is no host op '%s'", host);
    }
    if (lex_peek(&p->l) == '%') do {
            ValueId v;
            if (!parse_operand(p, region, &v)) return false;
            vec_push(g->arena, &inputs, v);
        } while (lex_accept(&p->l, ','));
    if (op == OP_CONST) {
        data = p->l.p;
        data_line = p->l.line;
        if (!skip_data(p)) return false;
    } else if (lex_peek(&p->l) == '{' && p->l.line == line && lex_accept(&p->l, '{')) {
        do {
            Attr a;
            if (!parse_attr(&p->l, op, &a)) return false;
            vec_push(g->arena, &attrs, a);
        } while (lex_accept(&p->l, ','));
        if (!lex_expect(&p->l, '}')) return false;
    }
    if (lex_peek(&p->l) == '@' && lex_accept(&p->l, '@') && !lex_int(&p->l, &group)) return false;
    for (uint32_t i = 0; i < numbers->len; i++) {
        Value v = {0};
        if (!lex_expect(&p->l, i ? ',' : ':') || !parse_type(&p->l, &v.dtype, &v.shape)) return false;
        vec_push(g->arena, &types, v);
    }
    if (!parse_comment(p, &spec.name, &spec.tf_op)) return false;
    if (op == OP_CONST) {
        Attr a;
        if (types.len != 1) return lex_error(&p->l, "a constant is one value");
        if (!parse_const(p, &types.data[0], data, data_line, &a)) return false;
        vec_push(g->arena, &attrs, a);
    }
    while (op_info(op)->flags & OP_FLAG_REGIONS && lex_accept(&p->l, '{')) {
        if (depth == MAX_DEPTH) return lex_error(&p->l, "regions are nested too deep");
        RegionId inner = graph_add_region(g, (NodeId){0});
        if (!parse_region(p, inner, depth + 1) || !lex_expect(&p->l, '}')) return false;
        vec_push(g->arena, &regions, inner);
    }
    spec.inputs = inputs.data;
    spec.n_inputs = inputs.len;
    spec.attrs = attrs.data;
    spec.n_attrs = attrs.len;
    spec.regions = regions.data;
    spec.n_regions = regions.len;
    if (p->l.failed) return false;
    NodeId id = graph_add_typed(g, region, &spec, types.data, types.len, p->l.d);
    p->l.line = line;
    if (!id.i) return lex_error(&p->l, "this %s is wrong", op_info(op)->text);
    if (node_at(g, id)->n_outputs != numbers->len)
        return lex_error(&p->l, "%s has %u results", op_info(op)->text, node_at(g, id)->n_outputs);
    node_at(g, id)->group = (uint32_t)group;
    for (uint32_t i = 0; i < numbers->len; i++)
        if (!define(p, numbers->data[i], node_at(g, id)->outputs[i])) return false;
    return check_types(p, id, types.data);
}

static bool parse_line(Parser *p, RegionId region, int depth) {
    NumberList numbers = {0};
    if (lex_peek(&p->l) == '%') {
        do {
            uint32_t number = 0;
            if (!parse_number(p, &number)) return false;
            vec_push(p->l.g->arena, &numbers, number);
        } while (lex_accept(&p->l, ','));
        if (!lex_expect(&p->l, '=')) return false;
    }
    const char *word = lex_word(&p->l);
    if (!word) return lex_error(&p->l, "an op is missing");
    if (strcmp(word, "param") == 0) return parse_param(p, region, &numbers);
    OpId op = op_from_text(word);
    if (op == OP_NONE) return lex_error(&p->l, "there is no op '%s'", word);
    uint32_t lines = p->l.line;
    bool ok = parse_node(p, region, &numbers, op, depth);
    if (ok && p->l.line < lines) p->l.line = lines;
    return ok;
}

static bool parse_region(Parser *p, RegionId region, int depth) {
    while (!lex_accept_word(&p->l, "return"))
        if (!parse_line(p, region, depth)) return false;
    while (*p->l.p == ' ') p->l.p++;
    if (*p->l.p != '%') return true;
    do {
        ValueId v;
        if (!parse_operand(p, region, &v)) return false;
        vec_push(p->l.g->arena, &region_at(p->l.g, region)->results, v);
    } while (lex_accept(&p->l, ','));
    return true;
}

/* `dim name min..max computed`; both bounds and `computed` may be missing. */
static bool parse_symbol(Parser *p) {
    Graph *g = p->l.g;
    int64_t min = INT64_MIN, max = INT64_MAX;
    lex_peek(&p->l);
    const char *start = p->l.p;
    while (*p->l.p && *p->l.p != ' ' && *p->l.p != '\n') p->l.p++;
    const char *name = arena_strndup(g->arena, start, (size_t)(p->l.p - start));
    if (!dim_is_const(dim_find_symbol(&g->dims, name))) return lex_error(&p->l, "size '%s' is declared twice", name);
    if (lex_peek(&p->l) != '.' && !lex_int(&p->l, &min)) return false;
    if (!lex_expect(&p->l, '.') || !lex_expect(&p->l, '.')) return false;
    if ((*p->l.p == '-' || (*p->l.p >= '0' && *p->l.p <= '9')) && !lex_int(&p->l, &max)) return false;
    if (min > max) return lex_error(&p->l, "size '%s' has no value", name);
    dim_symbol(&g->dims, name, min, max);
    if (lex_accept_word(&p->l, "computed")) g->dims.symbols.data[g->dims.symbols.len - 1].definer = DIM_UNCLAIMED;
    return true;
}

/* Whether the elements of `value`, in a row, may have the dims that `dims` holds. */
static bool is_dims(const Graph *g, ValueId value, ValueId dims) {
    const Value *d = value_at(g, dims);
    return value_at(g, value)->shape.rank == 1 && d->shape.rank == 1 && d->dtype == DTYPE_S64;
}

static bool parse_ports(Parser *p) {
    Graph *g = p->l.g;
    size_t n;
    for (;;) {
        bool is_input = lex_accept_word(&p->l, "input");
        if (!is_input && !lex_accept_word(&p->l, "output")) break;
        Port port = {0};
        if (!lex_string(&p->l, &port.name, &n) || !lex_string(&p->l, &port.tensor, &n)) return false;
        const Region *root = region_at(g, g->root);
        uint32_t at = is_input ? g->inputs.len : g->outputs.len,
                 n_values = is_input ? root->params.len : root->results.len;
        const ValueId *values = is_input ? root->params.data : root->results.data;
        if (at >= n_values)
            return lex_error(&p->l, "there are more %s names than values", is_input ? "input" : "output");
        port.dtype = value_at(g, values[at])->dtype;
        int64_t dims = 0;
        if (!is_input && lex_accept_word(&p->l, "dims") && !lex_int(&p->l, &dims)) return false;
        if (dims < 0 || dims >= n_values || (dims && !is_dims(g, values[at], values[dims])))
            return lex_error(&p->l, "result %lld holds no dims", (long long)dims);
        port.dims = (uint32_t)dims;
        if (is_input)
            vec_push(g->arena, &g->inputs, port);
        else
            vec_push(g->arena, &g->outputs, port);
    }
    return true;
}

static bool parse_graph(Parser *p) {
    Graph *g = p->l.g;
    size_t n;
    if (!lex_accept_word(&p->l, "graph")) return lex_error(&p->l, "'graph' is missing");
    if (!lex_string(&p->l, &g->name, &n)) return false;
    if (lex_accept_word(&p->l, "signature") && !lex_string(&p->l, &g->signature, &n)) return false;
    if (lex_accept_word(&p->l, "hash")) {
        const char *word = lex_word(&p->l);
        g->hash = word ? strtoull(word, NULL, 16) : 0;
    }
    if (!lex_expect(&p->l, '{')) return false;
    while (lex_accept_word(&p->l, "dim"))
        if (!parse_symbol(p)) return false;
    if (!parse_region(p, g->root, 0) || !parse_ports(p) || !lex_expect(&p->l, '}')) return false;
    return lex_peek(&p->l) == 0 || lex_error(&p->l, "there is text after the graph");
}

Graph *graph_parse(Arena *arena, const char *text, Diag *d) {
    Graph *g = graph_new(arena, "");
    Parser p = {.l = {.g = g, .p = text, .line = 1, .d = d}};
    return parse_graph(&p) ? g : NULL;
}
