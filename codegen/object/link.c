/* link: from the object to what the user asked for, by the system's tools: `ar` for archives, the C compiler driver
   ($CC) as linker for shared objects and executables. libtfopt.a lies beside the tfoptc binary in a build tree, in
   ../lib of it once installed. Nothing in the results depends on
   time or on temporary names. */
#include "base/file.h"
#include "codegen/object/object.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

typedef VEC(const char *) Command;

static void add(Arena *arena, Command *c, const char *word) {
    vec_push(arena, c, word);
}

/* $CC may hold flags: split at spaces. */
static void add_words(Arena *arena, Command *c, const char *words) {
    char *copy = arena_strdup(arena, words), *rest = NULL;
    for (char *word = strtok_r(copy, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) add(arena, c, word);
}

static const char *read_all(Arena *arena, const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return "";
    char text[2000];
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    while (n && (text[n - 1] == '\n' || text[n - 1] == ' ')) n--;
    return arena_strndup(arena, text, n);
}

/* The command as one could type it, for -v. */
static void note_command(Arena *arena, const Command *c, Diag *d) {
    Str text;
    str_init(&text, arena);
    for (uint32_t i = 0; i < c->len; i++) {
        bool plain = !c->data[i][strcspn(c->data[i], " \t\"'$\\*?;&|<>()")];
        str_printf(&text, plain ? "%s%s" : "%s'%s'", i ? " " : "", c->data[i]);
    }
    diag_note(d, NULL, NULL, "%s", str_text(&text));
}

/* Runs the command; what it says goes into the message when it fails. */
static bool run(Arena *arena, Command *c, const char *temp_dir, Diag *d) {
    const char *log = arena_printf(arena, "%s/link.log", temp_dir);
    note_command(arena, c, d);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    posix_spawnattr_t attributes; /* whatever signals this process holds back, the tool does not */
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    add(arena, c, NULL);
    pid_t pid;
    int error = posix_spawnp(&pid, c->data[0], &actions, &attributes, (char **)(uintptr_t)c->data, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error)
        return diag_error(d, NULL, NULL, "cannot run '%s': %s (it is needed to link; $CC and $AR name others)",
                          c->data[0], strerror(error));
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    return diag_error(d, NULL, NULL, "'%s' failed: %s", c->data[0], read_all(arena, log));
}

static const char *arch_of(Arena *arena, const char *triple) {
    return arena_strndup(arena, triple, strcspn(triple, "-"));
}

static bool is_native(const char *triple) {
#if defined(__x86_64__)
    return strncmp(triple, "x86_64-", 7) == 0;
#else
    return strncmp(triple, "aarch64-", 8) == 0;
#endif
}

/* The C compiler driver for a triple: $CC, or "cc"; for another machine Debian's cross compiler,
 * `<arch>-linux-gnu-gcc`. */
static void add_compiler(Arena *arena, Command *c, const ObjectModel *m) {
    const char *cc = getenv("CC");
    if (cc && *cc)
        add_words(arena, c, cc);
    else if (is_native(m->triple))
        add(arena, c, "cc");
    else
        add(arena, c, arena_printf(arena, "%s-linux-gnu-gcc", arch_of(arena, m->triple)));
    if (m->sysroot) add(arena, c, arena_printf(arena, "--sysroot=%s", m->sysroot));
}

/* A file of the runtime for the triple: $TFOPT_RUNTIME, beside the binary, or where an installation has it. NULL:
 * nowhere. */
static const char *runtime_file(Arena *arena, const char *triple, const char *name) {
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return NULL;
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (slash) *slash = 0;
    const char *arch = is_native(triple) ? "" : arena_printf(arena, "/%s", arch_of(arena, triple));
    const char *given = getenv("TFOPT_RUNTIME");
    const char *const places[] = {
        given && *given ? arena_printf(arena, "%s/%s", given, name) : NULL,
        arena_printf(arena, "%s/runtime%s/%s", self, arch, name),
        arena_printf(arena, "%s/../lib%s/%s", self, arch, name),
        arena_printf(arena, "%s/../lib/tfopt%s/%s", self, arch, name),
        arena_printf(arena, "%s/../runtime%s/%s", self, arch, name),
    };
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (places[i] && file_exists(places[i])) return places[i];
    return NULL;
}

static bool need_runtime(Arena *arena, const ObjectModel *m, const char *name, const char **out, Diag *d) {
    *out = runtime_file(arena, m->triple, name);
    if (*out) return true;
    return diag_error(d, NULL, NULL,
                      "%s for '%s' is not there: it lies beside tfoptc or in ../lib; $TFOPT_RUNTIME names another "
                      "folder (docs/adding-a-target.md says how to build it)",
                      name, m->triple);
}

static bool make_archive(Arena *arena, const char *object, const ObjectModel *m, const char *out, const char *temp_dir,
                         Diag *d) {
    /* The member is named after the model, not after a temporary file. */
    const char *member = arena_printf(arena, "%s/%s.o", temp_dir, m->name);
    if (strcmp(member, object) != 0 && link(object, member) != 0)
        return diag_error(d, NULL, NULL, "cannot make '%s': %s", member, strerror(errno));
    Command c = {0};
    const char *ar = getenv("AR");
    add_words(arena, &c, ar && *ar ? ar : "ar");
    add(arena, &c, "rcsD");
    add(arena, &c, out);
    add(arena, &c, member);
    return run(arena, &c, temp_dir, d);
}

/* Flags of both kinds of link: the same bytes every time, nothing that is not used, no writable code or stack. */
static void add_link_flags(Arena *arena, Command *c) {
    static const char *const flags[] = {"-Wl,--build-id=none", "-Wl,--gc-sections", "-Wl,--as-needed",
                                        "-Wl,-z,noexecstack",  "-Wl,-z,relro",      "-Wl,-z,now",
                                        "-Wl,-z,defs"};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) add(arena, c, flags[i]);
}

/* What the archive members of the host functions need beside libm: codecs come from the system's libraries. */
static void add_host_libraries(Arena *arena, Command *c, const ObjectModel *m) {
    const Program *p = m->programs[0];
    for (uint32_t b = 0; b < p->blocks.len; b++) {
        const Block *block = &p->blocks.data[b];
        for (uint32_t i = 0; i < block->steps.len; i++) {
            const Step *step = &block->steps.data[i];
            if (step->kind != STEP_HOST || strcmp(step->host->family, "codec") != 0) continue;
            add(arena, c, "-ljpeg");
            add(arena, c, "-lpng");
            add(arena, c, "-lz");
            return;
        }
    }
}

/* Kernels of the user's ops: from the files of --link, which go into the artefact; what they do not define comes from
   the op libraries when the artefact is loaded, which are looked for beside it. */
static void add_custom_kernels(Arena *arena, Command *c, const ObjectModel *m) {
    for (uint32_t i = 0; i < m->n_link; i++) add(arena, c, m->link[i]);
    if (!is_native(m->triple)) return; /* the libraries are for this machine: tfoptc runs their shape functions */
    for (uint32_t i = 0; i < m->n_op_libraries; i++) {
        const char *file = m->op_libraries[i], *slash = strrchr(file, '/');
        const char *directory = slash ? arena_strndup(arena, file, (size_t)(slash - file) + 1) : ".";
        add(arena, c, arena_printf(arena, "-L%s", directory)); /* as a name: a path would end up in the artefact */
        add(arena, c, arena_printf(arena, "-l:%s", slash ? slash + 1 : file));
    }
    if (m->n_op_libraries) add(arena, c, "-Wl,-rpath,$ORIGIN");
}

static bool make_shared(Arena *arena, const char *object, const ObjectModel *m, const char *out, const char *temp_dir,
                        Diag *d) {
    const char *library, *script = arena_printf(arena, "%s/exports", temp_dir);
    const char *exports = arena_printf(arena, "{ global: tfopt_model_data; %s_model_data; local: *; };\n", m->name);
    if (!need_runtime(arena, m, "libtfopt.a", &library, d) || !file_write(arena, script, exports, strlen(exports), d))
        return false;
    Command c = {0};
    add_compiler(arena, &c, m);
    add(arena, &c, "-shared");
    add(arena, &c, "-o");
    add(arena, &c, out);
    add(arena, &c, object);
    add(arena, &c, library);
    add(arena, &c, arena_printf(arena, "-Wl,--defsym=tfopt_model_data=%s_model_data", m->name));
    add(arena, &c, arena_printf(arena, "-Wl,--version-script=%s", script));
    add_link_flags(arena, &c);
    add_custom_kernels(arena, &c, m);
    add_host_libraries(arena, &c, m);
    add(arena, &c, "-lm");
    return run(arena, &c, temp_dir, d);
}

static bool make_executable(Arena *arena, const char *object, const ObjectModel *m, const char *out,
                            const char *temp_dir, Diag *d) {
    const char *library, *main_object;
    if (!need_runtime(arena, m, "libtfopt.a", &library, d) ||
        !need_runtime(arena, m, "libtfopt_main.a", &main_object, d))
        return false;
    Command c = {0};
    add_compiler(arena, &c, m);
    add(arena, &c, "-o");
    add(arena, &c, out);
    add(arena, &c, object);
    add(arena, &c, main_object);
    add(arena, &c, library);
    add(arena, &c, arena_printf(arena, "-Wl,--defsym=tfopt_model_data=%s_model_data", m->name));
    add_link_flags(arena, &c);
    add_custom_kernels(arena, &c, m);
    add_host_libraries(arena, &c, m);
    add(arena, &c, "-lm");
    add(arena, &c, "-lpthread");
    return run(arena, &c, temp_dir, d);
}

const char *object_link(Arena *arena, ArtefactKind kind, const char *object_path, const ObjectModel *m,
                        const char *temp_dir, Diag *d) {
    const char *made = arena_printf(arena, "%s/artefact", temp_dir);
    typedef bool MakeFn(Arena *, const char *, const ObjectModel *, const char *, const char *, Diag *);
    static MakeFn *const makers[] = {
        [ARTEFACT_ARCHIVE] = make_archive, [ARTEFACT_SHARED] = make_shared, [ARTEFACT_EXECUTABLE] = make_executable};
    if (kind == ARTEFACT_OBJECT) return object_path;
    return makers[kind](arena, object_path, m, made, temp_dir, d) ? made : NULL;
}
