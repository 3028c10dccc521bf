/* Preloaded into a process: counts the changes that it makes below a folder and, at a chosen one, kills it or fills its disk.
 *
 * Whatever Python, polars and safetensors do to files goes through these calls. The write that is struck is left half done.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NOTHING, KILL, FULL };
static char below[PATH_MAX];
static long moment, changes;
static int harm;

void arm(const char *folder, long at, int how) {
    snprintf(below, sizeof below, "%s/", folder);
    moment = at, changes = 0, harm = how;
}
long changed(void) { return changes; }

static int is_below(int folder, const char *path) {
    char whole[2 * PATH_MAX], link[64];
    if (!*below || !path) return 0;
    if (*path != '/') {
        snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
        ssize_t size = readlink(link, whole, PATH_MAX);
        if (size < 0) return 0;
        snprintf(whole + size, sizeof whole - size, "/%s", path);
        path = whole;
    }
    return !strncmp(path, below, strlen(below));
}
static int is_file_below(int file) {
    char path[PATH_MAX] = "", link[64];
    if (!*below) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    return readlink(link, path, sizeof path - 1) > 0 && !strncmp(path, below, strlen(below));
}
/* 0: go on; 1: this is the one that is struck; 2: the disk is full since. `needs` is whether it takes room. */
static int struck(int needs) {
    long now = __atomic_add_fetch(&changes, 1, __ATOMIC_SEQ_CST);
    if (harm == NOTHING || now < moment || (harm == FULL && !needs)) return 0;
    return harm == FULL && now > moment ? 2 : 1;
}
static int failed(void) {
    if (harm == KILL) kill(getpid(), SIGKILL);
    errno = ENOSPC;
    return -1;
}
/* changes of names: either they happen or they don't */
#define CHANGE(name, types, words, where, needs) \
    int name types { \
        static int (*real) types; \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        return (where) && struck(needs) ? failed() : real words; \
    }
CHANGE(mkdir, (const char *path, mode_t mode), (path, mode), is_below(AT_FDCWD, path), 1)
CHANGE(mkdirat, (int at, const char *path, mode_t mode), (at, path, mode), is_below(at, path), 1)
CHANGE(symlink, (const char *to, const char *path), (to, path), is_below(AT_FDCWD, path), 1)
CHANGE(symlinkat, (const char *to, int at, const char *path), (to, at, path), is_below(at, path), 1)
CHANGE(rename, (const char *from, const char *to), (from, to), is_below(AT_FDCWD, to), 0)
CHANGE(renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), is_below(b, to), 0)
CHANGE(renameat2, (int a, const char *from, int b, const char *to, unsigned how), (a, from, b, to, how), is_below(b, to), 0)
CHANGE(unlink, (const char *path), (path), is_below(AT_FDCWD, path), 0)
CHANGE(unlinkat, (int at, const char *path, int how), (at, path, how), is_below(at, path), 0)
CHANGE(rmdir, (const char *path), (path), is_below(AT_FDCWD, path), 0)
CHANGE(ftruncate, (int file, off_t size), (file, size), is_file_below(file), 1)
CHANGE(ftruncate64, (int file, off64_t size), (file, size), is_file_below(file), 1)

/* files that are made or emptied */
#define OPEN(name, types, words, where) \
    int name types { \
        static int (*real)(); \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        va_list rest; \
        va_start(rest, how); \
        mode_t mode = how & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        return (how & (O_CREAT | O_TRUNC)) && (where) && struck(1) ? failed() : real words; \
    }
OPEN(open, (const char *path, int how, ...), (path, how, mode), is_below(AT_FDCWD, path))
OPEN(open64, (const char *path, int how, ...), (path, how, mode), is_below(AT_FDCWD, path))
OPEN(openat, (int at, const char *path, int how, ...), (at, path, how, mode), is_below(at, path))
OPEN(openat64, (int at, const char *path, int how, ...), (at, path, how, mode), is_below(at, path))

/* what is written: of the one that is struck, half */
#define WRITE(name, types, whole, half, size) \
    ssize_t name types { \
        static ssize_t (*real) types; \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        int how = is_file_below(file) ? struck(1) : 0; \
        if (!how) return real whole; \
        ssize_t done = how == 1 && (size) > 1 ? real half : 0; \
        return harm == FULL && done > 0 ? done : failed(); \
    }
WRITE(write, (int file, const void *data, size_t size), (file, data, size), (file, data, size / 2), size)
WRITE(pwrite, (int file, const void *data, size_t size, off_t at), (file, data, size, at), (file, data, size / 2, at), size)
WRITE(pwrite64, (int file, const void *data, size_t size, off64_t at), (file, data, size, at), (file, data, size / 2, at), size)
WRITE(writev, (int file, const struct iovec *parts, int count), (file, parts, count), (file, parts, count / 2), count)
WRITE(sendfile, (int file, int from, off_t *at, size_t size), (file, from, at, size), (file, from, at, size / 2), size)
WRITE(sendfile64, (int file, int from, off64_t *at, size_t size), (file, from, at, size), (file, from, at, size / 2), size)
WRITE(copy_file_range, (int from, off64_t *a, int file, off64_t *b, size_t size, unsigned how_), (from, a, file, b, size, how_),
      (from, a, file, b, size / 2, how_), size)
