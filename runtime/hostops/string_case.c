/* StringLower, StringUpper: ASCII, or with encoding utf-8 all letters as ICU changes them. */
#include "hostops/text.h"
#include "hostops/unicode_tables.h"

#include <string.h>

static uint32_t change(const TfoptCase *rows, uint32_t n, uint32_t c) {
    uint32_t low = 0, high = n;
    while (low < high) { /* the first row that ends at or behind the letter */
        const uint32_t middle = (low + high) / 2;
        if (rows[middle].high < c)
            low = middle + 1;
        else
            high = middle;
    }
    const bool changes = low < n && c >= rows[low].low && (c - rows[low].low) % rows[low].step == 0;
    return changes ? (uint32_t)((int32_t)c + rows[low].delta) : c;
}

static bool add_special(TfoptText *out, const TfoptLetters *letters, uint32_t n, uint32_t c) {
    for (uint32_t i = 0; i < n; i++) {
        if (letters[i].letter != c) continue;
        for (int k = 0; k < 3 && letters[i].becomes[k]; k++) tfopt_text_utf8(out, letters[i].becomes[k]);
        return true;
    }
    return false;
}

typedef enum { LETTER_CASED, LETTER_IGNORED, LETTER_OTHER } LetterKind;

/* What a character is where a capital sigma asks for its neighbours. */
static LetterKind kind_of(uint32_t c) {
    uint32_t low = 0, high = tfopt_unicode_n_categories;
    while (low + 1 < high) {
        const uint32_t middle = (low + high) / 2;
        if (tfopt_unicode_categories[middle] >> 8 <= c)
            low = middle;
        else
            high = middle;
    }
    const uint32_t value = tfopt_unicode_categories[low] & 255;
    if (value >= TFOPT_UNICODE_N_CATEGORIES) return LETTER_OTHER;
    const char *name = tfopt_unicode_category_names + 2 * value;
    if (name[0] == 'L' && (name[1] == 'u' || name[1] == 'l' || name[1] == 't')) return LETTER_CASED;
    const bool ignored = memcmp(name, "Mn", 2) == 0 || memcmp(name, "Me", 2) == 0 || memcmp(name, "Cf", 2) == 0 ||
                         memcmp(name, "Lm", 2) == 0 || memcmp(name, "Sk", 2) == 0 || c == '\'' || c == '.' ||
                         c == ':' || c == 0xb7 || c == 0x2019;
    return ignored ? LETTER_IGNORED : LETTER_OTHER;
}

/* Whether the next letter of s from `at` on is a cased one, passing over what does not count. */
static bool is_before_letter(TfoptString s, uint64_t at) {
    LetterKind kind = LETTER_IGNORED;
    while (kind == LETTER_IGNORED && at < s.size) kind = kind_of(tfopt_utf8_next(s, &at, NULL));
    return kind == LETTER_CASED;
}

static bool with_case(TfoptHostCall *call, TfoptString s, TfoptText *out, bool upper) {
    if (!tfopt_call_string_is(call, "encoding", "utf-8")) {
        char *bytes = tfopt_text_room(out, s.size);
        for (uint64_t i = 0; bytes && i < s.size; i++) {
            const uint8_t c = (uint8_t)s.data[i], d = (uint8_t)(c - (upper ? 'a' : 'A'));
            bytes[i] = (char)(d < 26 ? c ^ 32 : c);
        }
        return true;
    }
    if (s.size) s.size = strnlen(s.data, s.size); /* TensorFlow hands a C string to ICU */
    bool behind_letter = false;
    for (uint64_t i = 0; i < s.size;) {
        const uint32_t c = tfopt_utf8_next(s, &i, NULL);
        const bool special = upper ? add_special(out, tfopt_unicode_upper_special, tfopt_unicode_n_upper_special, c)
                                   : add_special(out, tfopt_unicode_lower_special, tfopt_unicode_n_lower_special, c);
        if (!special && upper)
            tfopt_text_utf8(out, change(tfopt_unicode_upper, tfopt_unicode_n_upper, c));
        else if (!special && c == 0x3a3) /* a sigma at the end of a word */
            tfopt_text_utf8(out, behind_letter && !is_before_letter(s, i) ? 0x3c2 : 0x3c3);
        else if (!special)
            tfopt_text_utf8(out, change(tfopt_unicode_lower, tfopt_unicode_n_lower, c));
        const LetterKind kind = c < 128 ? ((c | 32) >= 'a' && (c | 32) <= 'z' ? LETTER_CASED : kind_of(c)) : kind_of(c);
        if (kind != LETTER_IGNORED) behind_letter = kind == LETTER_CASED;
    }
    return true;
}

static bool to_lower(TfoptHostCall *call, TfoptString s, TfoptText *out) {
    return with_case(call, s, out, false);
}
static bool to_upper(TfoptHostCall *call, TfoptString s, TfoptText *out) {
    return with_case(call, s, out, true);
}
int32_t tfopt_host_string_lower(TfoptHostCall *call) {
    return tfopt_each_string(call, to_lower);
}
int32_t tfopt_host_string_upper(TfoptHostCall *call) {
    return tfopt_each_string(call, to_upper);
}
