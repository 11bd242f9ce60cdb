/* File: mmap for reading; temporary name and rename for writing. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is no file to be mapped, up to the size that a GraphDef can have. */
static bool read_stream(FileMap *f, int fd, const char *path, Diag *d) {
    const size_t most = (size_t)2 << 30;
    size_t room = 1 << 20, size = 0;
    uint8_t *data = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ssize_t n = data != MAP_FAILED;
    while (n > 0 && size < most) {
        if (size == room) {
            void *grown = mremap(data, room, room * 2, MREMAP_MAYMOVE);
            if (grown == MAP_FAILED) break;
            data = grown;
            room *= 2;
        }
        n = read(fd, data + size, room - size);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            size += (size_t)n;
    }
    if (data != MAP_FAILED && n == 0) {
        *f = (FileMap){data, size, room};
        return true;
    }
    if (data != MAP_FAILED) munmap(data, room);
    return size >= most ? diag_error(d, NULL, NULL, "%s: more than 2 GiB, which no GraphDef can have", path)
                        : diag_error(d, NULL, NULL, "cannot read %s: %s", path, strerror(errno));
}

bool file_map(FileMap *f, Arena *arena, const char *path, Diag *d) {
    *f = (FileMap){0};
    (void)arena;
    if (strcmp(path, "-") == 0) return read_stream(f, STDIN_FILENO, "standard input", d);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        bool ok = diag_error(d, NULL, NULL, "cannot open %s: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return ok;
    }
    bool ok = true;
    if (S_ISDIR(st.st_mode)) {
        ok = diag_error(d, NULL, NULL, "%s is a directory", path);
    } else if (!S_ISREG(st.st_mode)) {
        ok = read_stream(f, fd, path, d);
    } else if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            ok = diag_error(d, NULL, NULL, "cannot map %s: %s", path, strerror(errno));
        else
            *f = (FileMap){p, (size_t)st.st_size, (size_t)st.st_size};
    }
    close(fd);
    return ok;
}

void file_unmap(FileMap *f) {
    if (f->mapped) munmap((void *)(uintptr_t)f->data, f->mapped);
    *f = (FileMap){0};
}

bool file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

bool file_is_directory(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool file_is_plain(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool file_is_replaceable(const char *path) {
    struct stat st;
    return lstat(path, &st) != 0 || S_ISREG(st.st_mode);
}

/* Beside `path`, and no longer than names may be however long that is. */
static char *temporary_name(Arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    uint32_t hash = 2166136261u; /* FNV-1a: several files may be written at once */
    for (const char *p = path; *p; p++) hash = (hash ^ (unsigned char)*p) * 16777619u;
    return arena_printf(arena, "%.*s.tfoptc-tmp-%d-%08x", slash ? (int)(slash - path) + 1 : 0, path, (int)getpid(),
                        hash);
}

/* A file without a name in the folder of `path`: whatever ends this process, nothing of it is left. */
static void open_unnamed(FileOut *f, Arena *arena) {
    const char *slash = strrchr(f->path, '/');
    const char *folder = slash ? arena_strndup(arena, f->path, (size_t)(slash - f->path) + 1) : ".";
    int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0) return;
    f->stream = access(arena_printf(arena, "/proc/self/fd/%d", fd), F_OK) == 0 ? fdopen(fd, "wb") : NULL;
    f->unnamed = f->stream != NULL;
    if (!f->stream) close(fd);
}

static bool give_name(const FileOut *f) {
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fileno(f->stream));
    return linkat(AT_FDCWD, self, AT_FDCWD, f->temporary, AT_SYMLINK_FOLLOW) == 0;
}

bool file_create(FileOut *f, Arena *arena, const char *path, Diag *d) {
    *f = (FileOut){.path = arena_strdup(arena, path), .temporary = temporary_name(arena, path)};
    if (!file_is_replaceable(path)) f->temporary = NULL;
    if (f->temporary) open_unnamed(f, arena);
    if (!f->stream) f->stream = fopen(f->temporary ? f->temporary : path, "wb");
    if (!f->stream) return diag_error(d, NULL, NULL, "cannot write %s: %s", path, strerror(errno));
    return true;
}

/* What the system would have given the file, and the x bits where they belong. */
static mode_t mode_of(bool executable) {
    const mode_t mask = umask(0);
    umask(mask);
    return (executable ? 0777 : 0666) & ~mask;
}

static bool failed(FileOut *f, Diag *d) {
    diag_error(d, NULL, NULL, "cannot write %s: %s", f->path, strerror(errno));
    if (f->temporary) unlink(f->temporary); /* an unnamed one may not have got that far */
    f->finished = false;
    return false;
}

bool file_finish(FileOut *f, bool executable, Diag *d) {
    bool ok = !ferror(f->stream) && fflush(f->stream) == 0;
    if (f->unnamed) ok = ok && give_name(f);
    if (executable && f->temporary) ok = ok && fchmod(fileno(f->stream), mode_of(true)) == 0;
    f->finished = fclose(f->stream) == 0 && ok;
    f->stream = NULL;
    return f->finished || failed(f, d);
}

bool file_publish(FileOut *f, Diag *d) {
    if (f->temporary && rename(f->temporary, f->path) != 0) return failed(f, d);
    f->finished = false;
    return true;
}

bool file_commit(FileOut *f, bool executable, Diag *d) {
    return file_finish(f, executable, d) && file_publish(f, d);
}

bool file_commit_from(FileOut *f, Arena *arena, const char *made, bool executable, Diag *d) {
    FileMap map;
    if (f->temporary && chmod(made, mode_of(executable)) == 0 && rename(made, f->path) == 0) {
        file_discard(f);
        return true;
    }
    if (!file_map(&map, arena, made, d)) return false;
    if (map.size) fwrite(map.data, 1, map.size, f->stream);
    file_unmap(&map);
    return file_commit(f, executable, d);
}

void file_discard(FileOut *f) {
    if (!f->stream && !f->finished) return;
    if (f->stream) fclose(f->stream);
    if (f->temporary && (!f->unnamed || f->finished)) unlink(f->temporary);
    f->stream = NULL;
    f->finished = false;
}

bool file_write(Arena *arena, const char *path, const void *data, size_t size, Diag *d) {
    FileOut f;
    if (!file_create(&f, arena, path, d)) return false;
    if (size) fwrite(data, 1, size, f.stream);
    return file_commit(&f, false, d);
}

char *file_make_temp_dir(Arena *arena, Diag *d) {
    const char *base = getenv("TMPDIR");
    char *path = arena_printf(arena, "%s/tfoptc-XXXXXX", base && *base ? base : "/tmp");
    if (mkdtemp(path)) return path;
    diag_error(d, NULL, NULL, "cannot make a temporary directory %s: %s", path, strerror(errno));
    return NULL;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void file_remove_tree(const char *path) {
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
