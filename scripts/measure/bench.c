/* The parts of scripts/bench where microseconds count: the child, the floor, and who kills
 * and watches. The floor is the least that any supervisor must do: start, wait, start again.
 *
 * Children. Called "run" they take their arguments from $BENCH, so that a link to this
 * program is a whole run script. They end after LIFE seconds, whatever happens.
 *   bench beacon FIFO              says when its main() runs, then waits to be killed
 *   bench flash FIFO               says so, and exits 1 at once
 *   bench detach FIFO PIDFILE      leaves a beacon behind, as monit wants it
 *   bench chatter FIFO MB          waits a moment, writes so much to its output, says how long it took
 * Supervisors
 *   bench floor N COMMAND...       keeps N of them running, and nothing else
 *   bench drain                    the least that a logger must do: reads
 *   bench no-pidfd COMMAND...      runs it as on a kernel without pidfd
 *   bench guard COMMAND...         runs it, and ends every process that it leaves behind
 * Measures. DIR holds the FIFO "said" and "pids", those of the beacons that live.
 *   bench boot DIR N COMMAND...    from exec until all N have said so: microseconds
 *   bench kills DIR COUNT PACE     one in PACE microseconds, as many as fit into KILLS_SECS; from kill to the successor's main()
 *   bench mass DIR COUNT           so many at once; until the last successor's main()
 *   bench count DIR SECS           how many have said so in that time
 *   bench http PORT SECS           how many requests for /health were answered in that time
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIFE = 900, PATIENCE_MS = 60000, KILLS_SECS = 15, LATE = 3 };

/* One write to a FIFO, and small enough to stay in one piece. */
struct said { pid_t pid; struct timespec at; };

static struct timespec now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at;
}

static double micros(struct timespec from, struct timespec to)
{
    return (to.tv_sec - from.tv_sec) * 1e6 + (to.tv_nsec - from.tv_nsec) / 1e3;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- children ---- */

static void say(const char *fifo, struct timespec at)
{
    struct said said = { getpid(), at };
    int out = open(fifo, O_WRONLY | O_CLOEXEC);
    if (write(out, &said, sizeof said) != sizeof said) die(fifo);
    close(out);
}

static int beacon(const char *fifo, struct timespec started)
{
    alarm(LIFE);
    say(fifo, started);
    while (pause() < 0);
    return 0;
}

static int detach(char *self, char *fifo, const char *pidfile)
{
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        execl(self, self, "beacon", fifo, NULL);
        _exit(127);
    }
    FILE *file = fopen(pidfile, "w");
    if (!file) die(pidfile);
    fprintf(file, "%d\n", pid);
    return fclose(file);
}

static int chatter(const char *fifo, int megabytes)
{
    enum { LINE = 100, LINES = 40 };
    char lines[LINE * LINES];
    alarm(LIFE);
    memset(lines, 'x', sizeof lines);
    for (int i = 1; i <= LINES; i++) lines[i * LINE - 1] = '\n';
    usleep(300000); /* Being started is not what is measured. */
    struct timespec began = now();
    for (long left = megabytes * 1000000L; left > 0; left -= sizeof lines)
        for (size_t at = 0; at < sizeof lines;) {
            ssize_t put = write(1, lines + at, sizeof lines - at);
            if (put <= 0) die("output");
            at += put;
        }
    struct timespec took = now();
    took.tv_sec -= began.tv_sec;
    took.tv_nsec -= began.tv_nsec;
    say(fifo, took);
    while (pause() < 0);
    return 0;
}

/* ---- supervisors ---- */

static void start(posix_spawnattr_t *how, char **command)
{
    pid_t pid;
    posix_spawn(&pid, command[0], NULL, how, command, environ);
}

static int keep(int count, char **command)
{
    posix_spawnattr_t how;
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSID);
    while (count--) start(&how, command);
    for (int status; wait(&status) > 0;) start(&how, command);
    return 0;
}

static int drain(void)
{
    static char bytes[65536];
    while (read(0, bytes, sizeof bytes) > 0);
    return 0;
}

static int without_pidfd(char **command)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_pidfd_open, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_pidfd_send_signal, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof *filter, filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        die("seccomp");
    execv(command[0], command);
    die(command[0]);
    return 1;
}

/* Kills our own children, which by now are all that is left: the orphans of the killed
 * come to us, and are killed in the next turn. */
static void end_all(void)
{
    for (int rounds = 0; rounds < 10000; rounds++) {
        DIR *proc = opendir("/proc");
        for (struct dirent *entry; (entry = readdir(proc));) {
            char path[64], text[512], *after;
            pid_t pid = atoi(entry->d_name);
            if (pid <= 0) continue;
            snprintf(path, sizeof path, "/proc/%d/stat", pid);
            FILE *file = fopen(path, "r");
            if (!file) continue;
            size_t length = fread(text, 1, sizeof text - 1, file);
            fclose(file);
            text[length] = 0;
            after = strrchr(text, ')');
            if (after && strlen(after) > 4 && atoi(after + 4) == getpid()) kill(pid, SIGKILL);
        }
        closedir(proc);
        while (waitpid(-1, NULL, WNOHANG) > 0);
        if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD) return;
        usleep(1000);
    }
}

static volatile sig_atomic_t asked;
static void ask(int signal) { asked = signal; }

static int guard(char **command)
{
    struct sigaction action = { .sa_handler = ask };
    int signals[] = { SIGHUP, SIGINT, SIGTERM }, status = 1;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t me = getpid(), pid = fork(), ended;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != me) _exit(127);
        execvp(command[0], command);
        die(command[0]);
    }
    for (int i = 0; i < 3; i++) sigaction(signals[i], &action, NULL);
    while (!asked && (ended = waitpid(-1, &status, 0)) != pid)
        if (ended < 0 && errno != EINTR) break;
    end_all();
    if (asked) return 128 + asked;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- measures ---- */

struct stage { const char *dir; int in, count; pid_t *pids; };

static char *in(const char *dir, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", dir, name) < 0) die(name);
    return path;
}

static struct stage stage(const char *dir, int room)
{
    struct stage stage = { dir, open(in(dir, "said"), O_RDWR | O_CLOEXEC), 0, calloc(room, sizeof(pid_t)) };
    if (stage.in < 0) die(dir);
    FILE *file = fopen(in(dir, "pids"), "r");
    while (file && stage.count < room && fscanf(file, "%d", stage.pids + stage.count) == 1) stage.count++;
    if (file) fclose(file);
    return stage;
}

static void keep_pids(struct stage *stage)
{
    FILE *file = fopen(in(stage->dir, "pids"), "w");
    if (!file) die("pids");
    for (int i = 0; i < stage->count; i++) fprintf(file, "%d\n", stage->pids[i]);
    fclose(file);
}

/* The next one that speaks, or the end of our patience. */
static struct said next(struct stage *stage, struct timespec since)
{
    struct said said;
    struct pollfd ready = { stage->in, POLLIN, 0 };
    int left = PATIENCE_MS - (int)(micros(since, now()) / 1e3);
    if (left <= 0 || poll(&ready, 1, left) != 1 || read(stage->in, &said, sizeof said) != sizeof said)
        exit(LATE);
    return said;
}

/* So many that speak, looked for now and then only: two processors have better to do. */
static double last_of(struct stage *stage, int count, pid_t *pids, struct timespec since)
{
    double last = 0;
    for (int i = 0; i < count; i++) {
        struct pollfd ready = { stage->in, POLLIN, 0 };
        if (poll(&ready, 1, 0) == 0) usleep(2000);
        struct said said = next(stage, since);
        double at = micros(since, said.at);
        if (at > last) last = at;
        pids[i] = said.pid;
    }
    return last;
}

static int boot(const char *dir, int count, char **command)
{
    struct stage here = stage(dir, count);
    struct timespec began = now();
    pid_t pid = vfork();
    if (pid == 0) {
        setsid();
        dup2(2, 1); /* Our output is the answer. */
        execvp(command[0], command);
        _exit(127);
    }
    printf("%.0f\n", last_of(&here, count, here.pids, began));
    here.count = count;
    keep_pids(&here);
    return 0;
}

static int kills(const char *dir, int count, int pace)
{
    struct stage here = stage(dir, 100000);
    struct timespec first = now();
    for (int i = 0; i < count && micros(first, now()) < KILLS_SECS * 1e6; i++) {
        pid_t *victim = here.pids + i % here.count;
        usleep(pace);
        struct timespec began = now();
        kill(*victim, SIGKILL);
        struct said said = next(&here, began);
        *victim = said.pid;
        printf("%.1f\n", micros(began, said.at));
    }
    keep_pids(&here);
    return 0;
}

static int mass(const char *dir, int count)
{
    struct stage here = stage(dir, 100000);
    struct timespec began = now();
    for (int i = 0; i < count; i++) kill(here.pids[i], SIGKILL);
    printf("%.0f\n", last_of(&here, count, here.pids, began));
    keep_pids(&here);
    return 0;
}

static int heard(const char *dir, int secs)
{
    struct stage here = stage(dir, 1);
    struct said said[256];
    long count = 0;
    fcntl(here.in, F_SETFL, O_NONBLOCK);
    for (struct timespec began = now(); micros(began, now()) < secs * 1e6;) {
        ssize_t got = read(here.in, said, sizeof said);
        if (got > 0) count += got / sizeof *said;
        else usleep(2000);
    }
    printf("%ld\n", count);
    return 0;
}

static int http(int port, int secs)
{
    static const char request[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    long count = 0;
    for (struct timespec began = now(); micros(began, now()) < secs * 1e6; count++) {
        char answer[4096];
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(client, (struct sockaddr *)&to, sizeof to)) die("connect");
        if (write(client, request, sizeof request - 1) < 0) die("request");
        if (read(client, answer, sizeof answer) < 12 || memcmp(answer, "HTTP/1.1 ", 9)) die("answer");
        while (read(client, answer, sizeof answer) > 0);
        close(client);
    }
    printf("%ld\n", count);
    return 0;
}

int main(int argc, char **argv)
{
    struct timespec started = now();
    char *words[8] = { argv[0] }, **w = argv;
    if (strlen(argv[0]) >= 3 && !strcmp(argv[0] + strlen(argv[0]) - 3, "run") && getenv("BENCH")) {
        argc = 1;
        for (char *word = strtok(strdup(getenv("BENCH")), " "); word && argc < 7; word = strtok(NULL, " "))
            words[argc++] = word;
        w = words;
    }
    const char *mode = argc > 1 ? w[1] : "";
#define IS(name, least) (!strcmp(mode, name) && argc >= 2 + (least))
    if (IS("beacon", 1)) return beacon(w[2], started);
    if (IS("flash", 1)) { say(w[2], started); return 1; }
    if (IS("detach", 2)) return detach(w[0], w[2], w[3]);
    if (IS("chatter", 2)) return chatter(w[2], atoi(w[3]));
    if (IS("floor", 2)) return keep(atoi(w[2]), w + 3);
    if (IS("drain", 0)) return drain();
    if (IS("no-pidfd", 1)) return without_pidfd(w + 2);
    if (IS("guard", 1)) return guard(w + 2);
    if (IS("boot", 3)) return boot(w[2], atoi(w[3]), w + 4);
    if (IS("kills", 3)) return kills(w[2], atoi(w[3]), atoi(w[4]));
    if (IS("mass", 2)) return mass(w[2], atoi(w[3]));
    if (IS("count", 2)) return heard(w[2], atoi(w[3]));
    if (IS("http", 2)) return http(atoi(w[2]), atoi(w[3]));
    fprintf(stderr, "see the top of bench.c\n");
    return 2;
}
