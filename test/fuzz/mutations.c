/* mutations: damages model files in many ways and compiles each; the compiler must end in exit 0, 1 or 3 within time
   and memory. usage: mutations TFOPTC COUNT [seed=N] [seconds=10] [megabytes=2048] [keep=FOLDER] MODEL… Mutant k is
   MODEL[k % models] damaged with seed N+k. Failures are printed with what repeats them and, with keep=, saved; exit 1
   if any. */
#include "graph.pb-c.h"
#include "mutate.h"

#include "base/file.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    const char *tfoptc, *keep, *command;
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
        execl(s->tfoptc, "tfoptc", s->command, model, "-o", out, (char *)NULL);
        _exit(127);
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int main(int argc, char **argv) {
    Settings s = {.seconds = 10, .megabytes = 2048, .seed = 1, .command = "compile"};
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
        else if (strncmp(argv[i], "keep=", 5) == 0)
            s.keep = argv[i] + 5;
        else
            vec_push(arena, &models, argv[i]);
    }
    if (argc < 4 || !models.len) {
        fprintf(stderr, "usage: mutations TFOPTC COUNT [seed=N] [seconds=10] [megabytes=2048] [keep=FOLDER] MODEL…\n");
        return 2;
    }
    s.tfoptc = argv[1];
    s.count = strtoull(argv[2], NULL, 10);
    const char *directory = file_make_temp_dir(arena, &d);
    if (!directory) return diag_print(&d, stderr, false), 1;
    const char *mutant = arena_printf(arena, "%s/mutant.pb", directory),
               *out = arena_printf(arena, "%s/x.o", directory);
    unsigned long counts[4] = {0}, failures = 0;
    for (unsigned long long k = 0; k < s.count; k++) {
        Arena *scratch = arena_new();
        const char *model = models.data[k % models.len];
        FileMap file;
        Str bytes;
        if (!file_map(&file, scratch, model, &d)) return diag_print(&d, stderr, false), 1;
        mutate_message(s.seed + k, &pb__graph_def__descriptor, file.data, file.size, scratch, &bytes);
        file_unmap(&file);
        if (!file_write(scratch, mutant, bytes.data, bytes.len, &d)) return diag_print(&d, stderr, false), 1;
        int status = compile(&s, mutant, out);
        if (status >= 0 && status <= 3 && status != 2) {
            counts[status]++;
        } else {
            failures++;
            printf("%s seed=%llu: %s %d\n", model, s.seed + k, status < 0 ? "died of signal" : "exit",
                   status < 0 ? -status : status);
            fflush(stdout);
            if (s.keep)
                file_write(scratch, arena_printf(scratch, "%s/mutant-%llu.pb", s.keep, s.seed + k), bytes.data,
                           bytes.len, &d);
        }
        arena_free(scratch);
    }
    file_remove_tree(directory);
    printf("%llu mutants: %lu compiled, %lu refused as wrong, %lu as unsupported, %lu FAILED\n", s.count, counts[0],
           counts[1], counts[3], failures);
    return failures ? 1 : 0;
}
