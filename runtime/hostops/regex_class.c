/* Sets of characters in regular expressions: ranges, named classes, properties of Unicode, other cases of letters. */
#include "hostops/regex.h"
#include "hostops/unicode_tables.h"

#include <string.h>

static void push(TfoptRegex *r, uint32_t low, uint32_t high) {
    if (r->n_ranges + 3 >= MAX_RANGES)
        tfopt_regex_fail(r, "pattern too large");
    else
        r->ranges[r->n_ranges++] = (Range){low, high};
}

/* The other cases of a range's letters; an orbit has at most four letters. */
static void push_folded(TfoptRegex *r, uint32_t low, uint32_t high, int depth) {
    for (uint32_t i = 0; i < tfopt_unicode_n_folds && depth < 3; i++) {
        const TfoptFold *f = &tfopt_unicode_folds[i];
        uint32_t a = f->low > low ? f->low : low, b = f->high < high ? f->high : high;
        if (a > b) continue;
        if (f->delta == FOLD_EVEN || f->delta == FOLD_ODD) { /* whole pairs */
            const uint32_t odd = f->delta == FOLD_ODD;
            a = ((a + odd) & ~1u) - odd;
            b = ((b + odd) | 1u) - odd;
        } else {
            a = (uint32_t)((int32_t)a + f->delta);
            b = (uint32_t)((int32_t)b + f->delta);
        }
        push(r, a, b);
        if (r->failed) return;
        push_folded(r, a, b, depth + 1);
    }
}

void tfopt_class_range(TfoptRegex *r, uint32_t low, uint32_t high) {
    push(r, low, high);
    if (r->fold_case && !r->failed) push_folded(r, low, high, 0);
}

/* The class from `first` on becomes its complement. */
static void complement(TfoptRegex *r, int32_t first) {
    tfopt_class_end(r, first);
    uint32_t next = 0;
    int32_t n = first;
    for (int32_t i = first; i < r->n_ranges; i++) {
        const Range range = r->ranges[i];
        if (range.low > next) r->ranges[n++] = (Range){next, range.low - 1};
        next = range.high + 1;
    }
    if (next <= 0x10ffff) r->ranges[n++] = (Range){next, 0x10ffff};
    r->n_ranges = n;
}

static void sift(Range *ranges, int32_t at, int32_t n) {
    for (int32_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && ranges[child + 1].low > ranges[child].low) child++;
        if (ranges[at].low >= ranges[child].low) return;
        const Range swap = ranges[at];
        ranges[at] = ranges[child];
        ranges[child] = swap;
    }
}

void tfopt_class_end(TfoptRegex *r, int32_t first) {
    Range *ranges = r->ranges + first;
    const int32_t n = r->n_ranges - first;
    for (int32_t i = n / 2; i-- > 0;) sift(ranges, i, n);
    for (int32_t i = n; i-- > 1;) {
        const Range swap = ranges[0];
        ranges[0] = ranges[i];
        ranges[i] = swap;
        sift(ranges, 0, i);
    }
    int32_t kept = 0;
    for (int32_t i = 0; i < n; i++) {
        if (kept > 0 && ranges[i].low <= ranges[kept - 1].high + 1) {
            if (ranges[i].high > ranges[kept - 1].high) ranges[kept - 1].high = ranges[i].high;
        } else {
            ranges[kept++] = ranges[i];
        }
    }
    r->n_ranges = first + kept;
}

typedef struct {
    const char *name;
    Range ranges[5];
} NamedClass;
static const NamedClass posix_classes[] = {{"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
                                           {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
                                           {"ascii", {{0, 127}}},
                                           {"blank", {{'\t', '\t'}, {' ', ' '}}},
                                           {"cntrl", {{0, 31}, {127, 127}}},
                                           {"digit", {{'0', '9'}}},
                                           {"graph", {{'!', '~'}}},
                                           {"lower", {{'a', 'z'}}},
                                           {"print", {{' ', '~'}}},
                                           {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
                                           {"space", {{'\t', '\r'}, {' ', ' '}}},
                                           {"upper", {{'A', 'Z'}}},
                                           {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
                                           {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}}};

/* Ranges of a class, or of its complement. */
static void add_named(TfoptRegex *r, const Range *ranges, bool negated) {
    uint32_t next = 0;
    for (int i = 0; i < 5 && (ranges[i].high || i == 0); i++) {
        if (!negated)
            tfopt_class_range(r, ranges[i].low, ranges[i].high);
        else if (ranges[i].low > next)
            tfopt_class_range(r, next, ranges[i].low - 1);
        next = ranges[i].high + 1;
    }
    if (negated) tfopt_class_range(r, next, 0x10ffff);
}

/* \d \D \s \S \w \W: true when it was one. */
bool tfopt_class_perl(TfoptRegex *r, char c) {
    static const Range digit[5] = {{'0', '9'}}, space[5] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}},
                       word[5] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    const bool negated = c >= 'A' && c <= 'Z';
    switch (c | 32) {
    case 'd':
        add_named(r, digit, negated);
        return true;
    case 's':
        add_named(r, space, negated);
        return true;
    case 'w':
        add_named(r, word, negated);
        return true;
    default:
        return false;
    }
}

bool tfopt_class_posix(TfoptRegex *r) {
    const char *name = r->p + 2;
    const bool inverse = name < r->end && *name == '^';
    name += inverse;
    for (size_t i = 0; i < sizeof posix_classes / sizeof *posix_classes; i++) {
        const size_t n = strlen(posix_classes[i].name);
        if ((size_t)(r->end - name) < n + 2 || memcmp(name, posix_classes[i].name, n) != 0 || name[n] != ':' ||
            name[n + 1] != ']')
            continue;
        add_named(r, posix_classes[i].ranges, inverse);
        r->p = name + n + 2;
        return true;
    }
    tfopt_regex_fail(r, "invalid character class range");
    return false;
}

/* Characters whose value in a table of runs is wanted (bit by bit for categories, one number for scripts). */
static void add_runs(TfoptRegex *r, const uint32_t *runs, uint32_t n, uint64_t wanted, int32_t script) {
    for (uint32_t i = 0; i < n && !r->failed; i++) {
        const uint32_t value = runs[i] & 255;
        if (script >= 0 ? value != (uint32_t)script : !(wanted >> value & 1)) continue;
        tfopt_class_range(r, runs[i] >> 8, i + 1 < n ? (runs[i + 1] >> 8) - 1 : 0x10ffff);
    }
}

bool tfopt_class_property(TfoptRegex *r) {
    const int32_t first = r->n_ranges;
    bool inverse = *r->p++ == 'P';
    const char *name = r->p;
    size_t n = 1;
    if (r->p < r->end && *r->p == '{') {
        const char *end = memchr(r->p, '}', (size_t)(r->end - r->p));
        name = r->p + 1;
        n = end ? (size_t)(end - name) : 0;
        r->p = end ? end + 1 : r->end;
        if (n > 0 && *name == '^') inverse = !inverse, name++, n--;
    } else {
        r->p += r->p < r->end;
    }
    uint64_t wanted = 0;
    int32_t script = -1;
    bool any = n == 3 && memcmp(name, "Any", 3) == 0;
    for (uint32_t i = 0; i < TFOPT_UNICODE_N_CATEGORIES && name < r->end && (n == 1 || n == 2); i++)
        wanted |= (uint64_t)(memcmp(name, tfopt_unicode_category_names + 2 * i, n) == 0) << i;
    for (uint32_t i = 0; i < tfopt_unicode_n_script_names && n > 0; i++) {
        const TfoptScript *s = &tfopt_unicode_script_names[i];
        if (strlen(s->name) == n && memcmp(s->name, name, n) == 0) script = s->script;
    }
    if (!wanted && script < 0 && !any) {
        tfopt_regex_fail(r, "invalid character class range");
        return false;
    }
    if (any)
        tfopt_class_range(r, 0, 0x10ffff);
    else if (wanted)
        add_runs(r, tfopt_unicode_categories, tfopt_unicode_n_categories, wanted, -1);
    else
        add_runs(r, tfopt_unicode_scripts, tfopt_unicode_n_scripts, 0, script);
    if (inverse && !r->failed) complement(r, first);
    return !r->failed;
}
