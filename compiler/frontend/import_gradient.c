/* import_gradient: gradients of element-wise ops, as compositions in the order of TensorFlow's functors. Inference
   graphs hold them where a model differentiates itself: guided sampling, saliency maps, physics. */
#include "frontend/importer.h"

#include <string.h>

static ValueId mul(Import *c, ValueId a, ValueId b) {
    return make_binary(c, OP_MUL, a, b);
}

/* Whether both operands are of one type that scalar ops compute on. */
static bool plain_pair(Import *c) {
    DType t = dtype_of(c, c->in[0]);
    if (t != dtype_of(c, c->in[1])) return bad(c, "its operands have different types");
    return is_plain(t) || unsupported(c, "has no implementation for element type %s", dtype_info(t)->text);
}

/* Gradients that are given the op's result: (y, dy). arg is a variant. Of complex numbers all but the first two take
   the conjugate. */
typedef enum { OF_TANH, OF_SIGMOID, OF_RECIPROCAL, OF_SQRT, OF_RSQRT } ByResult;

bool import_gradient_by_result(Import *c) {
    ValueId y = c->in[0];
    ValueId dy = c->in[1];
    ByResult kind = (ByResult)import_row(c)->arg;
    bool complex = dtype_info(dtype_of(c, y))->class_ == CLASS_COMPLEX && dtype_of(c, y) == dtype_of(c, dy);
    if (!complex && !plain_pair(c)) return false;
    if (complex && kind >= OF_RECIPROCAL) y = import_host(c, "Conj", 1, &y, 1);
    ValueId one = make_like(c, y, 1);
    ValueId square = mul(c, y, y);
    if (kind == OF_TANH) {
        ValueId slope = make_binary(c, OP_SUB, one, square);
        return give(c, mul(c, dy, slope));
    }
    if (kind == OF_SIGMOID) {
        ValueId rest = make_binary(c, OP_SUB, one, y);
        ValueId slope = mul(c, rest, y);
        return give(c, mul(c, dy, slope));
    }
    ValueId r = {0};
    if (kind == OF_RECIPROCAL) {
        ValueId scaled = mul(c, square, dy);
        ValueId minus = make_like(c, y, -1);
        r = mul(c, minus, scaled);
    } else if (kind == OF_SQRT) {
        ValueId half = make_like(c, y, 0.5);
        ValueId halved = mul(c, half, dy);
        r = make_binary(c, OP_DIV, halved, y);
    } else {
        ValueId scaled = mul(c, dy, y);
        ValueId factor = make_like(c, y, -0.5);
        ValueId halved = mul(c, factor, scaled);
        r = mul(c, halved, square);
    }
    ValueId zero = make_like(c, dy, 0);
    ValueId nothing = make_binary(c, OP_EQ, dy, zero);
    return give(c, make_select(c, nothing, zero, r));
}

/* 1 where lo < x (and x < hi), else 0, in x's type */
static ValueId passes(Import *c, ValueId x, bool limited) {
    ValueId zero = make_like(c, x, 0);
    ValueId open = make_binary(c, OP_GT, x, zero);
    if (limited) {
        ValueId six = make_like(c, x, 6);
        ValueId below = make_binary(c, OP_LT, x, six);
        open = make_binary(c, OP_AND, open, below);
    }
    return make_cast(c, open, dtype_of(c, x));
}

/* ReluGrad, Relu6Grad (arg 6), LeakyReluGrad (arg -1): (dy, x) */
bool import_relu_gradient(Import *c) {
    if (!plain_pair(c)) return false;
    ValueId dy = c->in[0];
    ValueId x = c->in[1];
    if (import_row(c)->arg >= 0) {
        ValueId open = passes(c, x, import_row(c)->arg == 6);
        return give(c, mul(c, dy, open));
    }
    ValueId alpha = make_like(c, dy, attr_f(c, "alpha", 0.2));
    ValueId zero = make_like(c, x, 0);
    ValueId positive = make_binary(c, OP_GT, x, zero);
    ValueId scaled = mul(c, dy, alpha);
    return give(c, make_select(c, positive, dy, scaled));
}

/* EluGrad, SeluGrad (arg 1): (dy, y), where y is the op's result */
bool import_elu_gradient(Import *c) {
    if (!plain_pair(c)) return false;
    bool scaled = import_row(c)->arg == 1;
    ValueId dy = c->in[0];
    ValueId y = c->in[1];
    ValueId limit = make_like(c, y, scaled ? 1.7580993408473768599402175208123 : 1);
    ValueId zero = make_like(c, y, 0);
    ValueId negative = make_binary(c, OP_LT, y, zero);
    ValueId slope = make_binary(c, OP_ADD, y, limit);
    ValueId below = mul(c, dy, slope);
    ValueId above = dy;
    if (scaled) {
        ValueId scale = make_like(c, y, 1.0507009873554804934193349852946);
        above = mul(c, dy, scale);
    }
    return give(c, make_select(c, negative, below, above));
}

/* SoftplusGrad: dy / (exp(-x) + 1); SoftsignGrad (arg 1): dy / (1 + |x|)² */
bool import_soft_gradient(Import *c) {
    if (!plain_pair(c)) return false;
    ValueId x = c->in[1];
    ValueId one = make_like(c, x, 1);
    bool sign = import_row(c)->arg == 1;
    ValueId inner = make_unary(c, sign ? OP_ABS : OP_NEG, x);
    if (!sign) inner = make_unary(c, OP_EXP, inner);
    ValueId divisor = make_binary(c, OP_ADD, inner, one);
    if (sign) divisor = mul(c, divisor, divisor);
    return give(c, make_binary(c, OP_DIV, c->in[0], divisor));
}

/* BiasAddGrad: sums over all dims but the channels */
bool import_bias_gradient(Import *c) {
    ValueId x = c->in[0];
    int rank = rank_of(c, x);
    if (rank < 2) return bad(c, "needs at least two dimensions");
    if (!is_plain(dtype_of(c, x))) return unsupported(c, "has no implementation for this element type");
    bool first = strncmp(attr_s(c, "data_format", "NHWC"), "NC", 2) == 0;
    int64_t axes[MAX_RANK];
    int n = 0;
    for (int i = 0; i < rank; i++)
        if (i != (first ? 1 : rank - 1)) axes[n++] = i;
    return give(c, make_reduce(c, x, "sum", n, axes, false));
}
