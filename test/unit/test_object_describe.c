/* Artefacts of a program without kernels (a constant and an input of any size are copied to outputs): descriptor,
   weights, header, every kind of link, identical bytes; the shared object is loaded back. */
#include "base/file.h"
#include "codegen/object/object.h"
#include "tfopt_abi.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */
#include <dlfcn.h>
#include <string.h>

typedef struct {
    Arena *arena;
    Diag d;
    char *dir;
    ObjectModel model;
    Dim n;
} Fixture;

static const float constant[] = {1.5f, -2, 3};
static const StringElement words[] = {{"one", 3}, {"", 0}, {"three\"\\\n", 8}};

static void add_copy(Program *p, uint32_t to, uint32_t from, const char *name) {
    Step s = {.kind = STEP_COPY, .n_in = 1, .units = dim_const(1), .name = name};
    vec_push(p->arena, &s.args, to);
    vec_push(p->arena, &s.args, from);
    vec_push(p->arena, &p->blocks.data[0].steps, s);
}

static uint32_t add_buffer(Program *p, BufferKind kind, DType t, Dim n, uint32_t index, const void *data) {
    Graph *g = (Graph *)(uintptr_t)p->g;
    Buffer b = {.kind = kind, .dtype = t, .index = index, .name = "b"};
    b.shape.rank = 1;
    b.shape.dims[0] = n;
    b.bytes = dim_mul(&g->dims, n, dim_const((int64_t)dtype_size(t)));
    if (data) {
        Tensor *tensor = NEW(p->arena, Tensor);
        *tensor = (Tensor){.dtype = t, .rank = 1, .dims = {n.value}, .data = data};
        b.data = tensor;
    }
    vec_push(p->arena, &p->buffers, b);
    return p->buffers.len - 1;
}

static int set_up(void **state) {
    Arena *arena = arena_new();
    Fixture *f = NEW(arena, Fixture);
    f->arena = arena;
    diag_init(&f->d, arena, NULL);
    f->dir = file_make_temp_dir(arena, &f->d);
    Graph *g = graph_new(arena, "g");
    g->signature = "serving_default";
    g->hash = 42;
    f->n = dim_symbol(&g->dims, "batch", 1, 100);
    vec_push(arena, &g->inputs, (Port){"x", "x:0", DTYPE_F32, 0, 0});
    vec_push(arena, &g->outputs, (Port){"y", "y:0", DTYPE_F32, 0, 0});
    vec_push(arena, &g->outputs, (Port){"const*/\n", "c:0", DTYPE_F32, 0, 0});
    vec_push(arena, &g->outputs, (Port){"w", "w:0", DTYPE_STRING, 0, 0});
    const char *triple = llvm_default_triple(arena);
    Program **programs = NEW_ARRAY(arena, Program *, 2);
    for (int i = 0; i < 2; i++) { /* two instruction sets share one copy of the weights */
        Program *p = NEW(arena, Program);
        programs[i] = p;
        *p = (Program){.arena = arena, .g = g, .machine = machine_find(NULL, "x86-64-v3")};
        IsaRow *isa = NEW(arena, IsaRow);
        *isa = (IsaRow){.name = i ? "old" : "future", .checks = i ? "" : "no-such-feature"};
        p->isa = isa;
        vec_push(arena, &p->blocks, (Block){0});
        p->input_buffers = NEW_ARRAY(arena, uint32_t, 1);
        p->output_buffers = NEW_ARRAY(arena, uint32_t, 3);
        p->input_buffers[0] = add_buffer(p, BUFFER_INPUT, DTYPE_F32, f->n, 0, NULL);
        p->output_buffers[0] = add_buffer(p, BUFFER_OUTPUT, DTYPE_F32, f->n, 0, NULL);
        p->output_buffers[1] = add_buffer(p, BUFFER_OUTPUT, DTYPE_F32, dim_const(3), 1, NULL);
        p->output_buffers[2] = add_buffer(p, BUFFER_OUTPUT, DTYPE_STRING, dim_const(3), 2, NULL);
        uint32_t c = add_buffer(p, BUFFER_CONST, DTYPE_F32, dim_const(3), 0, constant),
                 w = add_buffer(p, BUFFER_CONST, DTYPE_STRING, dim_const(3), 0, words);
        add_copy(p, p->output_buffers[0], p->input_buffers[0], "copy/of \"x\"");
        add_copy(p, p->output_buffers[1], c, "c");
        add_copy(p, p->output_buffers[2], w, "w");
    }
    f->model = (ObjectModel){.name = "copies",
                             .triple = triple,
                             .precision = "fp32",
                             .programs = (const Program *const *)programs,
                             .n_programs = 2};
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    Fixture *f = *state;
    file_remove_tree(f->dir);
    arena_free(f->arena);
    return 0;
}

/* The object in a folder of its own: its path must not matter. */
static const char *make_object(Fixture *f) {
    char *dir = file_make_temp_dir(f->arena, &f->d);
    const IsaRow *baseline = isa_find(f->arena, strncmp(f->model.triple, "aarch64", 7) == 0 ? "aarch64" : "x86-64-v2",
                                      f->model.triple, &f->d);
    LlvmUnit *u = llvm_unit_new(f->arena, f->model.triple, baseline, &f->d);
    assert_non_null(u);
    assert_true(object_describe(f->arena, u, &f->model, dir, &f->d));
    static int number;
    const char *path = arena_printf(f->arena, "%s/o%d.o", f->dir, number++);
    assert_true(llvm_unit_emit(u, LLVM_OBJECT, path, &f->d));
    llvm_unit_free(u);
    file_remove_tree(dir);
    return path;
}

static void assert_same_files(Fixture *f, const char *a, const char *b) {
    FileMap x, y;
    assert_true(file_map(&x, f->arena, a, &f->d) && file_map(&y, f->arena, b, &f->d));
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    file_unmap(&x);
    file_unmap(&y);
}

static void test_objects_and_archives(void **state) {
    Fixture *f = *state;
    const char *a = make_object(f), *b = make_object(f);
    assert_same_files(f, a, b);
    const char *archives[2], *dirs[2];
    for (int i = 0; i < 2; i++) {
        dirs[i] = file_make_temp_dir(f->arena, &f->d);
        archives[i] = object_link(f->arena, ARTEFACT_ARCHIVE, i ? b : a, &f->model, dirs[i], &f->d);
        assert_non_null(archives[i]);
    }
    assert_same_files(f, archives[0], archives[1]);
    for (int i = 0; i < 2; i++) file_remove_tree(dirs[i]);
}

static void test_shared_object(void **state) {
    Fixture *f = *state;
    const char *paths[2], *dirs[2];
    for (int i = 0; i < 2; i++) {
        dirs[i] = file_make_temp_dir(f->arena, &f->d);
        paths[i] = object_link(f->arena, ARTEFACT_SHARED, make_object(f), &f->model, dirs[i], &f->d);
        diag_print(&f->d, stderr, DIAG_ERROR);
        assert_non_null(paths[i]);
    }
    assert_same_files(f, paths[0], paths[1]);
    void *library = dlopen(paths[0], RTLD_NOW | RTLD_LOCAL);
    for (int i = 0; i < 2; i++) file_remove_tree(dirs[i]);
    if (!library) fprintf(stderr, "%s\n", dlerror());
    assert_non_null(library);
    assert_null(dlsym(library, "tfopt_run"));
    void *symbol = dlsym(library, TFOPT_MODEL_SYMBOL);
    TfoptModelDataFn *get;
    memcpy(&get, &symbol, sizeof get);
    const TfoptModelData *m = get();
    assert_int_equal(m->magic, TFOPT_ABI_MAGIC);
    assert_int_equal(m->graph_hash, 42);
    assert_string_equal(m->signature, "serving_default");
    assert_string_equal(m->inputs[0].name, "x");
    assert_int_equal(m->inputs[0].dims[0], ~0);
    assert_int_equal(m->n_programs, 2);
    assert_ptr_equal(m->programs[0]->weights, m->programs[1]->weights);
    const TfoptProgram *p = m->programs[1];
    assert_string_equal(p->features, "");
    assert_string_equal(p->symbols[0].name, "batch");
    assert_int_equal(p->symbols[0].max, 100);
    assert_string_equal(p->names[p->steps[0].name], "copy/of \"x\"");
    assert_int_equal(p->n_steps, 3);
    assert_memory_equal(p->weights + p->buffers[4].offset, constant, sizeof constant);
    const TfoptString *strings = (const TfoptString *)(const void *)(p->weights + p->buffers[5].offset);
    assert_int_equal(strings[2].size, 8);
    assert_memory_equal(strings[2].data, "three\"\\\n", 8);
    assert_int_equal(strings[1].size, 0);
    assert_int_equal((uintptr_t)p->weights % 4096, 0);
    dlclose(library);
}

static void test_header(void **state) {
    Fixture *f = *state;
    Str text;
    str_init(&text, f->arena);
    object_header(&f->model, &text);
    assert_non_null(strstr(text.data, "copies_model_data(void)"));
    assert_non_null(strstr(text.data, "There is no typed call copies_run"));
    ObjectModel numbers = f->model;
    Program *p = arena_memdup(f->arena, f->model.programs[1], sizeof *p);
    Graph *g = arena_memdup(f->arena, p->g, sizeof *g);
    g->outputs.len = 2;
    p->g = g;
    const Program *const programs[] = {p};
    numbers.programs = programs;
    numbers.n_programs = 1;
    str_init(&text, f->arena);
    object_header(&numbers, &text);
    assert_non_null(
        strstr(text.data,
               "static inline int copies_run(void *arena, int64_t batch, const float *x, float *y, float *const___)"));
    assert_null(strstr(strstr(text.data, "/*") + 2, "const*/"));
    assert_non_null(strstr(text.data, "copies_arena_bytes(int64_t batch)"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_objects_and_archives, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_shared_object, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_header, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
