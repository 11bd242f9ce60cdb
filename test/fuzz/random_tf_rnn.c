/* random_tf_rnn: loops over time as Keras writes them: a list of the series' rows, a cell, a list of results. The cell
   is a simple one, an LSTM, or a GRU, with masks by length, in any of the forms of While. */
#include "random_tf_control.h"

#include <string.h>

enum { COUNTER, SERIES, RESULTS, HIDDEN, MEMORY, LENGTHS, LIMIT, OWN };

typedef struct {
    TfMaker *m; /* of the body */
    DType dtype;
    int64_t inputs, hidden;
} Cell;

static TfInput node_of(Cell *c, const char *op, TfInput a, TfInput b, bool binary) {
    TfAttr type = tf_of_type("T", c->dtype);
    return (TfInput){tf_push(c->m, op, binary ? 2 : 1, (TfInput[]){a, b}, 1, &type), 0};
}

static TfInput unary(Cell *c, const char *op, TfInput a) {
    return node_of(c, op, a, a, false);
}

static TfInput binary(Cell *c, const char *op, TfInput a, TfInput b) {
    return node_of(c, op, a, b, true);
}

static TfInput weights(Cell *c, int rank, int64_t rows, int64_t columns) {
    int64_t dims[2] = {rank == 1 ? columns : rows, columns};
    Tensor t = random_tensor(c->m->arena, c->m->r, c->dtype, rank, dims, FILL_UNIFORM, 0, false);
    for (int64_t i = tensor_count(&t); i-- > 0;) tensor_set_f64(&t, i, tensor_get_f64(&t, i) / 4);
    return tf_constant(c->m, &t).at;
}

static TfInput product(Cell *c, TfInput x, int64_t k, int64_t columns) {
    TfInput y = binary(c, "MatMul", x, weights(c, 2, k, columns));
    return random_chance(c->m->r, 60) ? binary(c, "BiasAdd", y, weights(c, 1, 0, columns)) : y;
}

/* x W + h R + b, or [x, h] W + b */
static TfInput gates_of(Cell *c, TfInput x, TfInput h, int64_t columns) {
    int64_t axis = 1;
    if (random_chance(c->m->r, 30)) {
        TfAttr a[] = {tf_of_type("T", c->dtype), tf_of_int("N", 2), tf_of_type("Tidx", DTYPE_S32)};
        TfInput in[3] = {x, h, tf_ints(c->m, DTYPE_S32, 0, 1, &axis).at};
        TfInput both = {tf_push(c->m, "ConcatV2", 3, in, 3, a), 0};
        return product(c, both, c->inputs + c->hidden, columns);
    }
    TfInput of_x = product(c, x, c->inputs, columns), of_h = product(c, h, c->hidden, columns);
    return binary(c, "AddV2", of_x, of_h);
}

static void split(Cell *c, TfInput x, uint32_t n, TfInput *out) {
    int64_t axis = 1;
    TfAttr a[] = {tf_of_type("T", c->dtype), tf_of_int("num_split", n)};
    uint32_t node = tf_push(c->m, "Split", 2, (TfInput[]){tf_ints(c->m, DTYPE_S32, 0, 1, &axis).at, x}, 2, a);
    for (uint32_t i = 0; i < n; i++) out[i] = (TfInput){node, i};
}

static void lstm(Cell *c, TfInput x, TfInput *h, TfInput *memory) {
    TfInput g[4];
    split(c, gates_of(c, x, *h, 4 * c->hidden), 4, g);
    TfInput in = unary(c, "Sigmoid", g[0]), forget = unary(c, "Sigmoid", g[1]), out = unary(c, "Sigmoid", g[3]);
    TfInput fresh = binary(c, "Mul", in, unary(c, "Tanh", g[2])), kept = binary(c, "Mul", forget, *memory);
    *memory = binary(c, "AddV2", kept, fresh);
    *h = binary(c, "Mul", out, unary(c, "Tanh", *memory));
}

static void gru(Cell *c, TfInput x, TfInput *h) {
    TfInput of_x[3], of_h[3];
    Tensor one = tensor_scalar_f64(c->m->arena, c->dtype, 1);
    split(c, product(c, x, c->inputs, 3 * c->hidden), 3, of_x);
    split(c, product(c, *h, c->hidden, 3 * c->hidden), 3, of_h);
    TfInput z = unary(c, "Sigmoid", binary(c, "AddV2", of_x[0], of_h[0])),
            r = unary(c, "Sigmoid", binary(c, "AddV2", of_x[1], of_h[1]));
    TfInput candidate = unary(c, "Tanh", binary(c, "AddV2", of_x[2], binary(c, "Mul", r, of_h[2])));
    TfInput rest = binary(c, "Sub", tf_constant(c->m, &one).at, z);
    TfInput kept = binary(c, "Mul", z, *h), fresh = binary(c, "Mul", rest, candidate);
    *h = binary(c, "AddV2", kept, fresh);
}

/* One turn: reads row `counter`, computes, keeps what is behind the end of a row of the batch, stores. */
static void fill_body(TfMaker *body, DType dtype, int64_t inputs, int64_t hidden, TfInput *results) {
    Cell c = {.m = body, .dtype = dtype, .inputs = inputs, .hidden = hidden};
    TfInput arg[OWN];
    int64_t shape[2] = {-1, inputs}, one = 1;
    for (int i = 0; i < OWN; i++) arg[i] = body->pool.data[i].at;
    TfAttr element = tf_of_type("element_dtype", dtype), ints = tf_of_type("T", DTYPE_S32);
    TfInput get[3] = {arg[SERIES], arg[COUNTER], tf_ints(body, DTYPE_S32, 1, 2, shape).at};
    TfInput x = {tf_push(body, "TensorListGetItem", 3, get, 1, &element), 0}, h = arg[HIDDEN], memory = arg[MEMORY];
    int64_t how = random_below(body->r, 4);
    if (how == 0)
        lstm(&c, x, &h, &memory);
    else if (how == 1)
        gru(&c, x, &h);
    else
        h = unary(&c, how == 2 ? "Tanh" : "Relu", gates_of(&c, x, h, hidden));
    if (random_chance(body->r, 30)) {
        TfInput less = {tf_push(body, "Less", 2, (TfInput[]){arg[COUNTER], arg[LENGTHS]}, 1, &ints), 0};
        int64_t axis = 1;
        TfAttr expand[] = {tf_of_type("T", DTYPE_BOOL), tf_of_type("Tdim", DTYPE_S32)};
        TfInput in[2] = {less, tf_ints(body, DTYPE_S32, 0, 1, &axis).at}, type_in[3];
        TfInput mask = {tf_push(body, "ExpandDims", 2, in, 2, expand), 0};
        TfAttr type = tf_of_type("T", dtype);
        type_in[0] = mask, type_in[1] = h, type_in[2] = arg[HIDDEN];
        h = (TfInput){tf_push(body, "SelectV2", 3, type_in, 1, &type), 0};
    }
    TfInput next[2] = {arg[COUNTER], tf_ints(body, DTYPE_S32, 0, 1, &one).at};
    memcpy(results, arg, sizeof arg);
    results[COUNTER] = (TfInput){tf_push(body, "AddV2", 2, next, 1, &ints), 0};
    results[RESULTS] =
        (TfInput){tf_push(body, "TensorListSetItem", 3, (TfInput[]){arg[RESULTS], arg[COUNTER], h}, 1, &element), 0};
    results[HIDDEN] = h;
    results[MEMORY] = memory;
}

static TfTensor series_of(TfMaker *m, DType dtype, int64_t hidden, TfTensor *state) {
    int64_t sizes[N_BINDINGS][MAX_RANK], steps = random_between(m->r, 1, 5), width = random_between(m->r, 1, 6);
    bool known[MAX_RANK] = {true, true, true};
    int symbol = m->w->n_symbols && random_chance(m->r, 50) ? (int)random_below(m->r, m->w->n_symbols) : -1;
    for (int b = 0; b < N_BINDINGS; b++) {
        int64_t batch = symbol < 0 ? random_below(m->r, 1) + 2 : m->w->bindings[b][symbol];
        sizes[b][0] = steps;
        sizes[b][1] = batch;
        sizes[b][2] = width;
    }
    known[1] = symbol < 0;
    TfTensor x = tf_leaf(m, dtype, 3, (const int64_t(*)[MAX_RANK])sizes, known);
    for (int b = 0; b < N_BINDINGS; b++) sizes[b][0] = sizes[b][1], sizes[b][1] = hidden;
    known[0] = known[1];
    known[1] = true;
    *state = tf_leaf(m, dtype, 2, (const int64_t(*)[MAX_RANK])sizes, known);
    return x;
}

bool tf_make_rnn(TfMaker *m, const TfRow *row) {
    (void)row;
    static const int64_t widths[] = {1, 2, 3, 8, 16, 17};
    static const DType test_type[] = {DTYPE_BOOL, DTYPE_NONE};
    if (m->depth > 0) return false;
    DType dtype = random_chance(m->r, 85) ? DTYPE_F32 : DTYPE_F64;
    int64_t hidden = widths[random_below(m->r, ARRAY_LEN(widths))], zero = 0;
    TfTensor state, x = series_of(m, dtype, hidden, &state), lengths = state;
    Tensor no = tensor_scalar_i64(m->arena, DTYPE_BOOL, 0);
    int64_t steps = x.sizes[0][0], row_shape[2] = {-1, x.sizes[0][2]}, out_shape[2] = {-1, hidden};
    lengths.rank = 1;
    TfTensor own[OWN] = {tf_ints(m, DTYPE_S32, 0, 1, &zero),
                         tf_constant(m, &no),
                         tf_constant(m, &no),
                         state,
                         tf_like(m, dtype, &state, false),
                         tf_like(m, DTYPE_S32, &lengths, false),
                         tf_ints(m, DTYPE_S32, 0, 1, &steps)};
    uint32_t first = m->nodes.len, frames = m->n_frames;
    TfAttr list[] = {tf_of_type("element_dtype", dtype), tf_of_type("shape_type", DTYPE_S32)};
    TfInput from[2] = {x.at, tf_ints(m, DTYPE_S32, 1, 2, row_shape).at},
            reserve[2] = {tf_ints(m, DTYPE_S32, 1, 2, out_shape).at, own[LIMIT].at};
    TfInput series = {tf_push(m, "TensorListFromTensor", 2, from, 2, list), 0},
            outputs = {tf_push(m, "TensorListReserve", 2, reserve, 2, list), 0};
    TfMaker *condition = tf_begin_body(m, OWN, own), *body = tf_begin_body(m, OWN, own);
    if (!condition || !body) return false;
    TfAttr int_type = tf_of_type("T", DTYPE_S32);
    TfInput two[2] = {condition->pool.data[COUNTER].at, condition->pool.data[LIMIT].at}, test[2] = {0},
            results[OWN + 1];
    test[0] = (TfInput){tf_push(condition, "Less", 2, two, 1, &int_type), 0};
    fill_body(body, dtype, x.sizes[0][2], hidden, results);
    TfArguments all = {.n = 0};
    tf_add_arguments(&all, condition, 0);
    all.at[SERIES] = series;
    all.at[RESULTS] = outputs;
    all.dtypes[SERIES] = all.dtypes[RESULTS] = DTYPE_VARIANT;
    TfAttr a[] = {tf_of_dtypes(m, "T", all.n, all.dtypes),
                  tf_of_function("cond", tf_end_body(condition, &all, OWN, OWN, 1, test, test_type)),
                  tf_of_function("body", tf_end_body(body, &all, OWN, OWN, all.n, results, all.dtypes)),
                  tf_of_int("parallel_iterations", 10)};
    TfInput out[TF_MOST_ARGUMENTS], wanted[3];
    tf_place(m, "While", all.at, all.n, 4, a, 50, out);
    wanted[0] = (TfInput){tf_push(m, "TensorListStack", 2, (TfInput[]){out[RESULTS], reserve[0]}, 1, list), 0};
    wanted[1] = out[HIDDEN];
    wanted[2] = out[MEMORY];
    TfTensor found[3] = {0};
    uint32_t n = random_chance(m->r, 50) ? 3 : 1;
    if (!tf_evaluate(m, n, wanted, found)) {
        tf_take_back(m, first);
        m->n_frames = frames;
        return false;
    }
    for (uint32_t i = 0; i < n; i++) tf_keep(m, found[i], "rnn");
    return true;
}
