/* import_refused: why an op type is not compiled, for the thousand ones of TensorFlow that have no meaning in a served
   graph: training, files, input pipelines, other machines. The table is refused.def. */
#include "frontend/importer.h"

#include <string.h>

typedef struct {
    const char *pattern, *why;
} RefusedRow;

static const RefusedRow rows[] = {
#define REFUSED(pattern, why) {pattern, why},
#include "frontend/refused.def"
#undef REFUSED
};

/* A pattern has few stars and names are short, so that trying every place is no matter. */
bool import_pattern_fits(const char *pattern, const char *name) {
    size_t n = strcspn(pattern, "*");
    if (strncmp(pattern, name, n) != 0) return false;
    if (!pattern[n]) return !name[n];
    pattern += n + 1;
    for (name += n; *name; name++)
        if (import_pattern_fits(pattern, name)) return true;
    return !*pattern;
}

const char *import_refused_row(uint32_t i, const char **out_why) {
    if (i >= ARRAY_LEN(rows)) return NULL;
    *out_why = rows[i].why;
    return rows[i].pattern;
}

const char *import_why_refused(const char *op) {
    if (strlen(op) > 200) return NULL;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (import_pattern_fits(rows[i].pattern, op)) return rows[i].why;
    return NULL;
}

bool import_unknown(Import *c) {
    map_add(&c->im->refused, c->n->name, 0);
    return unsupported(c, "%s", import_why_unknown(c->n->op));
}

const char *import_why_unknown(const char *op) {
    const char *why = import_why_refused(op);
    return why ? why
               : "this op type is not known to the compiler; --op-library can bring a shape function and a kernel for "
                 "it";
}
