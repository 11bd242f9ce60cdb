/* inflate: unpacks DEFLATE data (RFC 1951), for the entries of compressed .npz files. Codes are read bit by bit against
   the count of codes of each length: small rather than fast. */
#include "main/values.h"

enum { MOST_BITS = 15, MOST_LITERALS = 288, MOST_DISTANCES = 32, CODE_LENGTHS = 19 };

typedef struct {
    const uint8_t *in;
    size_t n_in, at;
    unsigned bit; /* of in[at] */
    uint8_t *out;
    size_t n_out, made;
    bool bad; /* more bits were asked for than there are */
} Stream;

/* A canonical prefix code: how many codes have each length, and their symbols in the order of the codes. */
typedef struct {
    uint16_t count[MOST_BITS + 1], symbol[MOST_LITERALS];
} Code;

static unsigned take_bit(Stream *s) {
    if (s->at >= s->n_in) {
        s->bad = true;
        return 0;
    }
    unsigned b = s->in[s->at] >> s->bit & 1u;
    s->bit = (s->bit + 1) & 7;
    s->at += s->bit == 0;
    return b;
}

static unsigned take(Stream *s, unsigned n) {
    unsigned v = 0;
    for (unsigned i = 0; i < n; i++) v |= take_bit(s) << i;
    return v;
}

/* From the lengths of the symbols' codes (0: has none). False where there are more codes than fit. */
static bool make_code(Code *c, const uint8_t *lengths, unsigned n) {
    uint16_t first[MOST_BITS + 2] = {0};
    int left = 1;
    for (unsigned i = 0; i <= MOST_BITS; i++) c->count[i] = 0;
    for (unsigned i = 0; i < n; i++) c->count[lengths[i]]++;
    c->count[0] = 0;
    for (unsigned i = 1; i <= MOST_BITS; i++) {
        left = 2 * left - c->count[i];
        if (left < 0) return false;
        first[i + 1] = (uint16_t)(first[i] + c->count[i]);
    }
    for (unsigned i = 0; i < n; i++)
        if (lengths[i]) c->symbol[first[lengths[i]]++] = (uint16_t)i;
    return true;
}

/* The next symbol, -1 where the bits are no code. */
static int take_symbol(Stream *s, const Code *c) {
    int code = 0, first = 0, index = 0;
    for (int i = 1; i <= MOST_BITS && !s->bad; i++) {
        code |= (int)take_bit(s);
        if (code - c->count[i] < first) return c->symbol[index + code - first];
        index += c->count[i];
        first = (first + c->count[i]) * 2;
        code *= 2;
    }
    return -1;
}

static bool copy_stored(Stream *s) {
    if (s->bit) s->at++;
    s->bit = 0;
    if (s->n_in - s->at < 4) return false;
    size_t n = (size_t)s->in[s->at] | (size_t)s->in[s->at + 1] << 8;
    s->at += 4;
    if (n > s->n_in - s->at || n > s->n_out - s->made) return false;
    for (size_t i = 0; i < n; i++) s->out[s->made++] = s->in[s->at++];
    return true;
}

/* Literals and copies of what was made before, up to the end of the block. */
static bool unpack(Stream *s, const Code *literals, const Code *distances) {
    static const uint16_t length_base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                           31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t length_bits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                          2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static const uint16_t distance_base[] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                             33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                             1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    for (;;) {
        int symbol = take_symbol(s, literals);
        if (symbol < 0 || s->bad) return false;
        if (symbol == 256) return true;
        if (symbol < 256) {
            if (s->made == s->n_out) return false;
            s->out[s->made++] = (uint8_t)symbol;
            continue;
        }
        if (symbol > 285) return false;
        size_t length = (size_t)length_base[symbol - 257] + take(s, length_bits[symbol - 257]);
        int far = take_symbol(s, distances);
        if (far < 0 || far > 29) return false;
        size_t distance = (size_t)distance_base[far] + take(s, far < 2 ? 0 : (unsigned)far / 2 - 1);
        if (s->bad || distance > s->made || length > s->n_out - s->made) return false;
        for (; length; length--, s->made++) s->out[s->made] = s->out[s->made - distance];
    }
}

static bool unpack_fixed(Stream *s) {
    Code literals, distances;
    uint8_t lengths[MOST_LITERALS];
    for (unsigned i = 0; i < MOST_LITERALS; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    make_code(&literals, lengths, MOST_LITERALS);
    for (unsigned i = 0; i < MOST_DISTANCES; i++) lengths[i] = 5;
    make_code(&distances, lengths, MOST_DISTANCES);
    return unpack(s, &literals, &distances);
}

/* The codes come first: their lengths, themselves coded. */
static bool unpack_dynamic(Stream *s) {
    static const uint8_t order[CODE_LENGTHS] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    unsigned n_literals = take(s, 5) + 257, n_distances = take(s, 5) + 1, n_codes = take(s, 4) + 4, n = 0;
    if (n_literals > 286 || n_distances > 30) return false;
    uint8_t lengths[MOST_LITERALS + MOST_DISTANCES] = {0};
    Code code, literals, distances;
    for (unsigned i = 0; i < n_codes; i++) lengths[order[i]] = (uint8_t)take(s, 3);
    if (!make_code(&code, lengths, CODE_LENGTHS)) return false;
    uint8_t last = 0;
    while (n < n_literals + n_distances) {
        int symbol = take_symbol(s, &code);
        unsigned times = 1;
        if (symbol < 0) return false;
        if (symbol < 16) {
            last = (uint8_t)symbol;
        } else if (symbol == 16) {
            if (n == 0) return false;
            times = 3 + take(s, 2);
        } else {
            last = 0;
            times = symbol == 17 ? 3 + take(s, 3) : 11 + take(s, 7);
        }
        if (times > n_literals + n_distances - n) return false;
        while (times--) lengths[n++] = last;
    }
    return make_code(&literals, lengths, n_literals) && make_code(&distances, lengths + n_literals, n_distances) &&
           unpack(s, &literals, &distances);
}

bool value_unpack(const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out) {
    Stream s = {.in = in, .n_in = n_in, .out = out, .n_out = n_out};
    for (bool last = false; !last;) {
        last = take_bit(&s);
        unsigned kind = take(&s, 2);
        bool ok = !s.bad && (kind == 0   ? copy_stored(&s)
                             : kind == 1 ? unpack_fixed(&s)
                             : kind == 2 ? unpack_dynamic(&s)
                                         : false);
        if (!ok) return false;
    }
    return s.made == n_out;
}
