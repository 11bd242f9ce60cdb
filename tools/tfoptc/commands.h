/* The subcommands (cmd_<name>.c) and what they share (common.c, tensor_file.c, measure.c). */
#ifndef TFOPTC_COMMANDS_H
#define TFOPTC_COMMANDS_H
#include "driver/compile.h"
#include "options.h"
#include "tfopt_abi.h"

ExitCode command_compile(const Options *o, struct json_t *report, Arena *arena, Diag *d);
ExitCode command_inspect(const Options *o, struct json_t *report, Arena *arena, Diag *d);
ExitCode command_run(const Options *o, struct json_t *report, Arena *arena, Diag *d);
ExitCode command_verify(const Options *o, struct json_t *report, Arena *arena, Diag *d);
ExitCode command_benchmark(const Options *o, struct json_t *report, Arena *arena, Diag *d);
ExitCode command_explain(const Options *o, struct json_t *report, Arena *arena, Diag *d);
ExitCode command_optimize(const Options *o, struct json_t *report, Arena *arena, Diag *d);

/* ---- common.c */
/* Options → what the driver wants. Files named by --input (values) are left out of it. false after messages. */
bool common_compile_options(CompileOptions *c, const Options *o, Arena *arena, Diag *d);
/* What --batch and --dim say; false after messages. */
bool common_bounds(const DimBound **out, uint32_t *out_n, const Options *o, Arena *arena, Diag *d);
/* True when the model is what a compiler made: a shared object, or by mistake a program or an object. */
bool common_is_compiled(const char *path);
/* How a program's memory behaves: "static" where every buffer has its place, "bound" where the sizes of the inputs
   decide, "grows" where steps do; and in words. */
const char *common_memory(const Program *p);
const char *common_memory_text(const char *kind);
/* A column of names: how many letters of it a terminal shows, and the name with blanks up to that. */
int common_width(const char *name);
void common_print_name(const char *name, int width);
/* The line of progress on a terminal, where long work may show one; NULL elsewhere. */
typedef bool ProgressFn(const char *what, double fraction);
ProgressFn *common_progress(const Options *o);
/* One --input: name, and either dims or a file. */
typedef struct {
    const char *name, *file; /* name NULL: the file has values of all inputs; file NULL: no value given */
    InputOption option;
} InputWord;
bool common_parse_input(InputWord *w, const char *text, Arena *arena, Diag *d);
/* Compiles the model of `o` into a .so under a fresh temporary directory (the caller removes it). NULL after messages.
 */
const char *common_compile_so(const Options *o, Compilation *c, const char **out_directory, Arena *arena, Diag *d);
/* The .so of `o`'s model: the model itself when it is compiled (*out_directory NULL, or a folder in which it finds the
   libraries of --op-library), else as above. */
const char *common_shared_object(const Options *o, Compilation *c, const char **out_directory, Arena *arena, Diag *d);

/* ---- op_report.c: what becomes of each op type of a model */
typedef enum { FATE_REFUSED, FATE_HOST, FATE_COMPILED, FATE_INPUT, FATE_FOLDED, FATE_UNUSED, N_FATES } OpFate;
typedef struct {
    const char *op;
    uint32_t n[N_FATES];        /* nodes of this type that have come to this */
    const char *first[N_FATES]; /* the first of them */
    const char *why;            /* refused, or dropped: the reason; host: where the function comes from; else NULL */
} OpLine;
typedef struct {
    OpLine *lines; /* refused ones first, then by fate, number and name */
    uint32_t n;
} OpReport;
/* After compile_import, which may have failed. */
OpReport op_report(const Compilation *work, const Options *o, const Diag *d, Arena *arena);
void op_report_print(const OpReport *r, bool verbose);
struct json_t *op_report_json(const OpReport *r);

/* ---- ops_doc.c: docs/ops.md */
void ops_doc(FILE *out);

/* ---- tensor_json.c: tensors as nested lists */
bool tensor_json_read(Tensor *out, Arena *arena, const char *path, const FileMap *f, DType dtype, Diag *d);
/* Strings as strings or {"b64": "…"}, numbers as numbers (what JSON lacks as "NaN", "Infinity", "-Infinity"), complex
   ones as [real, imaginary]. */
struct json_t *tensor_json(const Tensor *t);
/* Any text and any number: what is no UTF-8 becomes U+FFFD, what is no JSON number a string. */
struct json_t *json_text(const char *text);
struct json_t *json_number(double v);

/* ---- tensor_file.c: .npy, .npz and string .json files */
bool tensor_is_file(const char *path); /* by its ending */
/* Reads a tensor; `name` picks the array of an .npz that holds several. dtype: the graph's (DTYPE_NONE: the file's);
   the shape is checked by the caller. */
bool tensor_read(Tensor *out, Arena *arena, const char *path, const char *name, DType dtype, Diag *d);
/* The same for a file that is meant for several: of an .npz only the array of that name will do. */
bool tensor_read_named(Tensor *out, Arena *arena, const char *path, const char *name, DType dtype, Diag *d);
/* <directory>/out_<i>.npy, for strings .json. */
const char *tensor_file_name(const Tensor *t, Arena *arena, const char *directory, uint32_t i);
/* Writes all of them, or none; makes the folder. */
bool tensors_save(const Tensor *tensors, uint32_t n, Arena *arena, const char *directory, Diag *d);
void tensor_print_element(const Tensor *t, int64_t i, int digits, FILE *out); /* of numbers */
void tensor_print(const Tensor *t, FILE *out);                                /* short: first elements, for people */

/* ---- table_file.c: one --table */
bool table_option(GivenTable *out, const char *text, Arena *arena, Diag *d);

/* ---- values.c: inputs for a run */
typedef struct {
    const char *name;
    DType dtype;
    int rank;
    int64_t dims[MAX_RANK];      /* -1 unknown */
    const char *sizes[MAX_RANK]; /* the name of an unknown one, or NULL */
    int64_t least[MAX_RANK];     /* the smallest that an unknown one may be … */
    int64_t most[MAX_RANK];      /* … and the largest */
    int64_t index_limit;         /* as in TfoptPort */
} InputPort;
/* name, dtype and shape of a tensor, or of the port itself: unknown sizes by their names. */
struct json_t *tensor_json_header(const InputPort *port, DType dtype, int rank, const int64_t *dims);
/* Values of the ports: from --input files, else seeded: floats in [-1,1), ints small and inside the tables they index.
   Their unknown sizes: as in the files, else the first of --batch or --dim, else the smallest that the code allows. */
bool values_make(Tensor *out, const InputPort *ports, uint32_t n, const Options *o, Arena *arena, Diag *d);

/* ---- image_file.c */
bool image_is_file(const char *path); /* by its ending */
/* An image as the value of a port: of a string port its bytes; of [height,width,channels] or [1,height,width,channels]
   its pixels, decoded to the port's channels, resized (bilinear) to its size or --image-size, (pixel - mean) * scale.
 */
bool image_read(Tensor *out, Arena *arena, const char *path, const InputPort *port, const Options *o, Diag *d);

/* ---- session.c: runs compiled models through the runtime in this process */
typedef struct Loaded Loaded;
Loaded *loaded_open(const char *path, int threads, Arena *arena, Diag *d);
void loaded_close(Loaded *l);
uint32_t loaded_ports(const Loaded *l, InputPort **out_inputs, InputPort **out_outputs,
                      Arena *arena); /* number of inputs; outputs: loaded_n_outputs */
uint32_t loaded_n_outputs(const Loaded *l);
bool loaded_run(Loaded *l, const Tensor *inputs, Tensor *outputs /* copied to the arena */, Arena *arena, Diag *d);
const TfoptModelData *loaded_data(const Loaded *l);

/* ---- inspect_artefact.c: inspect of a compiled .so */
ExitCode inspect_artefact(const Options *o, struct json_t *report, Arena *arena, Diag *d);

/* ---- reference.c: the unoptimised graph through compiler/ref */
void graph_ports(const Graph *g, InputPort **out_inputs, InputPort **out_outputs, Arena *arena);

/* ---- measure.c: tfopt-runner, a process that holds only the artefact */
typedef struct {
    double median_us, min_us, mean_us, p90_us, p99_us, runs, load_us, first_us, artifact_bytes, peak_rss_kb,
        arena_bytes;
    const char *isa;
    uint32_t n_steps;
    struct {
        const char *name;
        int kind;
        double predicted_ns, ns;
    } * steps; /* with `profile` */
} Measurement;
bool measure_compiled(Measurement *m, const char *path, int threads, double seconds, bool profile, const Tensor *inputs,
                      uint32_t n_inputs, Arena *arena, Diag *d);
/* Times of reference runs for about `seconds`. */
bool measure_reference(Measurement *m, const Graph *g, double seconds, const Tensor *inputs, Arena *arena, Diag *d);

/* ---- compare.c */
typedef struct {
    bool same_type;
    double max_difference, max_want, limit; /* limit: what was allowed */
    int64_t worst;                          /* index of the largest difference, -1 without elements */
    bool ok, as_set;                        /* as_set: ok, but rows of equal score have changed places */
} Comparison;
Comparison compare_tensors(const Tensor *got, const Tensor *want, double rtol, double atol);
/* The n outputs of one run, after each was compared: those that failed, but lie beside scores that rank, and differ
   only in the order of rows whose neighbouring scores differ by no more than the scores may, become ok. */
void compare_rankings(Comparison *c, const Tensor *got, const Tensor *want, uint32_t n);
/* out[i]: what rounding does to float output i: its largest finite difference from an evaluation in f64; 0 where that
   has another shape. Rows of a ranked list count by the nearest row of the other. */
void compare_rounding(double *out, const Tensor *exact, const Tensor *want, uint32_t n);
#endif
