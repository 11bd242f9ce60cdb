/* Regular expressions in RE2's syntax, parsed into a program of splits, classes and assertions. */
#include "hostops/regex.h"

#include <string.h>

void tfopt_regex_fail(TfoptRegex *r, const char *why) {
    if (!r->failed) tfopt_call_fail(r->call, TFOPT_INVALID_ARGUMENT, "Invalid pattern: %s", why);
    r->failed = true;
}

static int32_t emit(TfoptRegex *r, InstKind kind, int32_t a, int32_t b) {
    if (r->n >= MAX_PROGRAM) {
        tfopt_regex_fail(r, "pattern too large");
        return 0;
    }
    r->program[r->n] = (Inst){.kind = (uint8_t)kind, .a = a, .b = b};
    return r->n++;
}

static uint32_t next_code(TfoptRegex *r) {
    uint64_t at = 0;
    const uint32_t code = tfopt_utf8_next((TfoptString){r->p, (uint64_t)(r->end - r->p)}, &at, NULL);
    r->p += at;
    return code;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The character after a backslash. */
static uint32_t escape(TfoptRegex *r) {
    if (r->p >= r->end) {
        tfopt_regex_fail(r, "trailing \\");
        return 0;
    }
    const char c = *r->p;
    static const char from[] = "nrtfva", to[] = "\n\r\t\f\v\a";
    const char *known = strchr(from, c);
    if (c && known) {
        r->p++;
        return (uint32_t)to[known - from];
    }
    if (c == 'x') {
        uint32_t v = 0;
        r->p++;
        if (r->p < r->end && *r->p == '{') {
            for (r->p++; r->p < r->end && hex_digit(*r->p) >= 0 && v < 0x110000; r->p++)
                v = v * 16 + (uint32_t)hex_digit(*r->p);
            if (r->p >= r->end || *r->p++ != '}') tfopt_regex_fail(r, "invalid escape sequence");
            return v;
        }
        for (int i = 0; i < 2; i++) {
            if (r->p >= r->end || hex_digit(*r->p) < 0) {
                tfopt_regex_fail(r, "invalid escape sequence");
                return 0;
            }
            v = v * 16 + (uint32_t)hex_digit(*r->p++);
        }
        return v;
    }
    if (c >= '0' && c <= '7') {
        uint32_t v = 0;
        if (c != '0' && !(r->p + 1 < r->end && r->p[1] >= '0' && r->p[1] <= '7'))
            tfopt_regex_fail(r, "invalid escape sequence");
        for (int i = 0; i < 3 && r->p < r->end && *r->p >= '0' && *r->p <= '7'; i++)
            v = v * 8 + (uint32_t)(*r->p++ - '0');
        return v;
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '8' || c == '9')
        tfopt_regex_fail(r, "invalid escape sequence");
    return next_code(r);
}

/* The ranges since are those of the class at `at`. */
static void end_class(TfoptRegex *r, int32_t at) {
    if (r->failed) return;
    tfopt_class_end(r, r->program[at].a);
    r->program[at].b = r->n_ranges - r->program[at].a;
}

static void parse_class(TfoptRegex *r) {
    const int32_t at = emit(r, INST_CLASS, r->n_ranges, 0);
    bool negated = false, first = true;
    if (r->p < r->end && *r->p == '^') {
        negated = true;
        r->p++;
    }
    for (;; first = false) {
        if (r->p >= r->end) {
            tfopt_regex_fail(r, "missing ]");
            return;
        }
        if (*r->p == ']' && !first) break;
        if (*r->p == '[' && r->p + 1 < r->end && r->p[1] == ':') {
            if (!tfopt_class_posix(r)) return;
            continue;
        }
        uint32_t low;
        if (*r->p == '\\') {
            r->p++;
            if (r->p < r->end && tfopt_class_perl(r, *r->p)) {
                r->p++;
                continue;
            }
            if (r->p < r->end && (*r->p == 'p' || *r->p == 'P')) {
                if (!tfopt_class_property(r)) return;
                continue;
            }
            low = escape(r);
        } else {
            low = next_code(r);
        }
        uint32_t high = low;
        if (r->p + 1 < r->end && *r->p == '-' && r->p[1] != ']') {
            r->p++;
            if (*r->p == '\\') {
                r->p++;
                high = escape(r);
            } else {
                high = next_code(r);
            }
        }
        if (high < low) tfopt_regex_fail(r, "invalid character class range");
        if (r->failed) return;
        tfopt_class_range(r, low, high);
    }
    r->p++;
    r->program[at].negated = negated;
    end_class(r, at);
}

static void parse_alternatives(TfoptRegex *r);

static void emit_char(TfoptRegex *r, uint32_t code) {
    const int32_t at = emit(r, INST_CLASS, r->n_ranges, 0);
    tfopt_class_range(r, code, code);
    end_class(r, at);
}

/* (?flags) or (?flags: or (?P<name>; the group itself is parsed by the caller. Returns false for flags alone. */
static bool parse_group_head(TfoptRegex *r, int32_t *group) {
    *group = -1;
    if (r->p >= r->end || *r->p != '?') {
        *group = ++r->groups;
        return true;
    }
    r->p++;
    if (r->p < r->end && (*r->p == 'P' || *r->p == '<')) {
        while (r->p < r->end && *r->p != '>') r->p++;
        if (r->p >= r->end)
            tfopt_regex_fail(r, "invalid named capture group");
        else
            r->p++;
        *group = ++r->groups;
        return true;
    }
    for (bool on = true; r->p < r->end; r->p++) {
        switch (*r->p) {
        case 'i':
            r->fold_case = on;
            break;
        case 's':
            r->dot_all = on;
            break;
        case 'm':
            r->multi_line = on;
            break;
        case 'U':
            r->ungreedy = on;
            break;
        case '-':
            on = false;
            break;
        case ':':
            r->p++;
            return true;
        case ')':
            r->p++;
            return false;
        default:
            tfopt_regex_fail(r, "invalid perl operator");
            return true;
        }
    }
    tfopt_regex_fail(r, "missing )");
    return true;
}

/* One atom; false when there is none (flags only). */
static bool parse_atom(TfoptRegex *r) {
    const char c = *r->p;
    if (c == '(') {
        const bool fold_case = r->fold_case, dot_all = r->dot_all, multi_line = r->multi_line, ungreedy = r->ungreedy;
        int32_t group;
        r->p++;
        if (!parse_group_head(r, &group)) return false;
        if (r->failed || ++r->depth > MAX_DEPTH) {
            tfopt_regex_fail(r, "nested too deep");
            return true;
        }
        if (group >= 0) emit(r, INST_SAVE, 2 * group, 0);
        parse_alternatives(r);
        r->depth--;
        if (r->p >= r->end || *r->p != ')')
            tfopt_regex_fail(r, "missing )");
        else
            r->p++;
        if (group >= 0) emit(r, INST_SAVE, 2 * group + 1, 0);
        r->fold_case = fold_case;
        r->dot_all = dot_all;
        r->multi_line = multi_line;
        r->ungreedy = ungreedy;
        return true;
    }
    if (c == '[') {
        r->p++;
        parse_class(r);
        return true;
    }
    if (c == '.') {
        r->p++;
        const int32_t at = emit(r, INST_CLASS, r->n_ranges, 0);
        if (!r->dot_all) r->ranges[r->n_ranges++] = (Range){'\n', '\n'};
        r->program[at].b = r->n_ranges - r->program[at].a;
        r->program[at].negated = true;
        return true;
    }
    if (c == '^' || c == '$') {
        r->p++;
        emit(r, INST_ASSERT, r->multi_line ? c : c == '^' ? ASSERT_TEXT_START : ASSERT_TEXT_END, 0);
        return true;
    }
    if (c == '*' || c == '+' || c == '?') {
        tfopt_regex_fail(r, "no argument for repetition operator");
        return true;
    }
    if (c != '\\') {
        emit_char(r, next_code(r));
        return true;
    }
    r->p++;
    if (r->p < r->end && strchr("AzbB", *r->p) && *r->p) {
        emit(r, INST_ASSERT, *r->p++, 0);
        return true;
    }
    if (r->p < r->end && *r->p == 'Q') {
        for (r->p++; r->p < r->end && !(r->p[0] == '\\' && r->p + 1 < r->end && r->p[1] == 'E');)
            emit_char(r, next_code(r));
        if (r->p < r->end) r->p += 2;
        return true;
    }
    if (r->p < r->end && *r->p == 'C') { /* any byte */
        r->p++;
        emit(r, INST_BYTE, 0, 0);
        return true;
    }
    const int32_t ranges = r->n_ranges;
    const bool is_property = r->p < r->end && (*r->p == 'p' || *r->p == 'P');
    if (is_property ? tfopt_class_property(r) : r->p < r->end && tfopt_class_perl(r, *r->p)) {
        r->p += !is_property;
        end_class(r, emit(r, INST_CLASS, ranges, 0));
        return true;
    }
    if (r->failed) return true;
    emit_char(r, escape(r));
    return true;
}

/* Another copy of instructions [first, last) at the end; jumps inside move along. */
static void copy_code(TfoptRegex *r, int32_t first, int32_t last) {
    const int32_t shift = r->n - first;
    for (int32_t i = first; i < last && !r->failed; i++) {
        const Inst old = r->program[i];
        const int32_t at = emit(r, (InstKind)old.kind, old.a, old.b);
        r->program[at].negated = old.negated;
        if (old.kind == INST_SPLIT || old.kind == INST_JUMP) {
            r->program[at].a += shift;
            if (old.kind == INST_SPLIT) r->program[at].b += shift;
        }
    }
}

/* Makes room for n instructions at `at`: jumps behind it move on. */
static void open_gap(TfoptRegex *r, int32_t at, int32_t n) {
    if (r->n + n >= MAX_PROGRAM) {
        tfopt_regex_fail(r, "pattern too large");
        return;
    }
    memmove(r->program + at + n, r->program + at, (size_t)(r->n - at) * sizeof *r->program);
    r->n += n;
    for (int32_t i = at + n; i < r->n; i++) {
        Inst *inst = &r->program[i];
        if (inst->kind != INST_SPLIT && inst->kind != INST_JUMP) continue;
        inst->a += n;
        if (inst->kind == INST_SPLIT) inst->b += n;
    }
}

static void set_split(TfoptRegex *r, int32_t at, int32_t into, int32_t past, bool greedy) {
    if (at < MAX_PROGRAM)
        r->program[at] = (Inst){.kind = INST_SPLIT, .a = greedy ? into : past, .b = greedy ? past : into};
}

/* x{least,most}, most -1: no limit; the code of x is [first, n). */
static void repeat(TfoptRegex *r, int32_t first, int least, int most, bool greedy) {
    const int32_t length = r->n - first;
    if (least == 0 && most == 0) {
        r->n = first;
        emit(r, INST_JUMP, r->n + 1, 0);
        return;
    }
    if (least == 0) {
        open_gap(r, first, 1);
        if (r->failed) return;
        if (most == -1)
            emit(r, INST_JUMP, first, 0);
        else if (most > 1) { /* x{0,m} = (x(x(…)?)?)? */
            int32_t splits[MAX_REPEAT], n = 0;
            for (int i = 1; i < most && !r->failed; i++) {
                splits[n++] = emit(r, INST_SPLIT, 0, 0);
                copy_code(r, first + 1, first + 1 + length);
            }
            for (int32_t i = 0; i < n; i++) set_split(r, splits[i], splits[i] + 1, r->n, greedy);
        }
        set_split(r, first, first + 1, r->n, greedy);
        return;
    }
    for (int i = 1; i < least && !r->failed; i++) copy_code(r, first, first + length);
    const int32_t last = r->n - length;
    if (most == -1) {
        const int32_t split = emit(r, INST_SPLIT, 0, 0);
        set_split(r, split, last, split + 1, greedy);
        return;
    }
    int32_t splits[MAX_REPEAT], n = 0;
    for (int i = least; i < most && !r->failed; i++) {
        splits[n++] = emit(r, INST_SPLIT, 0, 0);
        copy_code(r, first, first + length);
    }
    for (int32_t i = 0; i < n; i++) set_split(r, splits[i], splits[i] + 1, r->n, greedy);
}

/* {n}, {n,} or {n,m} at p: true and p past it. */
static bool parse_counts(TfoptRegex *r, int *least, int *most) {
    const char *p = r->p + 1;
    int v[2] = {0, -1}, digits = 0;
    for (; p < r->end && *p >= '0' && *p <= '9' && v[0] <= MAX_REPEAT; p++, digits++) v[0] = v[0] * 10 + (*p - '0');
    if (!digits || p >= r->end) return false;
    if (*p == ',') {
        p++;
        if (p < r->end && *p >= '0' && *p <= '9') v[1] = 0;
        for (; p < r->end && *p >= '0' && *p <= '9' && v[1] <= MAX_REPEAT; p++) v[1] = v[1] * 10 + (*p - '0');
    } else {
        v[1] = v[0];
    }
    if (p >= r->end || *p != '}') return false;
    r->p = p + 1;
    *least = v[0];
    *most = v[1];
    if (v[0] > MAX_REPEAT || v[1] > MAX_REPEAT || (v[1] >= 0 && v[1] < v[0]))
        tfopt_regex_fail(r, "invalid repetition size");
    return true;
}

static void parse_sequence(TfoptRegex *r) {
    while (!r->failed && r->p < r->end && *r->p != '|' && *r->p != ')') {
        const int32_t first = r->n;
        if (!parse_atom(r)) continue;
        while (!r->failed && r->p < r->end) {
            int least, most;
            if (*r->p == '*')
                least = 0, most = -1, r->p++;
            else if (*r->p == '+')
                least = 1, most = -1, r->p++;
            else if (*r->p == '?')
                least = 0, most = 1, r->p++;
            else if (*r->p != '{' || !parse_counts(r, &least, &most))
                break;
            bool greedy = !r->ungreedy;
            if (r->p < r->end && *r->p == '?') {
                greedy = !greedy;
                r->p++;
            }
            if (!r->failed) repeat(r, first, least, most, greedy);
        }
    }
}

static void parse_alternatives(TfoptRegex *r) {
    const int32_t first = r->n;
    parse_sequence(r);
    while (!r->failed && r->p < r->end && *r->p == '|') {
        r->p++;
        /* L1: what there is so far; jump over L2 */
        open_gap(r, first, 1);
        const int32_t jump = emit(r, INST_JUMP, 0, 0);
        set_split(r, first, first + 1, r->n, true);
        parse_sequence(r);
        /* More alternatives nest to the left: (a|b)|c prefers a, b, c in this order. */
        r->program[jump].a = r->n;
    }
}

TfoptRegex *tfopt_regex_new(TfoptHostCall *call, TfoptString pattern) {
    TfoptRegex *r = tfopt_call_zeroed(call, 1, sizeof *r);
    if (!r) {
        tfopt_no_memory(call);
        return NULL;
    }
    r->call = call;
    r->program = tfopt_call_alloc(call, MAX_PROGRAM, sizeof *r->program);
    r->ranges = tfopt_call_alloc(call, MAX_RANGES, sizeof *r->ranges);
    r->p = pattern.data;
    r->end = pattern.data + pattern.size;
    if (!r->program || !r->ranges) {
        tfopt_no_memory(call);
        return NULL;
    }
    emit(r, INST_SAVE, 0, 0);
    parse_alternatives(r);
    if (!r->failed && r->p < r->end) tfopt_regex_fail(r, "unexpected )");
    emit(r, INST_SAVE, 1, 0);
    emit(r, INST_MATCH, 0, 0);
    return r->failed ? NULL : r;
}
