/* Unicode: transcoding between UTF-8, UTF-16 and UTF-32 (and from ASCII, Latin-1), code points of strings, scripts. */
#include "hostops/text.h"
#include <string.h>

typedef enum {
    CODE_UTF8,
    CODE_UTF16_BE,
    CODE_UTF32_BE,
    CODE_LATIN1,
    CODE_ASCII,
    CODE_UTF16_LE,
    CODE_UTF32_LE,
    CODE_UNKNOWN
} Encoding;

static Encoding encoding_of(TfoptString name) {
    static const struct {
        const char *name;
        Encoding value;
    } rows[] = {
#define ENCODING(name, code) {name, CODE_##code},
#include "hostops/encodings.def"
#undef ENCODING
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (tfopt_string_equal(name, rows[i].name)) return rows[i].value;
    }
    return CODE_UNKNOWN;
}

/* The code point at *at, which moves on; *bad when it is malformed. */
static uint32_t decode(Encoding e, TfoptString s, uint64_t *at, bool *bad) {
    const uint8_t *p = (const uint8_t *)s.data + *at;
    const uint64_t left = s.size - *at;
    if (e == CODE_UTF8) return tfopt_utf8_next(s, at, bad);
    if (e == CODE_LATIN1 || e == CODE_ASCII) {
        *at += 1;
        if (e == CODE_ASCII && *p >= 0x80) *bad = true;
        return *bad ? 0xfffd : *p;
    }
    const bool big = e == CODE_UTF16_BE || e == CODE_UTF32_BE, wide = e == CODE_UTF32_BE || e == CODE_UTF32_LE;
    const uint64_t unit = wide ? 4 : 2;
    if (left < unit) {
        *at = s.size;
        *bad = true;
        return 0xfffd;
    }
    uint32_t v = 0;
    for (uint64_t i = 0; i < unit; i++) v |= (uint32_t)p[big ? unit - 1 - i : i] << (8 * i);
    *at += unit;
    if (!wide && v >= 0xd800 && v < 0xdc00 && left >= 4) {
        const uint32_t low = big ? (uint32_t)p[2] << 8 | p[3] : (uint32_t)p[3] << 8 | p[2];
        if (low >= 0xdc00 && low < 0xe000) {
            *at += 2;
            return 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    if ((v >= 0xd800 && v < 0xe000) || v > 0x10ffff) *bad = true;
    return *bad ? 0xfffd : v;
}

static void encode(Encoding e, uint32_t code, TfoptText *out) {
    if (e == CODE_UTF8) {
        tfopt_text_utf8(out, code);
        return;
    }
    uint32_t units[2] = {code, 0};
    int n = 1, bytes = e == CODE_UTF32_BE ? 4 : 2;
    if (bytes == 2 && code >= 0x10000) {
        units[0] = 0xd800 + ((code - 0x10000) >> 10);
        units[1] = 0xdc00 + ((code - 0x10000) & 0x3ff);
        n = 2;
    }
    for (int i = 0; i < n; i++) {
        for (int k = bytes - 1; k >= 0; k--) tfopt_text_char(out, (char)(units[i] >> (8 * k) & 255));
    }
}

typedef struct {
    Encoding input, output;
    bool strict, ignore, replace_control;
    uint32_t replacement;
} Options;

static int32_t read_options(TfoptHostCall *call, Options *o) {
    o->input = encoding_of(tfopt_call_string(call, "input_encoding", "UTF-8"));
    o->output = encoding_of(tfopt_call_string(call, "output_encoding", "UTF-8"));
    o->strict = tfopt_call_string_is(call, "errors", "strict");
    o->ignore = tfopt_call_string_is(call, "errors", "ignore");
    o->replace_control = tfopt_call_int(call, "replace_control_characters", 0) != 0;
    o->replacement = (uint32_t)tfopt_call_int(call, "replacement_char", 0xfffd);
    if (o->input == CODE_UNKNOWN ||
        (o->output != CODE_UTF8 && o->output != CODE_UTF16_BE && o->output != CODE_UTF32_BE))
        return tfopt_invalid(call, "this encoding is not supported");
    return TFOPT_OK;
}

/* The next code point under the options; false: none (ignored); *status set for strict errors. */
static bool next_code(TfoptHostCall *call, const Options *o, TfoptString s, uint64_t *at, uint32_t *code,
                      int32_t *status) {
    bool bad = false;
    *code = decode(o->input, s, at, &bad);
    bad = bad || (o->replace_control && *code < 0x20);
    if (bad && o->strict) {
        *status = tfopt_invalid(call, "Invalid formatting on input string");
        return false;
    }
    if (bad && o->ignore) return false;
    if (bad) *code = o->replacement;
    return true;
}

int32_t tfopt_host_unicode_transcode(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    Options o;
    int32_t status = read_options(call, &o);
    if (status != TFOPT_OK) return status;
    TfoptString *out = tfopt_output_like(call, 0, t);
    if (!out) return tfopt_no_memory(call);
    TfoptText text = {.call = call};
    for (int64_t i = 0, n = tfopt_elements(t); i < n; i++) {
        const TfoptString s = tfopt_strings(t)[i];
        for (uint64_t at = 0; at < s.size && status == TFOPT_OK;) {
            uint32_t code;
            if (next_code(call, &o, s, &at, &code, &status)) encode(o.output, code, &text);
        }
        if (status != TFOPT_OK) return status;
        if (text.failed) return tfopt_no_memory(call);
        out[i] = tfopt_text_take(&text);
    }
    return TFOPT_OK;
}

/* row_splits, char_values, and with a fourth result the byte offsets of the characters. */
int32_t tfopt_host_unicode_decode(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    const int64_t rows = tfopt_elements(t);
    Options o;
    int32_t status = read_options(call, &o);
    if (status != TFOPT_OK) return status;
    int64_t most = 0, count = 0;
    for (int64_t i = 0; i < rows; i++) most += (int64_t)tfopt_strings(t)[i].size;
    int32_t *codes = tfopt_call_alloc(call, most + 1, sizeof *codes);
    int64_t *starts = tfopt_call_alloc(call, most + 1, sizeof *starts);
    if (!codes || !starts || !tfopt_output_1d(call, 0, rows + 1)) return tfopt_no_memory(call);
    tfopt_set_int(&call->outputs[0], 0, 0);
    for (int64_t i = 0; i < rows; i++) {
        const TfoptString s = tfopt_strings(t)[i];
        for (uint64_t at = 0; at < s.size && status == TFOPT_OK;) {
            uint32_t code;
            const uint64_t start = at;
            if (!next_code(call, &o, s, &at, &code, &status)) continue;
            codes[count] = (int32_t)code;
            starts[count++] = (int64_t)start;
        }
        if (status != TFOPT_OK) return status;
        tfopt_set_int(&call->outputs[0], i + 1, count);
    }
    int32_t *values = tfopt_output_1d(call, 1, count);
    if (!values) return tfopt_no_memory(call);
    if (count) memcpy(values, codes, (size_t)count * sizeof *codes);
    if (call->n_outputs > 2) {
        int64_t *offsets = tfopt_output_1d(call, 2, count);
        if (!offsets) return tfopt_no_memory(call);
        if (count) memcpy(offsets, starts, (size_t)count * sizeof *starts);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_unicode_encode(TfoptHostCall *call) {
    const TfoptTensor *values = &call->inputs[0], *splits = &call->inputs[1];
    const int64_t rows = tfopt_elements(splits) - 1;
    Options o;
    const int32_t status = read_options(call, &o);
    if (status != TFOPT_OK) return status;
    TfoptString *out = rows < 0 ? NULL : tfopt_output_1d(call, 0, rows);
    if (!out) return rows < 0 ? tfopt_invalid(call, "input_splits is empty") : tfopt_no_memory(call);
    TfoptText text = {.call = call};
    for (int64_t r = 0; r < rows; r++) {
        const int64_t first = tfopt_int_at(splits, r), end = tfopt_int_at(splits, r + 1);
        if (first < 0 || end < first || end > tfopt_elements(values))
            return tfopt_invalid(call, "input_splits out of range");
        for (int64_t i = first; i < end; i++) {
            const int64_t code = tfopt_int_at(values, i);
            const bool bad = code < 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000);
            if (bad && o.strict)
                return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT,
                                       "Code point is out of range for Unicode, or a noncharacter.");
            if (bad && o.ignore) continue;
            encode(o.output, bad ? o.replacement : (uint32_t)code, &text);
        }
        if (text.failed) return tfopt_no_memory(call);
        out[r] = tfopt_text_take(&text);
    }
    return TFOPT_OK;
}

/* Scripts by ICU's numbers, of the blocks in common use; 0 is Common, 1 Inherited. */
typedef struct {
    uint32_t low, high;
    int32_t script;
} Script;
static const Script scripts[] = {
    {'A', 'Z', 25},       {'a', 'z', 25},       {0xaa, 0xaa, 25},      {0xba, 0xba, 25},     {0xc0, 0xd6, 25},
    {0xd8, 0xf6, 25},     {0xf8, 0x2b8, 25},    {0x300, 0x36f, 1},     {0x370, 0x373, 14},   {0x375, 0x377, 14},
    {0x37a, 0x37d, 14},   {0x37f, 0x37f, 14},   {0x384, 0x384, 14},    {0x386, 0x386, 14},   {0x388, 0x3e1, 14},
    {0x3f0, 0x3ff, 14},   {0x400, 0x484, 8},    {0x487, 0x52f, 8},     {0x531, 0x58a, 3},    {0x591, 0x5f4, 19},
    {0x600, 0x604, 2},    {0x606, 0x60b, 2},    {0x60d, 0x61a, 2},     {0x620, 0x63f, 2},    {0x641, 0x64a, 2},
    {0x656, 0x66f, 2},    {0x671, 0x6dc, 2},    {0x6de, 0x6ff, 2},     {0x900, 0x950, 10},   {0x955, 0x963, 10},
    {0x966, 0x97f, 10},   {0x980, 0x9fe, 4},    {0xa01, 0xa76, 16},    {0xa81, 0xaff, 15},   {0xb01, 0xb77, 31},
    {0xb82, 0xbfa, 35},   {0xc00, 0xc7f, 36},   {0xc80, 0xcf3, 21},    {0xd00, 0xd7f, 26},   {0xe01, 0xe3a, 38},
    {0xe40, 0xe5b, 38},   {0xe81, 0xedf, 24},   {0xf00, 0xfd4, 39},    {0x1000, 0x109f, 28}, {0x10a0, 0x10fa, 12},
    {0x10fc, 0x10ff, 12}, {0x1100, 0x11ff, 18}, {0x1200, 0x139f, 11},  {0x1780, 0x17f9, 23}, {0x1800, 0x18aa, 27},
    {0x1e00, 0x1eff, 25}, {0x1f00, 0x1ffe, 14}, {0x212a, 0x212b, 25},  {0x2e80, 0x2fd5, 17}, {0x3005, 0x3005, 17},
    {0x3007, 0x3007, 17}, {0x3021, 0x3029, 17}, {0x3041, 0x3096, 20},  {0x309d, 0x309f, 20}, {0x30a1, 0x30fa, 22},
    {0x30fd, 0x30ff, 22}, {0x3105, 0x312f, 5},  {0x3131, 0x318e, 18},  {0x31f0, 0x31ff, 22}, {0x3400, 0x4dbf, 17},
    {0x4e00, 0x9fff, 17}, {0xac00, 0xd7a3, 18}, {0xf900, 0xfad9, 17},  {0xff21, 0xff3a, 25}, {0xff41, 0xff5a, 25},
    {0xff66, 0xff6f, 22}, {0xff71, 0xff9d, 22}, {0x20000, 0x3134a, 17}};

int32_t tfopt_host_unicode_script(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    int32_t *out = tfopt_output_like(call, 0, t);
    if (!out) return tfopt_no_memory(call);
    for (int64_t i = 0, n = tfopt_elements(t); i < n; i++) {
        const int64_t code = tfopt_int_at(t, i);
        out[i] = code < 0 || code > 0x10ffff ? -1 : 0;
        for (size_t k = 0; k < sizeof scripts / sizeof *scripts; k++) {
            if (code >= scripts[k].low && code <= scripts[k].high) out[i] = scripts[k].script;
        }
    }
    return TFOPT_OK;
}
