/* graphs [--bench] [--kernels] [--asm FILE] [--cpu NAME] FILE...: graphs in text form, see graph_run.h. */
#include "graph_run.h"
#include "base/file.h"
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    Options o = {0};
    int i = 1, wrong = 0, done = 0;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--bench") == 0)
            o.bench = true;
        else if (strcmp(argv[i], "--kernels") == 0)
            o.kernels = true;
        else if (strcmp(argv[i], "--asm") == 0 && i + 1 < argc)
            o.assembly = argv[++i];
        else if (strcmp(argv[i], "--cpu") == 0 && i + 1 < argc)
            o.cpu = argv[++i];
        else
            return 2;
    }
    Arena *arena = arena_new();
    Diag d;
    diag_init(&d, arena, NULL);
    for (; i < argc; i++) {
        FileMap file;
        if (!file_map(&file, arena, argv[i], &d)) break;
        const char *text = arena_strndup(arena, (const char *)file.data, file.size);
        file_unmap(&file);
        run_graph(argv[i], text, &o, &done, &wrong);
    }
    diag_print(&d, stderr, DIAG_ERROR);
    printf("%d of %d right\n", done - wrong, done);
    bool ok = !wrong && done && !d.n_errors;
    arena_free(arena);
    return !ok;
}
