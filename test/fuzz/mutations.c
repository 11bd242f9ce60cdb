/* mutations: damages model files in many ways and compiles each; the compiler must end in exit 0, 1 or 3 within time
   and memory. usage: mutations TFOPTC COUNT [seed=N] [seconds=10] [megabytes=2048] [emit=object|graph] [keep=FOLDER]
   MODEL… Mutant k is MODEL[k % models] damaged with seed N+k. Of a SavedModel's folder one file is damaged: its graph,
   or the index or data of its variables. emit=graph stops behind the passes. Failures are printed with what repeats
   them and, with keep=, saved; exit 1 if any. */
#include "graph.pb-c.h"
#include "mutate.h"
#include "saved_model.pb-c.h"

#include "base/file.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    const char *tfoptc, *keep, *emit;
    unsigned seconds, megabytes;
    unsigned long long seed, count;
} Settings;

/* Exit status of one compile; -signal when it died of one (SIGALRM, SIGXCPU: took too long). */
static int compile(const Settings *s, const char *model, const char *out) {
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit memory = {(rlim_t)s->megabytes << 20, (rlim_t)s->megabytes << 20}, none = {0, 0};
        if (s->megabytes) setrlimit(RLIMIT_AS, &memory); /* sanitizers reserve terabytes: 0 leaves it */
        setrlimit(RLIMIT_CORE, &none);
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        dup2(null, 2);
        alarm(s->seconds);
        execl(s->tfoptc, "tfoptc", "compile", model, "-o", out, strcmp(s->emit, "graph") == 0 ? "--emit=graph" : NULL,
              (char *)NULL);
        _exit(127);
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool read_file(Arena *arena, const char *path, Str *out, Diag *d) {
    FileMap file;
    str_init(out, arena);
    if (!file_map(&file, arena, path, d)) return false;
    str_add_bytes(out, file.data, file.size);
    file_unmap(&file);
    return true;
}

/* The files of a SavedModel that are read. */
static const char *const parts[] = {"saved_model.pb", "variables/variables.index",
                                    "variables/variables.data-00000-of-00001"};

/* The folder's files, one of them damaged, as a folder at `mutant`. */
static bool mutate_folder(unsigned long long seed, const char *model, const char *mutant, Arena *arena, Diag *d) {
    bool ok = mkdir(mutant, 0700) == 0 && mkdir(arena_printf(arena, "%s/variables", mutant), 0700) == 0;
    uint64_t random = seed, damaged = random_below(&random, 4);
    for (size_t i = 0; i < ARRAY_LEN(parts) && ok; i++) {
        Str bytes, changed;
        const char *path = arena_printf(arena, "%s/%s", model, parts[i]);
        if (access(path, R_OK) != 0) continue;
        ok = read_file(arena, path, &bytes, d);
        bool this_one = i == 0 ? damaged < 2 : damaged == i + 1; /* the graph half of the time */
        if (ok && this_one) {
            const ProtobufCMessageDescriptor *type = i == 0 ? &pb__saved_model__descriptor : NULL;
            mutate_message(seed, type, (const uint8_t *)str_text(&bytes), bytes.len, arena, &changed);
            bytes = changed;
        }
        ok = ok && file_write(arena, arena_printf(arena, "%s/%s", mutant, parts[i]), str_text(&bytes), bytes.len, d);
    }
    return ok;
}

static bool mutate_file(unsigned long long seed, const char *model, const char *mutant, Arena *arena, Diag *d) {
    Str bytes, changed;
    if (!read_file(arena, model, &bytes, d)) return false;
    mutate_message(seed, &pb__graph_def__descriptor, (const uint8_t *)str_text(&bytes), bytes.len, arena, &changed);
    return file_write(arena, mutant, changed.data ? changed.data : "", changed.len, d);
}

int main(int argc, char **argv) {
    Settings s = {.seconds = 10, .megabytes = 2048, .seed = 1, .emit = "object"};
    Arena *arena = arena_new();
    VEC(const char *) models = {0};
    Diag d;
    diag_init(&d, arena, NULL);
    for (int i = 3; i < argc; i++) {
        if (strncmp(argv[i], "seed=", 5) == 0)
            s.seed = strtoull(argv[i] + 5, NULL, 10);
        else if (strncmp(argv[i], "seconds=", 8) == 0)
            s.seconds = (unsigned)atoi(argv[i] + 8);
        else if (strncmp(argv[i], "megabytes=", 10) == 0)
            s.megabytes = (unsigned)atoi(argv[i] + 10);
        else if (strncmp(argv[i], "emit=", 5) == 0)
            s.emit = argv[i] + 5;
        else if (strncmp(argv[i], "keep=", 5) == 0)
            s.keep = argv[i] + 5;
        else
            vec_push(arena, &models, argv[i]);
    }
    if (argc < 4 || !models.len) {
        fprintf(stderr, "usage: mutations TFOPTC COUNT [seed=N] [seconds=10] [megabytes=2048] "
                        "[emit=object|graph] [keep=FOLDER] MODEL…\n");
        return 2;
    }
    s.tfoptc = argv[1];
    s.count = strtoull(argv[2], NULL, 10);
    const char *directory = file_make_temp_dir(arena, &d);
    if (!directory) return diag_print(&d, stderr, DIAG_ERROR), 1;
    const char *out = arena_printf(arena, "%s/x.o", directory);
    unsigned long counts[4] = {0}, failures = 0;
    for (unsigned long long k = 0; k < s.count; k++) {
        Arena *scratch = arena_new();
        const char *model = models.data[k % models.len];
        struct stat about;
        bool folder = stat(model, &about) == 0 && S_ISDIR(about.st_mode);
        /* The name says of what kind it is: text is told by it. */
        const char *ending = folder ? "" : strrchr(model, '.') ? strrchr(model, '.') : "";
        const char *mutant = arena_printf(scratch, "%s/mutant-%llu%s", directory, s.seed + k, ending);
        if (!(folder ? mutate_folder : mutate_file)(s.seed + k, model, mutant, scratch, &d))
            return diag_print(&d, stderr, DIAG_ERROR), 1;
        int status = compile(&s, mutant, out);
        if (status >= 0 && status <= 3 && status != 2) {
            counts[status]++;
        } else {
            failures++;
            printf("%s seed=%llu: %s %d\n", model, s.seed + k, status < 0 ? "died of signal" : "exit",
                   status < 0 ? -status : status);
            fflush(stdout);
            if (s.keep) rename(mutant, arena_printf(scratch, "%s/mutant-%llu%s", s.keep, s.seed + k, ending));
        }
        if (folder)
            file_remove_tree(mutant);
        else
            unlink(mutant);
        arena_free(scratch);
    }
    file_remove_tree(directory);
    printf("%llu mutants: %lu compiled, %lu refused as wrong, %lu as unsupported, %lu FAILED\n", s.count, counts[0],
           counts[1], counts[3], failures);
    return failures ? 1 : 0;
}
