/* header: the C header of a model: its descriptor, and the typed call for models that need nothing but memory. */
#include "codegen/object/data.h"
#include "tfopt_abi.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* C's types of the dtypes; what C has no type for is handed over as bits. */
static const char *c_type(DType t) {
    static const char *const types[N_DTYPES] = {
        [DTYPE_F32] = "float",      [DTYPE_F64] = "double",     [DTYPE_F16] = "uint16_t", [DTYPE_BF16] = "uint16_t",
        [DTYPE_F8E4M3] = "uint8_t", [DTYPE_F8E5M2] = "uint8_t", [DTYPE_S4] = "int8_t",    [DTYPE_S8] = "int8_t",
        [DTYPE_U8] = "uint8_t",     [DTYPE_S16] = "int16_t",    [DTYPE_U16] = "uint16_t", [DTYPE_S32] = "int32_t",
        [DTYPE_U32] = "uint32_t",   [DTYPE_S64] = "int64_t",    [DTYPE_U64] = "uint64_t", [DTYPE_BOOL] = "uint8_t",
        [DTYPE_C64] = "float",      [DTYPE_C128] = "double",
    };
    return types[t];
}

/* A C identifier out of a port's or symbol's name, different from those before it. */
static const char *identifier(Arena *arena, Map *taken, const char *name) {
    Str s;
    str_init(&s, arena);
    bool may_be_macro = true; /* NULL, EOF … */
    for (const char *c = name; *c; c++) may_be_macro = may_be_macro && !islower((unsigned char)*c);
    if (!isalpha((unsigned char)name[0])) str_add(&s, "x_");
    for (const char *c = name; *c; c++) {
        char letter = !isalnum((unsigned char)*c) ? '_' : may_be_macro ? (char)tolower((unsigned char)*c) : *c;
        str_add_bytes(&s, &letter, 1);
    }
    const char *base = str_text(&s), *result = base;
    for (int i = 2; !map_add(taken, result, 1); i++) result = arena_printf(arena, "%s_%d", base, i);
    return result;
}

/* Words of C, of C++ and of what headers define as macros. */
static void reserve_words(Map *taken) {
    static const char *const words[] = {"alignas",
                                        "alignof",
                                        "and",
                                        "and_eq",
                                        "arena",
                                        "asm",
                                        "auto",
                                        "bitand",
                                        "bitor",
                                        "bool",
                                        "break",
                                        "case",
                                        "catch",
                                        "char",
                                        "char16_t",
                                        "char32_t",
                                        "char8_t",
                                        "class",
                                        "co_await",
                                        "co_return",
                                        "co_yield",
                                        "compl",
                                        "concept",
                                        "const",
                                        "const_cast",
                                        "consteval",
                                        "constexpr",
                                        "constinit",
                                        "continue",
                                        "decltype",
                                        "default",
                                        "delete",
                                        "dims",
                                        "do",
                                        "double",
                                        "dynamic_cast",
                                        "else",
                                        "enum",
                                        "errno",
                                        "explicit",
                                        "export",
                                        "extern",
                                        "false",
                                        "float",
                                        "for",
                                        "friend",
                                        "goto",
                                        "i386",
                                        "if",
                                        "inline",
                                        "inputs",
                                        "int",
                                        "int16_t",
                                        "int32_t",
                                        "int64_t",
                                        "int8_t",
                                        "linux",
                                        "long",
                                        "mutable",
                                        "namespace",
                                        "new",
                                        "noexcept",
                                        "not",
                                        "not_eq",
                                        "nullptr",
                                        "operator",
                                        "or",
                                        "or_eq",
                                        "outputs",
                                        "private",
                                        "protected",
                                        "public",
                                        "register",
                                        "reinterpret_cast",
                                        "requires",
                                        "restrict",
                                        "return",
                                        "short",
                                        "signed",
                                        "size_t",
                                        "sizeof",
                                        "static",
                                        "static_assert",
                                        "static_cast",
                                        "stderr",
                                        "stdin",
                                        "stdout",
                                        "struct",
                                        "switch",
                                        "template",
                                        "this",
                                        "thread_local",
                                        "throw",
                                        "true",
                                        "try",
                                        "typedef",
                                        "typeid",
                                        "typename",
                                        "typeof",
                                        "uint16_t",
                                        "uint32_t",
                                        "uint64_t",
                                        "uint8_t",
                                        "union",
                                        "unix",
                                        "unsigned",
                                        "using",
                                        "virtual",
                                        "void",
                                        "volatile",
                                        "wchar_t",
                                        "while",
                                        "xor",
                                        "xor_eq"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) map_add(taken, words[i], 1);
}

/* Symbols that some step sets are no arguments. */
static bool *symbols_set_by_steps(Arena *arena, const Program *p) {
    bool *set = NEW_ARRAY(arena, bool, p->g->dims.symbols.len + 1);
    for (uint32_t i = 0; i < p->blocks.len; i++)
        for (uint32_t j = 0; j < p->blocks.data[i].steps.len; j++) {
            const Step *s = &p->blocks.data[i].steps.data[j];
            for (uint32_t k = 0; k < s->sets.len; k++) set[s->sets.data[k].symbol] = true;
        }
    return set;
}

/* Why there is no typed call, or NULL. */
static const char *why_untyped(Arena *arena, const Program *p) {
    for (int side = 0; side < 2; side++) {
        uint32_t n = side ? p->g->outputs.len : p->g->inputs.len;
        const uint32_t *buffers = side ? p->output_buffers : p->input_buffers;
        for (uint32_t i = 0; i < n; i++)
            if (!c_type(p->buffers.data[buffers[i]].dtype)) return "it has inputs or outputs that are no numbers";
    }
    for (uint32_t i = 0; i < p->g->outputs.len; i++)
        if (p->g->outputs.data[i].dims) return "the rank of an output depends on data";
    const bool *set = symbols_set_by_steps(arena, p);
    for (uint32_t i = 0; i < p->buffers.len; i++) {
        if (p->buffers.data[i].kind == BUFFER_POOL) return "sizes in it depend on data";
        for (uint32_t j = 0; j < p->g->dims.symbols.len; j++)
            if (set[j] && dim_uses(&p->g->dims, p->buffers.data[i].bytes, j)) return "sizes in it depend on data";
    }
    for (uint32_t i = 0; i < p->blocks.len; i++)
        for (uint32_t j = 0; j < p->blocks.data[i].steps.len; j++)
            if (p->blocks.data[i].steps.data[j].kind == STEP_HOST) return "it calls host functions, which allocate";
    return NULL;
}

/* Upper bound of what a typed call of p needs besides symbolic sizes. */
static uint64_t static_bytes(const Program *p) {
    TfoptProgram counts = {.n_buffers = p->buffers.len, .n_symbols = dim_slot_count(&p->g->dims)};
    for (uint32_t i = 0; i < p->blocks.len; i++) {
        counts.n_steps += p->blocks.data[i].steps.len;
        for (uint32_t j = 0; j < p->blocks.data[i].steps.len; j++) {
            const Step *s = &p->blocks.data[i].steps.data[j];
            counts.n_args += s->args.len;
            counts.n_dim_sets += s->sets.len;
            counts.n_dim_exprs += s->sets.len + s->n_dims; /* slots for constants */
        }
    }
    return (tfopt_table_bytes(&counts) + (uint64_t)p->arena_bytes + 63) & ~UINT64_C(63);
}

static void print_shape(const Program *p, const Buffer *b, Str *out) {
    Str shape;
    str_init(&shape, out->arena);
    shape_print(&p->g->dims, &b->shape, &shape);
    str_printf(out, "%s%s", dtype_info(b->dtype)->text, str_text(&shape));
}

/* A name inside a comment: nothing that ends the comment or the line. */
static void print_name(const char *name, Str *out) {
    for (const char *c = name; *c; c++) {
        bool ends = c > name && c[-1] == '*' && *c == '/';
        char letter = ends || (unsigned char)*c < ' ' || *c == 127 || *c == '\\' ? '?' : *c;
        str_add_bytes(out, &letter, 1);
    }
}

static void print_ports(const Program *p, Str *out) {
    for (int side = 0; side < 2; side++) {
        uint32_t n = side ? p->g->outputs.len : p->g->inputs.len;
        for (uint32_t i = 0; i < n; i++) {
            const Buffer *b = &p->buffers.data[side ? p->output_buffers[i] : p->input_buffers[i]];
            str_printf(out, "     %s %u  ", side ? "output" : "input ", i);
            print_name(side ? p->g->outputs.data[i].name : p->g->inputs.data[i].name, out);
            str_add(out, "  ");
            if (side && p->g->outputs.data[i].dims)
                str_printf(out, "%s, of a rank that only running tells", dtype_info(b->dtype)->text);
            else
                print_shape(p, b, out);
            str_add(out, "\n");
        }
    }
}

typedef struct {
    const char **inputs, **outputs, **symbols;
    uint32_t n_symbols;
} Names;

static Names choose_names(Arena *arena, const Program *p) {
    Map taken;
    map_init(&taken, arena);
    reserve_words(&taken);
    const bool *set = symbols_set_by_steps(arena, p);
    Names n = {NEW_ARRAY(arena, const char *, p->g->inputs.len + 1),
               NEW_ARRAY(arena, const char *, p->g->outputs.len + 1),
               NEW_ARRAY(arena, const char *, p->g->dims.symbols.len + 1), 0};
    for (uint32_t i = 0; i < p->g->inputs.len; i++) n.inputs[i] = identifier(arena, &taken, p->g->inputs.data[i].name);
    for (uint32_t i = 0; i < p->g->outputs.len; i++)
        n.outputs[i] = identifier(arena, &taken, p->g->outputs.data[i].name);
    for (uint32_t i = 0; i < p->g->dims.symbols.len; i++)
        if (!set[i]) n.symbols[n.n_symbols++] = identifier(arena, &taken, p->g->dims.symbols.data[i].name);
    return n;
}

static void print_list(Str *out, const char *open, const char *const *names, uint32_t n, const char *between,
                       const char *close) {
    str_add(out, open);
    for (uint32_t i = 0; i < n; i++) str_printf(out, "%s%s", i ? between : "", names[i]);
    str_add(out, close);
}

static void print_typed_call(const ObjectModel *m, const char *upper, Str *out) {
    const Program *p = m->programs[0];
    Names n = choose_names(out->arena, p);
    const char *dims = n.n_symbols ? "dims" : "NULL";
    if (n.n_symbols) {
        print_list(
            out,
            arena_printf(
                out->arena,
                "\n/* Bytes of arena for these sizes; 0 when they are outside of what the model was compiled for. */\n"
                "static inline size_t %s_arena_bytes(int64_t ",
                m->name),
            n.symbols, n.n_symbols, ", int64_t ", ") {\n");
        print_list(out, "    const int64_t dims[] = {", n.symbols, n.n_symbols, ", ", "};\n");
        str_printf(out, "    return tfopt_typed_bytes(%s_model_data(), dims);\n}\n", m->name);
    } else {
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < m->n_programs; i++)
            bytes = static_bytes(m->programs[i]) > bytes ? static_bytes(m->programs[i]) : bytes;
        str_printf(out, "\n#define %s_ARENA_BYTES %" PRIu64 "\n", upper, bytes);
    }
    str_printf(out, "#define %s_ARENA_ALIGN 64\n", upper);
    str_printf(out,
               "\n/* Runs the model in the calling thread; returns a TfoptStatus, 0 when all went well. The arena is "
               "scratch memory of %s,\n   aligned to %s_ARENA_ALIGN. */\n",
               n.n_symbols ? arena_printf(out->arena, "%s_arena_bytes", m->name)
                           : arena_printf(out->arena, "%s_ARENA_BYTES", upper),
               upper);
    str_printf(out, "static inline int %s_run(void *arena", m->name);
    for (uint32_t i = 0; i < n.n_symbols; i++) str_printf(out, ", int64_t %s", n.symbols[i]);
    for (uint32_t i = 0; i < p->g->inputs.len; i++)
        str_printf(out, ", const %s *%s", c_type(p->buffers.data[p->input_buffers[i]].dtype), n.inputs[i]);
    for (uint32_t i = 0; i < p->g->outputs.len; i++)
        str_printf(out, ", %s *%s", c_type(p->buffers.data[p->output_buffers[i]].dtype), n.outputs[i]);
    str_add(out, ") {\n");
    if (n.n_symbols) print_list(out, "    const int64_t dims[] = {", n.symbols, n.n_symbols, ", ", "};\n");
    print_list(out, "    const void *const inputs[] = {", n.inputs, p->g->inputs.len, ", ",
               p->g->inputs.len ? "};\n" : "NULL};\n");
    print_list(out, "    void *const outputs[] = {", n.outputs, p->g->outputs.len, ", ", "};\n");
    str_printf(out, "    return (int)tfopt_typed_run(%s_model_data(), arena, %s, %s, inputs, outputs);\n}\n", m->name,
               n.n_symbols ? "SIZE_MAX" : arena_printf(out->arena, "%s_ARENA_BYTES", upper), dims);
}

/* The user's own kernels: whoever links the object has to bring them. */
static void print_custom_kernels(const Program *p, Str *out) {
    Map seen;
    map_init(&seen, out->arena);
    for (uint32_t i = 0; i < p->blocks.len; i++)
        for (uint32_t j = 0; j < p->blocks.data[i].steps.len; j++) {
            const Step *s = &p->blocks.data[i].steps.data[j];
            if (s->kind != STEP_HOST || !s->host->op || !map_add(&seen, s->host->symbol, 1)) continue;
            str_printf(out, "%s %s", seen.entries.len == 1 ? "   Link with the kernels too:" : ",", s->host->symbol);
        }
    if (seen.entries.len) str_add(out, "\n");
}

void object_header(const ObjectModel *m, Str *out) {
    const Program *p = m->programs[0];
    char *upper = arena_strdup(out->arena, m->name);
    for (char *c = upper; *c; c++) *c = (char)toupper((unsigned char)*c);
    str_printf(out, "/* %s.h: made by tfoptc %s. Link with the model's object and libtfopt (%s, %s):\n", m->name,
               TFOPT_VERSION, m->triple, m->precision);
    print_ports(p, out);
    const char *why = why_untyped(out->arena, p);
    if (why) str_printf(out, "   There is no typed call %s_run: %s. Use tfopt.h.\n", m->name, why);
    print_custom_kernels(p, out);
    str_printf(out,
               "*/\n#ifndef %s_H\n#define %s_H\n#include \"tfopt.h\"\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n",
               upper, upper);
    str_printf(out, "/* For tfopt_open_data. */\nconst TfoptModelData *%s_model_data(void);\n", m->name);
    if (!why) print_typed_call(m, upper, out);
    str_add(out, "\n#ifdef __cplusplus\n}\n#endif\n#endif\n");
}
