/* File: whole files mapped for reading, and writing that never leaves half a file behind. */
#ifndef TFOPT_BASE_FILE_H
#define TFOPT_BASE_FILE_H
#include "base/diag.h"

typedef struct {
    const uint8_t *data; /* page aligned when mapped; NULL for an empty file */
    size_t size;
    size_t mapped; /* bytes to be unmapped; 0: it lies elsewhere */
} FileMap;

/* Maps `path` read-only ("-": what standard input holds). false and a message when it cannot. */
bool file_map(FileMap *f, Arena *arena, const char *path, Diag *d);
void file_unmap(FileMap *f);
bool file_exists(const char *path);
bool file_is_directory(const char *path);
/* Whether it is a plain file, which can be read more than once (a pipe cannot). */
bool file_is_plain(const char *path);
/* Whether a rename may put a file there: nothing is there, or a file and no link, device or pipe. */
bool file_is_replaceable(const char *path);

/* A file being written: has no name, or a temporary one beside `path` where the system cannot do that, and is renamed
   by file_commit; what is no plain file (a link, a device, a pipe) is written through. */
typedef struct {
    FILE *stream;
    char *path, *temporary; /* temporary: NULL when written through */
    bool unnamed;           /* the file gets the temporary name when it is complete */
    bool finished;          /* it is complete */
} FileOut;
bool file_create(FileOut *f, Arena *arena, const char *path, Diag *d);
/* Flushes and renames; false and a message (and no file) when anything failed. `executable` sets the x bits. */
bool file_commit(FileOut *f, bool executable, Diag *d);
/* The same in two steps, for several files that belong together: all that can be lacking shows in the first. */
bool file_finish(FileOut *f, bool executable, Diag *d);
bool file_publish(FileOut *f, Diag *d);
/* Commits the file `made` instead of what was written: moves it, or copies it where it lies on another disk. */
bool file_commit_from(FileOut *f, Arena *arena, const char *made, bool executable, Diag *d);
void file_discard(FileOut *f);
/* Writes all of data to `path`, atomically. */
bool file_write(Arena *arena, const char *path, const void *data, size_t size, Diag *d);
/* A new private directory for temporary files (under $TMPDIR or /tmp); the caller removes it with file_remove_tree. */
char *file_make_temp_dir(Arena *arena, Diag *d);
void file_remove_tree(const char *path);
#endif
