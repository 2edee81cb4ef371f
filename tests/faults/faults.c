/*
 * An LD_PRELOAD library that makes the disk of one process fail, and models what a power cut would leave.
 *
 * It replaces the libc calls that SQLite and Rust's standard library make on files (open, read, write, fsync, ftruncate,
 * unlink, rename, mmap). Calls on files outside the folder FAULTS_DATA pass through untouched. Each call on a file inside is
 * matched against the rules in FAULTS_STATE/rules; a rule makes it fail, come up short or wait. docs/faults.md describes
 * the rules and the model; tests/faults/disk.py reads what this library leaves in FAULTS_STATE.
 *
 * The model of durability, for every file but -shm and .lock:
 *
 *   shadow/NAME  what the disk holds: the content as of the last successful fsync, page by page
 *   pages/NAME   one byte a page: 0 as on disk, 1 written since (dirty), 2 lost (a writeback failed and dropped it)
 *   fresh/NAME   there while neither the file nor its folder was synced since the file was made
 *   gone/NAME    the shadow of a file that was unlinked since its folder was last synced
 *
 * As Linux does it: a failed writeback marks dirty pages clean, so that a later fsync does not write them again, although
 * reads still see them until they are evicted. The error is reported once by the next fsync of every descriptor that was open
 * at that time. No real fsync is made: a process that is killed leaves its pages in the page cache.
 *
 * Descriptors of files with POSIX locks (SQLite's) are never opened or closed here: closing one would drop every lock that the
 * process holds on that file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define MAX_PAGES (1 << 18) /* 1 GiB a file */
#define MAX_FDS 65536
#define MAX_FILES 1024
#define MAX_RULES 64

enum op { OPEN, READ, WRITE, SYNC, TRUNC, UNLINK, RENAME, MMAP, OPS };
static const char *const OP_NAMES[OPS] = {"open", "read", "write", "sync", "trunc", "unlink", "rename", "mmap"};
enum class { DB, WAL, JOURNAL, SHM, LOCK, DIRECTORY, OTHER, CLASSES };
static const char *const CLASS_NAMES[CLASSES] = {"db", "wal", "journal", "shm", "lock", "dir", "other"};
enum action { NONE, FAIL, SHORT, DELAY, DROP, WRITEBACK };
static const char *const ACTION_NAMES[] = {"none", "fail", "short", "delay", "drop", "writeback"};
enum page_state { CLEAN, DIRTY, LOST };

/* A rule of the schedule. */
struct rule {
    int op, class; /* -1: any */
    enum action action;
    int error;          /* errno of FAIL and DROP */
    long after, count;  /* calls to leave alone first; calls to hit (0: no limit) */
    long for_ms;        /* from the first hit on (0: no limit) */
    long ms;            /* how long DELAY waits */
    double probability;
    int evict;          /* DROP, WRITEBACK: the lost pages read as on disk at once */
    long seen, hits, first_ms;
};

/* A file that is or was open. */
struct file {
    char path[PATH_MAX]; /* empty once it was unlinked or replaced */
    char name[NAME_MAX]; /* in FAULTS_STATE */
    enum class class;
    int shadow;      /* descriptor, -1 if durability is not modelled */
    uint8_t *pages;  /* page states, mapped */
    unsigned errors; /* failed writebacks so far */
    int reported;    /* somebody was told of the last one */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char data[PATH_MAX], state[PATH_MAX];
static size_t data_length;
static int active;
static volatile uint32_t *control;
static uint32_t generation = UINT32_MAX;
static struct rule rules[MAX_RULES];
static int rule_count;
static struct file *files[MAX_FILES];
static int file_count;
static struct { struct file *file; unsigned seen; int append; } table[MAX_FDS];
static uint64_t random_state;

/* The system calls themselves. */
static int sys_open(const char *path, int flags, mode_t mode) { return syscall(SYS_openat, AT_FDCWD, path, flags, mode); }
static ssize_t sys_pread(int fd, void *to, size_t n, off_t at) { return syscall(SYS_pread64, fd, to, n, at); }
static ssize_t sys_pwrite(int fd, const void *from, size_t n, off_t at) { return syscall(SYS_pwrite64, fd, from, n, at); }
static int sys_close(int fd) { return syscall(SYS_close, fd); }

static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static double next_fraction(void) { return (next_random() >> 11) * (1.0 / 9007199254740992.0); }

static long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void in_state(char *to, const char *folder, const char *name) {
    snprintf(to, PATH_MAX, "%s/%s/%s", state, folder, name);
}

/* Says in FAULTS_STATE/injected what was done to whom. */
static void note(const struct rule *rule, int op, const struct file *file, enum class class) {
    char path[PATH_MAX], line[256];
    snprintf(path, sizeof path, "%s/injected", state);
    int length = snprintf(line, sizeof line, "%s %s %s %d %s\n", OP_NAMES[op], CLASS_NAMES[class],
                          ACTION_NAMES[rule->action], rule->error, file ? file->name : "-");
    int fd = sys_open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd >= 0) {
        if (write(fd, line, length) < 0) { /* nothing to be done about it */ }
        sys_close(fd);
    }
}

static int index_of(const char *word, const char *const *names, int count) {
    for (int i = 0; i < count; i++)
        if (!strcmp(word, names[i])) return i;
    return -1;
}

/* Reads the rules: a line each, `OP FILE ACTION [key=value …]`. */
static void read_rules(void) {
    char path[PATH_MAX], text[16384];
    snprintf(path, sizeof path, "%s/rules", state);
    rule_count = 0;
    int fd = sys_open(path, O_RDONLY, 0);
    if (fd < 0) return;
    ssize_t length = syscall(SYS_read, fd, text, sizeof text - 1);
    sys_close(fd);
    if (length < 0) return;
    text[length] = 0;
    char *rest_lines, *rest;
    for (char *line = strtok_r(text, "\n", &rest_lines); line && rule_count < MAX_RULES;
         line = strtok_r(NULL, "\n", &rest_lines)) {
        struct rule rule = {.error = EIO, .probability = 1.0};
        char *word = strtok_r(line, " ", &rest);
        char *class = word ? strtok_r(NULL, " ", &rest) : NULL;
        char *action = class ? strtok_r(NULL, " ", &rest) : NULL;
        if (!action) continue;
        rule.op = index_of(word, OP_NAMES, OPS);
        rule.class = index_of(class, CLASS_NAMES, CLASSES);
        rule.action = index_of(action, ACTION_NAMES, sizeof ACTION_NAMES / sizeof *ACTION_NAMES);
        for (word = strtok_r(NULL, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
            char *value = strchr(word, '=');
            if (!value) continue;
            *value++ = 0;
            if (!strcmp(word, "error")) rule.error = atoi(value);
            else if (!strcmp(word, "after")) rule.after = atol(value);
            else if (!strcmp(word, "count")) rule.count = atol(value);
            else if (!strcmp(word, "for_ms")) rule.for_ms = atol(value);
            else if (!strcmp(word, "ms")) rule.ms = atol(value);
            else if (!strcmp(word, "probability")) rule.probability = atof(value);
            else if (!strcmp(word, "evict")) rule.evict = atoi(value);
        }
        rules[rule_count++] = rule;
    }
}

/* The rule that decides about this call, or none; waits, without the mutex, where a rule says so. Called with the mutex. */
static struct rule *decide(int op, struct file *file, enum class class) {
    if (control && *control != generation) {
        generation = *control;
        read_rules();
    }
    long wait = 0;
    struct rule *chosen = NULL;
    for (int i = 0; i < rule_count && !chosen; i++) {
        struct rule *rule = &rules[i];
        if ((rule->op != -1 && rule->op != op) || (rule->class != -1 && rule->class != (int)class)) continue;
        if (++rule->seen <= rule->after || (rule->count && rule->hits >= rule->count)) continue;
        if (rule->for_ms && rule->hits && now_ms() - rule->first_ms > rule->for_ms) continue;
        if (rule->probability < 1.0 && next_fraction() >= rule->probability) continue;
        if (!rule->hits++) rule->first_ms = now_ms();
        note(rule, op, file, class);
        if (rule->action == DELAY) wait += rule->ms;
        else chosen = rule;
    }
    if (wait) {
        struct rule copy;
        static __thread struct rule kept;
        if (chosen) copy = *chosen;
        pthread_mutex_unlock(&mutex);
        struct timespec pause = {wait / 1000, wait % 1000 * 1000000};
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&mutex);
        if (chosen) {
            kept = copy;
            chosen = &kept;
        }
    }
    return chosen;
}

__attribute__((constructor)) static void start(void) {
    const char *folder = getenv("FAULTS_DATA"), *own = getenv("FAULTS_STATE"), *seed = getenv("FAULTS_SEED");
    if (!folder || !own || !realpath(folder, data) || !realpath(own, state)) return;
    data_length = strlen(data);
    random_state = (seed ? strtoull(seed, NULL, 10) : 1) * 0x9E3779B97F4A7C15ull | 1;
    char path[PATH_MAX];
    static const char *const folders[] = {"shadow", "pages", "fresh", "gone"};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", state, folders[i]);
        mkdir(path, 0700);
    }
    snprintf(path, sizeof path, "%s/control", state);
    int fd = sys_open(path, O_RDWR | O_CREAT, 0600);
    if (fd >= 0 && !syscall(SYS_ftruncate, fd, sizeof *control)) {
        void *mapped = (void *)syscall(SYS_mmap, NULL, sizeof *control, PROT_READ, MAP_SHARED, fd, 0);
        if (mapped != MAP_FAILED) control = mapped;
    }
    if (fd >= 0) sys_close(fd);
    active = 1;
}

static enum class class_of(const char *path) {
    size_t n = strlen(path);
#define ENDS(suffix) (n >= sizeof suffix - 1 && !strcmp(path + n - sizeof suffix + 1, suffix))
    if (ENDS("-wal")) return WAL;
    if (ENDS("-shm")) return SHM;
    if (ENDS("-journal")) return JOURNAL;
    if (ENDS(".lock")) return LOCK;
    if (ENDS(".db")) return DB;
    return strlen(path) == data_length ? DIRECTORY : OTHER;
#undef ENDS
}

/* Whether a path lies in the data folder; `full` gets it without a relative beginning. */
static int inside(int folder, const char *path, char *full) {
    if (!active || !path) return 0;
    if (path[0] == '/') {
        snprintf(full, PATH_MAX, "%s", path);
    } else {
        char link[64], base[PATH_MAX];
        if (folder == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t n = readlink(link, base, sizeof base - 1);
        if (n < 0) return 0;
        base[n] = 0;
        if (snprintf(full, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return 0;
    }
    return !strncmp(full, data, data_length) && (full[data_length] == 0 || full[data_length] == '/');
}

static void name_of(char *name, const char *full) {
    const char *rest = full + data_length + (full[data_length] == '/');
    size_t i = 0;
    for (; rest[i] && i < NAME_MAX - 1; i++) name[i] = rest[i] == '/' ? '%' : rest[i];
    name[i] = 0;
}

static off_t size_of(int fd) {
    struct stat found;
    return fstat(fd, &found) ? 0 : found.st_size;
}

static int modelled(enum class class) { return class == DB || class == WAL || class == JOURNAL || class == OTHER; }

/* Begins the model of a file: what it holds when it is first opened is on disk already, unless `made` says it was not there. */
static void begin_model(struct file *file, int fd, int made) {
    char path[PATH_MAX];
    in_state(path, "pages", file->name);
    int pages = sys_open(path, O_RDWR | O_CREAT, 0600);
    in_state(path, "shadow", file->name);
    int known = !access(path, F_OK);
    int shadow = sys_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (pages < 0 || shadow < 0 || syscall(SYS_ftruncate, pages, MAX_PAGES)) return;
    void *mapped = (void *)syscall(SYS_mmap, NULL, MAX_PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, pages, 0);
    sys_close(pages);
    if (mapped == MAP_FAILED) return;
    file->pages = mapped;
    file->shadow = shadow;
    if (known && !made) return; /* a process before this one was killed; its model goes on */
    memset(file->pages, 0, MAX_PAGES);
    if (syscall(SYS_ftruncate, shadow, 0)) return;
    if (made) {
        in_state(path, "fresh", file->name);
        int mark = sys_open(path, O_WRONLY | O_CREAT, 0600);
        if (mark >= 0) sys_close(mark);
        return;
    }
    char block[16 * PAGE];
    off_t at = 0;
    for (ssize_t n; (n = sys_pread(fd, block, sizeof block, at)) > 0; at += n)
        if (sys_pwrite(shadow, block, n, at) != n) break;
}

static struct file *file_at(const char *full) {
    for (int i = 0; i < file_count; i++)
        if (!strcmp(files[i]->path, full)) return files[i];
    return NULL;
}

static void opened(int fd, const char *full, int flags, int made) {
    if (fd < 0 || fd >= MAX_FDS) return;
    struct file *file = file_at(full);
    if (!file && file_count < MAX_FILES && (file = calloc(1, sizeof *file))) {
        snprintf(file->path, sizeof file->path, "%s", full);
        name_of(file->name, full);
        file->class = class_of(full);
        struct stat found;
        if (!fstat(fd, &found) && S_ISDIR(found.st_mode)) file->class = DIRECTORY;
        file->shadow = -1;
        if (modelled(file->class) && (flags & O_ACCMODE) == O_RDWR) begin_model(file, fd, made);
        else if (modelled(file->class) && made) begin_model(file, fd, made);
        files[file_count++] = file;
    } else if (file && file->shadow < 0 && modelled(file->class) && (flags & O_ACCMODE) == O_RDWR) {
        begin_model(file, fd, made);
    }
    if (!file) return;
    table[fd].file = file;
    table[fd].append = !!(flags & O_APPEND);
    table[fd].seen = file->reported || !file->errors ? file->errors : file->errors - 1;
}

static int open_hooked(int folder, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    if (!inside(folder, path, full)) return syscall(SYS_openat, folder, path, flags, mode);
    pthread_mutex_lock(&mutex);
    struct rule *rule = decide(OPEN, file_at(full), class_of(full));
    int fd;
    if (rule && rule->action == FAIL) {
        errno = rule->error;
        fd = -1;
    } else {
        int made = (flags & O_CREAT) && access(full, F_OK);
        fd = syscall(SYS_openat, folder, path, flags, mode);
        int saved = errno;
        if (fd >= 0) opened(fd, full, flags, made);
        errno = saved;
    }
    pthread_mutex_unlock(&mutex);
    return fd;
}

#define MODE(flags)                                       \
    mode_t mode = 0;                                      \
    if ((flags) & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) { \
        va_list more;                                     \
        va_start(more, flags);                            \
        mode = va_arg(more, mode_t);                      \
        va_end(more);                                     \
    }

int open(const char *path, int flags, ...) { MODE(flags) return open_hooked(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_hooked(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return open_hooked(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return open_hooked(at, path, flags, mode); }

static struct file *tracked(int fd) { return active && fd >= 0 && fd < MAX_FDS ? table[fd].file : NULL; }

int close(int fd) {
    if (tracked(fd)) {
        pthread_mutex_lock(&mutex);
        table[fd].file = NULL;
        int done = sys_close(fd);
        pthread_mutex_unlock(&mutex);
        return done;
    }
    return sys_close(fd);
}

/* Reads. */
static int read_fails(int fd) {
    struct file *file = tracked(fd);
    if (!file) return 0;
    pthread_mutex_lock(&mutex);
    struct rule *rule = decide(READ, file, file->class);
    int fails = rule && rule->action == FAIL;
    int error = fails ? rule->error : 0;
    pthread_mutex_unlock(&mutex);
    if (fails) errno = error;
    return fails;
}
ssize_t read(int fd, void *to, size_t n) { return read_fails(fd) ? -1 : syscall(SYS_read, fd, to, n); }
ssize_t pread(int fd, void *to, size_t n, off_t at) { return read_fails(fd) ? -1 : sys_pread(fd, to, n, at); }
ssize_t pread64(int fd, void *to, size_t n, off64_t at) { return read_fails(fd) ? -1 : sys_pread(fd, to, n, at); }

/* Marks pages from byte `from` to byte `to` as written. */
static void mark(struct file *file, off_t from, off_t to) {
    if (!file->pages || to <= from) return;
    size_t last = (to - 1) / PAGE;
    if (last >= MAX_PAGES) last = MAX_PAGES - 1;
    for (size_t page = from / PAGE; page <= last; page++) file->pages[page] = DIRTY;
}

/* The dirty pages are written back and the device answers with an error: by chance each was written, or is lost. */
static void writeback_fails(int fd, struct file *file, int evict) {
    if (!file->pages) return;
    char page[PAGE];
    off_t end = size_of(fd), durable = size_of(file->shadow);
    for (size_t i = 0; i < MAX_PAGES && (off_t)i * PAGE < end; i++) {
        if (file->pages[i] != DIRTY) continue;
        off_t at = (off_t)i * PAGE;
        size_t length = end - at < PAGE ? (size_t)(end - at) : PAGE;
        if (next_random() >> 63) {
            /* A page beyond the durable size is reached only once the size is. */
            if (at >= durable) continue;
            ssize_t n = sys_pread(fd, page, length, at);
            if (n > 0 && sys_pwrite(file->shadow, page, n, at) == n) file->pages[i] = CLEAN;
            continue;
        }
        file->pages[i] = LOST;
        if (evict) {
            memset(page, 0, sizeof page);
            sys_pread(file->shadow, page, length, at);
            if (sys_pwrite(fd, page, length, at) < 0) { /* it reads as it did */ }
        }
    }
    file->errors++;
    file->reported = 0;
}

static ssize_t write_hooked(int fd, const void *from, size_t n, off_t at) {
    struct file *file = tracked(fd);
    if (!file) return at < 0 ? syscall(SYS_write, fd, from, n) : sys_pwrite(fd, from, n, at);
    pthread_mutex_lock(&mutex);
    struct rule *rule = decide(WRITE, file, file->class);
    ssize_t written = -1;
    int saved = 0;
    if (rule && rule->action == FAIL) {
        saved = rule->error;
    } else {
        if (rule && rule->action == SHORT && n > 1) n = 1 + next_random() % (n - 1);
        off_t begin = at >= 0 ? at : table[fd].append ? size_of(fd) : syscall(SYS_lseek, fd, 0, SEEK_CUR);
        off_t before = size_of(fd);
        written = at < 0 ? syscall(SYS_write, fd, from, n) : sys_pwrite(fd, from, n, at);
        saved = errno;
        if (written > 0) mark(file, begin > before ? before : begin, begin + written);
        if (rule && rule->action == WRITEBACK) writeback_fails(fd, file, rule->evict);
    }
    pthread_mutex_unlock(&mutex);
    errno = saved;
    return written;
}
ssize_t write(int fd, const void *from, size_t n) { return write_hooked(fd, from, n, -1); }
ssize_t pwrite(int fd, const void *from, size_t n, off_t at) { return write_hooked(fd, from, n, at); }
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at) { return write_hooked(fd, from, n, at); }

static ssize_t writev_hooked(int fd, const struct iovec *parts, int count, off_t at) {
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        ssize_t n = write_hooked(fd, parts[i].iov_base, parts[i].iov_len, at < 0 ? -1 : at + total);
        if (n < 0) return total ? total : -1;
        total += n;
        if ((size_t)n < parts[i].iov_len) break;
    }
    return total;
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    return tracked(fd) ? writev_hooked(fd, parts, count, -1) : syscall(SYS_writev, fd, parts, count);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    return tracked(fd) ? writev_hooked(fd, parts, count, at) : syscall(SYS_pwritev, fd, parts, count, at, 0);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return pwritev(fd, parts, count, at); }

/* Copies inside the kernel would pass the model by; without them callers copy with reads and writes. */
ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags) {
    if (tracked(in) || tracked(out)) {
        errno = EXDEV;
        return -1;
    }
    return syscall(SYS_copy_file_range, in, in_at, out, out_at, n, flags);
}
static ssize_t sendfile_hooked(int out, int in, off_t *at, size_t n) {
    if (tracked(in) || tracked(out)) {
        errno = EINVAL;
        return -1;
    }
    return syscall(SYS_sendfile, out, in, at, n);
}
ssize_t sendfile(int out, int in, off_t *at, size_t n) { return sendfile_hooked(out, in, at, n); }
ssize_t sendfile64(int out, int in, off64_t *at, size_t n) { return sendfile_hooked(out, in, at, n); }

static void forget(const char *folder, const char *name) {
    char path[PATH_MAX];
    in_state(path, folder, name);
    syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* A folder was synced: names made or removed in it are on disk. */
static void sync_folder(void) {
    for (int i = 0; i < file_count; i++)
        if (files[i]->path[0]) forget("fresh", files[i]->name);
    for (int i = 0; i < file_count; i++) forget("gone", files[i]->name);
}

static void sync_file(int fd, struct file *file) {
    if (!file->pages) return;
    char page[PAGE];
    off_t end = size_of(fd);
    int from = fd, own = -1;
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY && file->path[0])
        from = own = sys_open(file->path, O_RDONLY | O_CLOEXEC, 0);
    /* What was cut off and written anew is dirty, so the rest of the old content goes first. */
    if (size_of(file->shadow) > end && syscall(SYS_ftruncate, file->shadow, end)) return;
    for (size_t i = 0; i < MAX_PAGES && (off_t)i * PAGE < end; i++) {
        if (file->pages[i] != DIRTY) continue;
        off_t at = (off_t)i * PAGE;
        ssize_t n = sys_pread(from, page, end - at < PAGE ? (size_t)(end - at) : PAGE, at);
        if (n > 0 && sys_pwrite(file->shadow, page, n, at) == n) file->pages[i] = CLEAN;
    }
    if (own >= 0) sys_close(own);
    if (syscall(SYS_ftruncate, file->shadow, end)) return;
    forget("fresh", file->name);
}

static int sync_hooked(int fd, long number) {
    struct file *file = tracked(fd);
    if (!file) return syscall(number, fd);
    pthread_mutex_lock(&mutex);
    struct rule *rule = decide(SYNC, file, file->class);
    int error = 0;
    if (rule && rule->action == FAIL) {
        error = rule->error;
    } else {
        if (rule && (rule->action == DROP || rule->action == WRITEBACK)) writeback_fails(fd, file, rule->evict);
        if (table[fd].seen != file->errors) {
            table[fd].seen = file->errors;
            file->reported = 1;
            error = rule && rule->action == DROP ? rule->error : EIO;
        } else if (file->class == DIRECTORY) {
            sync_folder();
        } else {
            sync_file(fd, file);
        }
    }
    pthread_mutex_unlock(&mutex);
    if (error) errno = error;
    return error ? -1 : 0;
}
int fsync(int fd) { return sync_hooked(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_hooked(fd, SYS_fdatasync); }

static int truncate_hooked(int fd, off_t size) {
    struct file *file = tracked(fd);
    if (!file) return syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&mutex);
    struct rule *rule = decide(TRUNC, file, file->class);
    int done = -1, saved;
    if (rule && rule->action == FAIL) {
        saved = rule->error;
    } else {
        off_t before = size_of(fd);
        done = syscall(SYS_ftruncate, fd, size);
        saved = errno;
        /* Behind the new end nothing is as on disk, nor will be when the file grows again. */
        if (!done && file->shadow >= 0) {
            off_t durable = size_of(file->shadow), end = before > durable ? before : durable;
            mark(file, size < before ? size : before, size > end ? size : end);
        }
    }
    pthread_mutex_unlock(&mutex);
    errno = saved;
    return done;
}
int ftruncate(int fd, off_t size) { return truncate_hooked(fd, size); }
int ftruncate64(int fd, off64_t size) { return truncate_hooked(fd, size); }

static int fallocate_hooked(int fd, int mode, off_t at, off_t n) {
    struct file *file = tracked(fd);
    if (!file) return syscall(SYS_fallocate, fd, mode, at, n);
    pthread_mutex_lock(&mutex);
    struct rule *rule = decide(WRITE, file, file->class);
    int done = -1, saved;
    if (rule && rule->action == FAIL) {
        saved = rule->error;
    } else {
        off_t before = size_of(fd);
        done = syscall(SYS_fallocate, fd, mode, at, n);
        saved = errno;
        if (!done) mark(file, before, size_of(fd));
    }
    pthread_mutex_unlock(&mutex);
    errno = saved;
    return done;
}
int fallocate(int fd, int mode, off_t at, off_t n) { return fallocate_hooked(fd, mode, at, n); }
int fallocate64(int fd, int mode, off64_t at, off64_t n) { return fallocate_hooked(fd, mode, at, n); }
int posix_fallocate(int fd, off_t at, off_t n) { return fallocate_hooked(fd, 0, at, n) ? errno : 0; }
int posix_fallocate64(int fd, off64_t at, off64_t n) { return fallocate_hooked(fd, 0, at, n) ? errno : 0; }

/* The file at `full` lost its name; what the disk holds of it may come back with a power cut until the folder is synced. */
static void detach(const char *full) {
    struct file *file = file_at(full);
    char from[PATH_MAX], to[PATH_MAX], name[NAME_MAX];
    name_of(name, full);
    in_state(from, "fresh", name);
    int fresh = !access(from, F_OK);
    in_state(from, "shadow", name);
    in_state(to, "gone", name);
    if (fresh) forget("shadow", name);
    else syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    forget("fresh", name);
    forget("pages", name);
    if (file) file->path[0] = 0;
}

static int unlink_hooked(int folder, const char *path, int flags) {
    char full[PATH_MAX];
    if (!inside(folder, path, full)) return syscall(SYS_unlinkat, folder, path, flags);
    pthread_mutex_lock(&mutex);
    struct rule *rule = decide(UNLINK, file_at(full), class_of(full));
    int done = -1, saved;
    if (rule && rule->action == FAIL) {
        saved = rule->error;
    } else {
        done = syscall(SYS_unlinkat, folder, path, flags);
        saved = errno;
        if (!done) detach(full);
    }
    pthread_mutex_unlock(&mutex);
    errno = saved;
    return done;
}
int unlink(const char *path) { return unlink_hooked(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char *path, int flags) { return unlink_hooked(folder, path, flags); }

static int rename_hooked(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    char from_full[PATH_MAX], to_full[PATH_MAX];
    int from_inside = inside(from_folder, from, from_full), to_inside = inside(to_folder, to, to_full);
    if (!from_inside && !to_inside) return syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    pthread_mutex_lock(&mutex);
    const char *judged = to_inside ? to_full : from_full;
    struct rule *rule = decide(RENAME, file_at(judged), class_of(judged));
    int done = -1, saved;
    if (rule && rule->action == FAIL) {
        saved = rule->error;
    } else {
        done = syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
        saved = errno;
        if (!done && to_inside) detach(to_full);
        if (!done && from_inside && to_inside) {
            char old[NAME_MAX], new[NAME_MAX], source[PATH_MAX], target[PATH_MAX];
            static const char *const folders[] = {"shadow", "pages", "fresh"};
            name_of(old, from_full);
            name_of(new, to_full);
            for (int i = 0; i < 3; i++) {
                in_state(source, folders[i], old);
                in_state(target, folders[i], new);
                syscall(SYS_renameat2, AT_FDCWD, source, AT_FDCWD, target, 0);
            }
            struct file *file = file_at(from_full);
            if (file) {
                snprintf(file->path, sizeof file->path, "%s", to_full);
                snprintf(file->name, sizeof file->name, "%s", new);
            }
        } else if (!done && from_inside) {
            detach(from_full);
        }
    }
    pthread_mutex_unlock(&mutex);
    errno = saved;
    return done;
}
int rename(const char *from, const char *to) { return rename_hooked(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return rename_hooked(a, from, b, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    return rename_hooked(a, from, b, to, flags);
}

static void *mmap_hooked(void *at, size_t n, int protection, int flags, int fd, off_t offset) {
    struct file *file = flags & MAP_ANONYMOUS ? NULL : tracked(fd);
    if (file) {
        pthread_mutex_lock(&mutex);
        struct rule *rule = decide(MMAP, file, file->class);
        int error = rule && rule->action == FAIL ? rule->error : 0;
        pthread_mutex_unlock(&mutex);
        if (error) {
            errno = error;
            return MAP_FAILED;
        }
    }
    return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
}
void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset) {
    return mmap_hooked(at, n, protection, flags, fd, offset);
}
void *mmap64(void *at, size_t n, int protection, int flags, int fd, off64_t offset) {
    return mmap_hooked(at, n, protection, flags, fd, offset);
}
