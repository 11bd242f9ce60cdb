/* replay: runs a fuzz target without libFuzzer, for compilers that lack it and as a quick test.
   usage: TARGET FILE-or-FOLDER… [mutants=N]
   Every file is run as it is, and N times damaged by the target's own mutator (when it has one), with seeds 1…N. */
#include "fuzz.h"

#include "base/file.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma weak LLVMFuzzerCustomMutator

static unsigned long run_file(const char *path, unsigned mutants) {
    Arena *arena = arena_new();
    Diag d;
    FileMap file;
    diag_init(&d, arena, NULL);
    if (!file_map(&file, arena, path, &d)) {
        diag_print(&d, stderr, DIAG_ERROR);
        exit(1);
    }
    LLVMFuzzerTestOneInput(file.data, file.size);
    size_t room = file.size * 2 + 4096;
    uint8_t *copy = arena_alloc(arena, room);
    for (unsigned seed = 1; LLVMFuzzerCustomMutator && seed <= mutants; seed++) {
        if (file.size) memcpy(copy, file.data, file.size);
        size_t n = LLVMFuzzerCustomMutator(copy, file.size, room, seed);
        /* Exactly as many bytes as there are, so that a sanitizer sees a read past the end. */
        uint8_t *exact = malloc(n ? n : 1);
        memcpy(exact, copy, n);
        LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    }
    file_unmap(&file);
    arena_free(arena);
    return 1 + (LLVMFuzzerCustomMutator ? mutants : 0);
}

static unsigned long run_path(const char *path, unsigned mutants) {
    unsigned long n = 0;
    if (!file_is_directory(path)) return run_file(path, mutants);
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char full[4096];
        snprintf(full, sizeof full, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') n += run_path(full, mutants);
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    return n;
}

int main(int argc, char **argv) {
    unsigned mutants = 0;
    unsigned long n = 0;
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "mutants=", 8) == 0) mutants = (unsigned)strtoul(argv[i] + 8, NULL, 10);
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "mutants=", 8) != 0) n += run_path(argv[i], mutants);
    printf("%lu inputs\n", n);
    return 0;
}
