/* DecodeJSONExample: tf.Example messages from protobuf's JSON to their binary form. The grammar is fixed by the
   message, so each level has a function of its own and nothing recurses. */
#include "hostops/wire.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    TfoptHostCall *call;
    const char *p, *end;
    bool bad;
} Json;

static void blanks(Json *j) {
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\t' || *j->p == '\r')) j->p++;
}

/* Whether the next character is c; then it is taken. */
static bool take(Json *j, char c) {
    blanks(j);
    if (j->bad || j->p >= j->end || *j->p != c) return false;
    j->p++;
    return true;
}

static bool expect(Json *j, char c) {
    if (!take(j, c)) j->bad = true;
    return !j->bad;
}

static bool take_null(Json *j) {
    blanks(j);
    if (j->bad || j->end - j->p < 4 || memcmp(j->p, "null", 4) != 0) return false;
    j->p += 4;
    return true;
}

static int hex(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static uint32_t hex4(Json *j) {
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        const int digit = j->p < j->end ? hex(*j->p++) : -1;
        if (digit < 0) j->bad = true;
        v = v << 4 | (uint32_t)(digit & 15);
    }
    return v;
}

/* One escape, after its backslash. */
static void escape(Json *j, TfoptText *out) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char c = j->p < j->end ? *j->p++ : '\0';
    const char *at = c ? strchr(from, c) : NULL;
    if (at) {
        tfopt_text_char(out, to[at - from]);
        return;
    }
    if (c != 'u') {
        j->bad = true;
        return;
    }
    uint32_t code = hex4(j);
    if (code >= 0xd800 && code < 0xdc00 && j->end - j->p > 1 && j->p[0] == '\\' && j->p[1] == 'u') {
        j->p += 2;
        const uint32_t low = hex4(j);
        if (low < 0xdc00 || low > 0xdfff) j->bad = true;
        code = 0x10000 + ((code - 0xd800) << 10) + ((low - 0xdc00) & 0x3ff);
    }
    tfopt_text_utf8(out, code);
}

static TfoptString string(Json *j) {
    TfoptText out = {.call = j->call};
    if (!expect(j, '"')) return (TfoptString){"", 0};
    while (!j->bad && j->p < j->end && *j->p != '"') {
        if ((uint8_t)*j->p < 0x20)
            j->bad = true;
        else if (*j->p == '\\') {
            j->p++;
            escape(j, &out);
        } else {
            tfopt_text_char(&out, *j->p++);
        }
    }
    expect(j, '"');
    return tfopt_text_take(&out);
}

/* A number, or a string that holds one. */
static TfoptString scalar(Json *j) {
    blanks(j);
    if (j->p < j->end && *j->p == '"') return string(j);
    const char *start = j->p;
    while (j->p < j->end && (strchr("+-.eE", *j->p) ? *j->p != '\0' : *j->p >= '0' && *j->p <= '9')) j->p++;
    if (j->p == start) j->bad = true;
    return (TfoptString){start, (uint64_t)(j->p - start)};
}

static double to_real(Json *j, TfoptString s) {
    char text[128], *stop;
    if (tfopt_string_equal(s, "NaN")) return NAN;
    if (tfopt_string_equal(s, "Infinity")) return INFINITY;
    if (tfopt_string_equal(s, "-Infinity")) return -INFINITY;
    if (s.size == 0 || s.size >= sizeof text || (s.data[0] != '-' && (s.data[0] < '0' || s.data[0] > '9'))) {
        j->bad = true;
        return 0;
    }
    memcpy(text, s.data, s.size);
    text[s.size] = '\0';
    const double v = strtod(text, &stop);
    if (*stop) j->bad = true;
    return v;
}

static int64_t to_int(Json *j, TfoptString s) {
    char text[64], *stop;
    if (s.size == 0 || s.size >= sizeof text) {
        j->bad = true;
        return 0;
    }
    memcpy(text, s.data, s.size);
    text[s.size] = '\0';
    errno = 0;
    const long long v = strtoll(text, &stop, 10);
    if (*stop == '\0' && errno == 0) return v;
    const double real = to_real(j, s); /* 1.0 and 1e3 are integers too */
    if (errno == ERANGE || real != floor(real) || !(fabs(real) < 0x1p63)) j->bad = true;
    return j->bad ? 0 : (int64_t)real;
}

static void varint(TfoptText *t, uint64_t v) {
    for (; v > 127; v >>= 7) tfopt_text_char(t, (char)(v | 128));
    tfopt_text_char(t, (char)v);
}

/* A field of bytes: text, message or packed list. */
static void bytes_field(TfoptText *t, uint32_t number, TfoptString s) {
    varint(t, number << 3 | 2);
    varint(t, s.size);
    tfopt_text_add(t, s.data, s.size);
}

static TfoptString base64(Json *j, TfoptString s) {
    TfoptText out = {.call = j->call};
    uint32_t bits = 0;
    int n = 0;
    while (s.size > 0 && s.data[s.size - 1] == '=') s.size--;
    for (uint64_t i = 0; i < s.size; i++) {
        const char c = s.data[i];
        const int v = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+' || c == '-' ? 62
                      : c == '/' || c == '_' ? 63
                                             : -1;
        if (v < 0) j->bad = true;
        bits = bits << 6 | (uint32_t)(v & 63);
        if ((n += 6) >= 8) tfopt_text_char(&out, (char)(bits >> (n -= 8)));
    }
    if (s.size % 4 == 1) j->bad = true;
    return tfopt_text_take(&out);
}

/* {"value": […]} of kind 1 bytes, 2 floats, 3 integers, as a message; each number is a field, as TensorFlow writes it.
 */
static TfoptString list(Json *j, int kind) {
    TfoptText out = {.call = j->call};
    if (!expect(j, '{') || take(j, '}')) return (TfoptString){"", 0};
    do {
        const TfoptString name = string(j);
        if (!tfopt_string_equal(name, "value")) j->bad = true;
        expect(j, ':');
        if (take_null(j)) continue;
        if (!expect(j, '[') || take(j, ']')) continue;
        do {
            const TfoptString s = kind == 1 ? string(j) : scalar(j);
            if (kind == 1) {
                bytes_field(&out, 1, base64(j, s));
            } else if (kind == 3) {
                tfopt_text_char(&out, 1 << 3);
                varint(&out, (uint64_t)to_int(j, s));
            } else {
                const float f = (float)to_real(j, s);
                uint32_t bits;
                memcpy(&bits, &f, sizeof bits);
                tfopt_text_char(&out, 1 << 3 | 5);
                for (int i = 0; i < 4; i++) tfopt_text_char(&out, (char)(bits >> (8 * i)));
            }
        } while (take(j, ','));
        expect(j, ']');
    } while (take(j, ','));
    expect(j, '}');
    if (out.failed) j->bad = true;
    return tfopt_text_take(&out);
}

static TfoptString feature(Json *j) {
    static const char *const names[6] = {"bytesList",  "floatList",  "int64List",
                                         "bytes_list", "float_list", "int64_list"};
    TfoptText out = {.call = j->call};
    if (take_null(j) || !expect(j, '{') || take(j, '}')) return (TfoptString){"", 0};
    do {
        const TfoptString name = string(j);
        int kind = 0;
        for (int i = 0; i < 6; i++) {
            if (tfopt_string_equal(name, names[i])) kind = i % 3 + 1;
        }
        if (kind == 0) j->bad = true;
        if (expect(j, ':') && kind && !take_null(j)) bytes_field(&out, (uint32_t)kind, list(j, kind));
    } while (take(j, ','));
    expect(j, '}');
    return tfopt_text_take(&out);
}

/* {"feature": {key: …}} */
static TfoptString features(Json *j) {
    TfoptText out = {.call = j->call}, entry = {.call = j->call};
    if (!expect(j, '{') || take(j, '}')) return (TfoptString){"", 0};
    do {
        const TfoptString name = string(j);
        if (!tfopt_string_equal(name, "feature")) j->bad = true;
        expect(j, ':');
        if (take_null(j) || !expect(j, '{') || take(j, '}')) continue;
        do {
            bytes_field(&entry, 1, string(j));
            if (expect(j, ':')) bytes_field(&entry, 2, feature(j));
            bytes_field(&out, 1, tfopt_text_take(&entry));
        } while (take(j, ','));
        expect(j, '}');
    } while (take(j, ','));
    expect(j, '}');
    if (out.failed || entry.failed) j->bad = true;
    return tfopt_text_take(&out);
}

static TfoptString example(Json *j) {
    TfoptText out = {.call = j->call};
    if (!expect(j, '{') || take(j, '}')) return (TfoptString){"", 0};
    do {
        const TfoptString name = string(j);
        if (!tfopt_string_equal(name, "features")) j->bad = true;
        if (expect(j, ':') && !take_null(j)) bytes_field(&out, 1, features(j));
    } while (take(j, ','));
    expect(j, '}');
    return tfopt_text_take(&out);
}

int32_t tfopt_host_decode_json_example(TfoptHostCall *call) {
    const TfoptTensor *t = &call->inputs[0];
    TfoptString *out = tfopt_output_like(call, 0, t);
    if (!out) return tfopt_no_memory(call);
    for (int64_t i = 0, n = tfopt_elements(t); i < n; i++) {
        const TfoptString s = tfopt_strings(t)[i];
        Json j = {call, s.data, s.data + s.size, false};
        out[i] = example(&j);
        blanks(&j);
        if (j.bad || j.p != j.end)
            return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT,
                                   "Error while parsing JSON at byte %lld of element %lld", (long long)(j.p - s.data),
                                   (long long)i);
    }
    return TFOPT_OK;
}
