/* RegexFullMatch, RegexReplace and their static twins. */
#include "hostops/text.h"

/* Pattern and rewrite are attributes (Static…) or inputs. */
static int32_t regex_full_match(TfoptHostCall *call, TfoptString pattern) {
    const TfoptTensor *t = &call->inputs[0];
    TfoptRegex *r = tfopt_regex_new(call, pattern);
    if (!r) return TFOPT_INVALID_ARGUMENT;
    uint8_t *out = tfopt_output_like(call, 0, t);
    if (!out) return tfopt_no_memory(call);
    for (int64_t i = 0, n = tfopt_elements(t); i < n; i++) {
        int64_t spans[2 * TFOPT_REGEX_GROUPS];
        const int found = tfopt_regex_match(r, tfopt_strings(t)[i], 0, true, true, spans);
        if (found < 0) return tfopt_no_memory(call);
        out[i] = found > 0;
    }
    return TFOPT_OK;
}

int32_t tfopt_host_regex_full_match(TfoptHostCall *call) {
    if (tfopt_elements(&call->inputs[1]) != 1) return tfopt_invalid(call, "pattern must be a scalar");
    return regex_full_match(call, tfopt_strings(&call->inputs[1])[0]);
}
int32_t tfopt_host_static_regex_full_match(TfoptHostCall *call) {
    return regex_full_match(call, tfopt_call_string(call, "pattern", ""));
}

/* \0 to \9 are groups. */
static bool add_rewrite(TfoptText *out, TfoptString rewrite, TfoptString s, const int64_t *spans) {
    for (uint64_t i = 0; i < rewrite.size; i++) {
        if (rewrite.data[i] != '\\') {
            tfopt_text_char(out, rewrite.data[i]);
            continue;
        }
        const char c = ++i < rewrite.size ? rewrite.data[i] : 0;
        if (c == '\\')
            tfopt_text_char(out, c);
        else if (c < '0' || c > '9')
            return false;
        else if (spans[2 * (c - '0')] >= 0)
            tfopt_text_add(out, s.data + spans[2 * (c - '0')],
                           (uint64_t)(spans[2 * (c - '0') + 1] - spans[2 * (c - '0')]));
    }
    return true;
}

static int32_t regex_replace(TfoptHostCall *call, TfoptString pattern, TfoptString rewrite) {
    const TfoptTensor *t = &call->inputs[0];
    const bool global = tfopt_call_int(call, "replace_global", 1) != 0;
    TfoptRegex *r = tfopt_regex_new(call, pattern);
    if (!r) return TFOPT_INVALID_ARGUMENT;
    for (uint64_t i = 0; i + 1 < rewrite.size; i++) {
        if (rewrite.data[i] == '\\' && rewrite.data[i + 1] >= '0' && rewrite.data[i + 1] <= '9' &&
            rewrite.data[i + 1] - '0' > tfopt_regex_groups(r))
            return tfopt_invalid(call, "the rewrite names a group that the pattern lacks");
        if (rewrite.data[i] == '\\') i++;
    }
    TfoptString *out = tfopt_output_like(call, 0, t);
    if (!out) return tfopt_no_memory(call);
    TfoptText text = {.call = call};
    for (int64_t i = 0, n = tfopt_elements(t); i < n; i++) {
        const TfoptString s = tfopt_strings(t)[i];
        int64_t spans[2 * TFOPT_REGEX_GROUPS], last_end = -1;
        uint64_t at = 0, from = 0;
        while (from <= s.size) {
            const int found = tfopt_regex_match(r, s, from, false, false, spans);
            if (found < 0) return tfopt_no_memory(call);
            if (!found) break;
            if (spans[0] == spans[1] && spans[0] == last_end) { /* an empty match right after a match does not count */
                from = (uint64_t)spans[0];
                if (from >= s.size) break;
                tfopt_utf8_next(s, &from, NULL);
                last_end = -1;
                continue;
            }
            tfopt_text_add(&text, s.data + at, (uint64_t)spans[0] - at);
            if (!add_rewrite(&text, rewrite, s, spans)) return tfopt_invalid(call, "invalid rewrite");
            at = from = (uint64_t)spans[1];
            last_end = spans[1];
            if (!global) break;
        }
        tfopt_text_add(&text, s.data + at, s.size - at);
        if (text.failed) return tfopt_no_memory(call);
        out[i] = tfopt_text_take(&text);
    }
    return TFOPT_OK;
}

int32_t tfopt_host_regex_replace(TfoptHostCall *call) {
    if (tfopt_elements(&call->inputs[1]) != 1 || tfopt_elements(&call->inputs[2]) != 1)
        return tfopt_invalid(call, "pattern and rewrite must be scalars");
    return regex_replace(call, tfopt_strings(&call->inputs[1])[0], tfopt_strings(&call->inputs[2])[0]);
}
int32_t tfopt_host_static_regex_replace(TfoptHostCall *call) {
    const TfoptString pattern = tfopt_call_string(call, "pattern", ""),
                      rewrite = tfopt_call_string(call, "rewrite", "");
    return regex_replace(call, pattern, rewrite);
}
