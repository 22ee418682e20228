/* What scripts/bench measures with: the child, the killer, and the floor, which is the
 * least that any supervisor must do: fork, exec, wait.
 *
 *   bench beacon FIFO            says when its main() runs, then waits to be killed
 *   bench floor N COMMAND...     keeps N of them running, and nothing else
 *   bench killer FIFO N ROUNDS   kills one at a time; from kill() to the successor's main()
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct said { pid_t pid; struct timespec at; };

static double micros(struct timespec a, struct timespec b)
{
    return (b.tv_sec - a.tv_sec) * 1e6 + (b.tv_nsec - a.tv_nsec) / 1e3;
}

static int beacon(const char *fifo)
{
    struct said said;
    clock_gettime(CLOCK_MONOTONIC, &said.at);
    said.pid = getpid();
    int out = open(fifo, O_WRONLY);
    if (write(out, &said, sizeof said) != sizeof said) return 1;
    close(out);
    for (;;) pause();
}

static void start(char **command)
{
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        execv(command[0], command);
        _exit(127);
    }
}

static int keep(int count, char **command)
{
    while (count--) start(command);
    for (int status; wait(&status) > 0;) start(command);
    return 0;
}

static int by_size(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

static int killer(const char *fifo, int count, int rounds)
{
    int in = open(fifo, O_RDWR);
    pid_t *pids = calloc(count, sizeof *pids);
    double *took = calloc(rounds, sizeof *took);
    struct said said;
    for (int i = 0; i < count; i++) {
        if (read(in, &said, sizeof said) != sizeof said) return 1;
        pids[i] = said.pid;
    }
    usleep(500000); /* Starting is not what we measure. */
    for (int i = 0; i < rounds; i++) {
        struct timespec killed;
        usleep(2000);
        clock_gettime(CLOCK_MONOTONIC, &killed);
        kill(pids[i % count], SIGKILL);
        if (read(in, &said, sizeof said) != sizeof said) return 1;
        pids[i % count] = said.pid;
        took[i] = micros(killed, said.at);
    }
    qsort(took, rounds, sizeof *took, by_size);
    printf("%.0f %.0f\n", took[rounds / 2], took[rounds * 99 / 100]);
    return 0;
}

int main(int argc, char **argv)
{
    alarm(120); /* Whatever happens, it ends. */
    if (argc == 3 && !strcmp(argv[1], "beacon")) return beacon(argv[2]);
    if (argc > 3 && !strcmp(argv[1], "floor")) return keep(atoi(argv[2]), argv + 3);
    if (argc == 5 && !strcmp(argv[1], "killer")) return killer(argv[2], atoi(argv[3]), atoi(argv[4]));
    fprintf(stderr, "see the top of bench.c\n");
    return 2;
}
