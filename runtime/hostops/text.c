/* Growing texts and UTF-8 (text.h). */
#include "hostops/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool reserve(TfoptText *t, uint64_t more) {
    if (t->failed) return false;
    if (t->size + more <= t->capacity) return true;
    const uint64_t most = 1 << 16; /* that texts to come may share */
    uint64_t capacity = t->chunk ? t->chunk < most ? t->chunk * 2 : most : 64;
    while (capacity < t->size + more) capacity *= 2;
    char *data = tfopt_call_alloc(t->call, (int64_t)capacity, 1);
    if (!data) {
        t->failed = true;
        return false;
    }
    if (t->size) memcpy(data, t->data, t->size);
    t->data = data;
    t->capacity = t->chunk = capacity;
    return true;
}

char *tfopt_text_room(TfoptText *t, uint64_t n) {
    if (n == 0 || !reserve(t, n)) return NULL;
    t->size += n;
    return t->data + t->size - n;
}

void tfopt_text_add(TfoptText *t, const char *data, uint64_t n) {
    if (n == 0 || !reserve(t, n)) return;
    memcpy(t->data + t->size, data, n);
    t->size += n;
}

void tfopt_text_char(TfoptText *t, char c) {
    tfopt_text_add(t, &c, 1);
}

void tfopt_text_print(TfoptText *t, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n > 0 && reserve(t, (uint64_t)n + 1)) {
        vsnprintf(t->data + t->size, (size_t)n + 1, format, again);
        t->size += (uint64_t)n;
    }
    va_end(again);
}

TfoptString tfopt_text_take(TfoptText *t) {
    const TfoptString s = {t->data ? t->data : "", t->size};
    if (!t->data) return s;
    t->data += t->size; /* the next text goes behind it */
    t->capacity -= t->size;
    t->size = 0;
    return s;
}

uint32_t tfopt_utf8_next(TfoptString s, uint64_t *at, bool *bad) {
    const uint8_t *p = (const uint8_t *)s.data;
    const uint8_t first = p[(*at)++];
    if (first < 0x80) return first;
    const uint32_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    uint32_t code = first & (0x3fu >> more);
    bool good = first >= 0xc2 && first < 0xf5;
    /* As far as the bytes may begin a character they are one malformed character: overlong forms, surrogates and what
       is beyond the last one end it at their second byte. */
    for (uint32_t i = 0; i < more && good; i++) {
        const uint32_t low = i               ? 0x80u
                             : first == 0xe0 ? 0xa0u
                             : first == 0xf0 ? 0x90u
                                             : 0x80u,
                       high = i               ? 0xbfu
                              : first == 0xed ? 0x9fu
                              : first == 0xf4 ? 0x8fu
                                              : 0xbfu;
        good = *at < s.size && p[*at] >= low && p[*at] <= high;
        if (good) code = code << 6 | (p[(*at)++] & 0x3fu);
    }
    if (good) return code;
    if (bad) *bad = true;
    return 0xfffd;
}

void tfopt_text_utf8(TfoptText *t, uint32_t code) {
    if (code < 0x80) {
        tfopt_text_char(t, (char)code);
    } else if (code < 0x800) {
        tfopt_text_char(t, (char)(0xc0 | code >> 6));
        tfopt_text_char(t, (char)(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        tfopt_text_char(t, (char)(0xe0 | code >> 12));
        tfopt_text_char(t, (char)(0x80 | (code >> 6 & 0x3f)));
        tfopt_text_char(t, (char)(0x80 | (code & 0x3f)));
    } else {
        tfopt_text_char(t, (char)(0xf0 | code >> 18));
        tfopt_text_char(t, (char)(0x80 | (code >> 12 & 0x3f)));
        tfopt_text_char(t, (char)(0x80 | (code >> 6 & 0x3f)));
        tfopt_text_char(t, (char)(0x80 | (code & 0x3f)));
    }
}

int32_t tfopt_each_string(TfoptHostCall *call, TfoptStringFn *f) {
    const TfoptTensor *t = &call->inputs[0];
    TfoptString *out = tfopt_output_like(call, 0, t);
    if (!out) return tfopt_no_memory(call);
    TfoptText text = {.call = call};
    for (int64_t i = 0, n = tfopt_elements(t); i < n; i++) {
        if (!f(call, tfopt_strings(t)[i], &text)) return TFOPT_INVALID_ARGUMENT;
        if (text.failed) return tfopt_no_memory(call);
        out[i] = tfopt_text_take(&text);
    }
    return TFOPT_OK;
}
