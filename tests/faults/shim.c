/* A disk that fails on demand, and that keeps a log of all that was asked of it.
 *
 * Loaded into the daemon with LD_PRELOAD it stands between the process and the C library, for files
 * below one directory ($FAULTS_DIRECTORY). The test and the process share one page of memory
 * ($FAULTS_CONTROL, laid out as `struct control`; shim.py has the same layout): it counts the calls
 * of each kind, and says which of them fails, and how. With $FAULTS_LOG every call that changes a
 * file, and everything that is sent over a socket, is appended to a log: a record is a
 * `struct header`, the file's name and the bytes. Calls that change a file take turns, so that the
 * order of the log is the order of the disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum call { OPEN, READ, WRITE, SYNC, TRUNCATE, UNLINK, RENAME, MAP, LOCK, CALLS };
enum file { DATABASE, WAL, SHM, JOURNAL, LOCKFILE, COPY, DIRECTORY, OTHER, FILES };
enum action { NONE, FAIL_IO, FAIL_FULL, SHORT, SHORT_FULL, TORN, HANG };
/* What the log tells besides the calls that went well. */
enum told { CREATED = CALLS, SYNC_FAILED, SENT };

struct control {
    int64_t calls[CALLS][FILES];
    int64_t call, file;    /* which kind of call fails ... */
    int64_t first, last;   /* ... from its n-th to its m-th */
    int64_t seen;          /* how many of that kind there were since there is an action */
    int64_t action;
    int64_t hits;          /* how many have failed */
    int64_t released;      /* 1 lets go those that hang */
};

struct header {
    uint8_t told, file;
    uint16_t name;         /* bytes */
    uint32_t content;      /* bytes */
    int64_t offset;        /* of a write; the size that a truncation leaves */
};

#define DESCRIPTORS 4096
#define NAME_BYTES 256
static struct open_file {
    char known, file;
    char name[NAME_BYTES];
} files[DESCRIPTORS];
static struct control *control;
static char directory[PATH_MAX];
static size_t directory_length;
static int journal = -1;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

#define REAL(result, name, ...) \
    static result (*real_##name)(__VA_ARGS__); \
    if (!real_##name) real_##name = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

static int real_open_file(const char *path, int flags, mode_t mode) {
    REAL(int, open64, const char *, int, ...);
    return real_open64(path, flags, mode);
}

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("FAULTS_CONTROL"), *log = getenv("FAULTS_LOG");
    const char *below = getenv("FAULTS_DIRECTORY");
    if (!where || !below || !realpath(below, directory)) return;
    directory_length = strlen(directory);
    int shared = real_open_file(where, O_RDWR | O_CLOEXEC, 0);
    if (shared < 0) abort();
    void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
    if (page == MAP_FAILED) abort();
    if (log) {
        journal = real_open_file(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (journal < 0) abort();
    }
    control = page;
}

/* ------------------------------------------------------------------------------ which file */

static int ends(const char *name, const char *end) {
    size_t all = strlen(name), some = strlen(end);
    return all >= some && !strcmp(name + all - some, end);
}

static enum file kind(const char *name) {
    if (ends(name, ".db")) return DATABASE;
    if (ends(name, "-wal")) return WAL;
    if (ends(name, "-shm")) return SHM;
    if (ends(name, "-journal")) return JOURNAL;
    if (ends(name, ".lock")) return LOCKFILE;
    if (ends(name, ".partial")) return COPY;
    if (!*name) return DIRECTORY;
    return OTHER;
}

/* The name below the directory, "" for the directory itself, NULL for a path elsewhere. */
static const char *below(const char *path) {
    if (!control || !path || strncmp(path, directory, directory_length)) return NULL;
    const char *rest = path + directory_length;
    if (*rest == '/') rest++;
    else if (*rest) return NULL;
    return strlen(rest) < NAME_BYTES ? rest : NULL;
}

static struct open_file *known(int descriptor) {
    if (!control || descriptor < 0 || descriptor >= DESCRIPTORS) return NULL;
    return files[descriptor].known ? &files[descriptor] : NULL;
}

/* --------------------------------------------------------------------- the log and the faults */

static void tell(int told, int file, const char *name, const void *content, size_t bytes,
                 int64_t offset) {
    if (journal < 0) return;
    struct header header = {told, file, strlen(name), bytes, offset};
    struct iovec parts[] = {
        {&header, sizeof header}, {(void *)name, header.name}, {(void *)content, bytes},
    };
    if (writev(journal, parts, 3) < 0) abort();
}

/* Counts the call; what shall happen to it. One that hangs does so in here. */
static enum action next(enum call call, enum file file) {
    __atomic_add_fetch(&control->calls[call][file], 1, __ATOMIC_SEQ_CST);
    if (control->action == NONE || control->call != call || control->file != file) return NONE;
    int64_t seen = __atomic_add_fetch(&control->seen, 1, __ATOMIC_SEQ_CST);
    if (seen < control->first || seen > control->last) return NONE;
    enum action action = control->action;
    int64_t hits = __atomic_add_fetch(&control->hits, 1, __ATOMIC_SEQ_CST);
    if (action == SHORT_FULL) return hits == 1 ? SHORT : FAIL_FULL;
    if (action != HANG) return action;
    while (!__atomic_load_n(&control->released, __ATOMIC_SEQ_CST)) usleep(2000);
    return NONE;
}

/* -1 with errno where the call fails as a whole. */
static int failed(enum action action) {
    if (action == NONE || action == SHORT || action == TORN) return 0;
    errno = action == FAIL_FULL ? ENOSPC : EIO;
    return -1;
}

/* -------------------------------------------------------------------------- opening, closing */

static int opened(const char *path, int flags, mode_t mode) {
    const char *name = below(path);
    if (!name) return real_open_file(path, flags, mode);
    enum file file = kind(name);
    if (failed(next(OPEN, file))) return -1;
    pthread_mutex_lock(&turn);
    int made = (flags & O_CREAT) && access(path, F_OK);
    int descriptor = real_open_file(path, flags, mode);
    int error = errno;
    if (descriptor >= 0 && descriptor < DESCRIPTORS) {
        struct stat found;
        int is_directory = !fstat(descriptor, &found) && S_ISDIR(found.st_mode);
        files[descriptor].file = is_directory ? DIRECTORY : file;
        strcpy(files[descriptor].name, name);
        files[descriptor].known = 1;
        if (made) tell(CREATED, file, name, "", 0, 0);
        if (flags & O_TRUNC) tell(TRUNCATE, file, name, "", 0, 0);
    }
    pthread_mutex_unlock(&turn);
    errno = error;
    return descriptor;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) { MODE(flags); return opened(path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags); return opened(path, flags, mode); }

int openat64(int base, const char *path, int flags, ...) {
    MODE(flags);
    if (below(path)) return opened(path, flags, mode);
    REAL(int, openat64, int, const char *, int, ...);
    return real_openat64(base, path, flags, mode);
}

int close(int descriptor) {
    REAL(int, close, int);
    if (descriptor >= 0 && descriptor < DESCRIPTORS) files[descriptor].known = 0;
    return real_close(descriptor);
}

/* ------------------------------------------------------------------------ reading, writing */

#define READING(call, bytes) \
    struct open_file *file = known(descriptor); \
    if (!file) return call(bytes); \
    enum action action = next(READ, file->file); \
    if (failed(action)) return -1; \
    return call(action == SHORT && (bytes) > 1 ? (bytes) / 2 : (bytes))

ssize_t read(int descriptor, void *into, size_t bytes) {
    REAL(ssize_t, read, int, void *, size_t);
#define CALL(n) real_read(descriptor, into, n)
    READING(CALL, bytes);
#undef CALL
}

ssize_t pread64(int descriptor, void *into, size_t bytes, off64_t offset) {
    REAL(ssize_t, pread64, int, void *, size_t, off64_t);
#define CALL(n) real_pread64(descriptor, into, n, offset)
    READING(CALL, bytes);
#undef CALL
}

ssize_t pread(int descriptor, void *into, size_t bytes, off_t offset) {
    return pread64(descriptor, into, bytes, offset);
}

/* At offset -1 where the file is. */
static ssize_t written(int descriptor, const void *from, size_t bytes, off64_t offset) {
    REAL(ssize_t, write, int, const void *, size_t);
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    struct open_file *file = known(descriptor);
    enum action action = file ? next(WRITE, file->file) : NONE;
    if (failed(action)) return -1;
    if (action != NONE && bytes > 1) bytes /= 2;
    if (!file)
        return offset < 0 ? real_write(descriptor, from, bytes)
                          : real_pwrite64(descriptor, from, bytes, offset);
    pthread_mutex_lock(&turn);
    off64_t at = offset < 0 ? lseek64(descriptor, 0, SEEK_CUR) : offset;
    ssize_t done = offset < 0 ? real_write(descriptor, from, bytes)
                              : real_pwrite64(descriptor, from, bytes, offset);
    int error = errno;
    if (done > 0) tell(WRITE, file->file, file->name, from, done, at);
    pthread_mutex_unlock(&turn);
    errno = action == TORN ? EIO : error;
    return action == TORN ? -1 : done;
}

ssize_t write(int descriptor, const void *from, size_t bytes) {
    return written(descriptor, from, bytes, -1);
}
ssize_t pwrite64(int descriptor, const void *from, size_t bytes, off64_t offset) {
    return written(descriptor, from, bytes, offset);
}
ssize_t pwrite(int descriptor, const void *from, size_t bytes, off_t offset) {
    return written(descriptor, from, bytes, offset);
}

static int synced(int descriptor, int (*real)(int)) {
    struct open_file *file = known(descriptor);
    if (!file) return real(descriptor);
    int result = failed(next(SYNC, file->file));
    int error = errno;
    pthread_mutex_lock(&turn);
    if (!result) {
        result = real(descriptor);
        error = errno;
    }
    tell(result ? SYNC_FAILED : SYNC, file->file, file->name, "", 0, 0);
    pthread_mutex_unlock(&turn);
    errno = error;
    return result;
}

int fsync(int descriptor) {
    REAL(int, fsync, int);
    return synced(descriptor, real_fsync);
}
int fdatasync(int descriptor) {
    REAL(int, fdatasync, int);
    return synced(descriptor, real_fdatasync);
}

int ftruncate64(int descriptor, off64_t size) {
    REAL(int, ftruncate64, int, off64_t);
    struct open_file *file = known(descriptor);
    if (!file) return real_ftruncate64(descriptor, size);
    if (failed(next(TRUNCATE, file->file))) return -1;
    pthread_mutex_lock(&turn);
    int result = real_ftruncate64(descriptor, size);
    int error = errno;
    if (!result) tell(TRUNCATE, file->file, file->name, "", 0, size);
    pthread_mutex_unlock(&turn);
    errno = error;
    return result;
}
int ftruncate(int descriptor, off_t size) { return ftruncate64(descriptor, size); }

/* ------------------------------------------------------------------------------------ names */

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    const char *name = below(path);
    if (!name) return real_unlink(path);
    if (failed(next(UNLINK, kind(name)))) return -1;
    pthread_mutex_lock(&turn);
    int result = real_unlink(path);
    int error = errno;
    if (!result) tell(UNLINK, kind(name), name, "", 0, 0);
    pthread_mutex_unlock(&turn);
    errno = error;
    return result;
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    const char *old = below(from), *new = below(to);
    if (!old || !new) return real_rename(from, to);
    if (failed(next(RENAME, kind(old)))) return -1;
    pthread_mutex_lock(&turn);
    int result = real_rename(from, to);
    int error = errno;
    if (!result) tell(RENAME, kind(old), old, new, strlen(new), 0);
    pthread_mutex_unlock(&turn);
    errno = error;
    return result;
}

/* ------------------------------------------------------- shared memory, locks and the network */

void *mmap64(void *where, size_t bytes, int protection, int flags, int descriptor, off64_t offset) {
    REAL(void *, mmap64, void *, size_t, int, int, int, off64_t);
    struct open_file *file = known(descriptor);
    if (file && failed(next(MAP, file->file))) return MAP_FAILED;
    return real_mmap64(where, bytes, protection, flags, descriptor, offset);
}

static int controlled(int descriptor, int command, void *argument) {
    REAL(int, fcntl64, int, int, ...);
    struct open_file *file = command == F_SETLK ? known(descriptor) : NULL;
    if (file && failed(next(LOCK, file->file))) return -1;
    return real_fcntl64(descriptor, command, argument);
}

#define ARGUMENT(command) \
    va_list rest; \
    va_start(rest, command); \
    void *argument = va_arg(rest, void *); \
    va_end(rest)

int fcntl(int descriptor, int command, ...) {
    ARGUMENT(command);
    return controlled(descriptor, command, argument);
}
int fcntl64(int descriptor, int command, ...) {
    ARGUMENT(command);
    return controlled(descriptor, command, argument);
}

ssize_t send(int descriptor, const void *from, size_t bytes, int flags) {
    REAL(ssize_t, send, int, const void *, size_t, int);
    if (!control || journal < 0) return real_send(descriptor, from, bytes, flags);
    pthread_mutex_lock(&turn);
    /* Told before it is done: nobody can have heard of it any earlier than the log has. */
    tell(SENT, OTHER, "", from, bytes, 0);
    ssize_t done = real_send(descriptor, from, bytes, flags);
    int error = errno;
    pthread_mutex_unlock(&turn);
    errno = error;
    return done;
}
