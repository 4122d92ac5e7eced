// What a system call costs.  Reads lines "KIND TIMES" from standard input, answers each with the nanoseconds of one.
//   getppid  does next to nothing
//   write    512 bytes that nobody reads
//   other    512 bytes over a TCP connection of our own, sent and received: two calls
//   http     the same, on a connection that began like a request to an API
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static void check(int right, const char *what)
{
    if (!right) {
        perror(what);
        exit(1);
    }
}

static void open_pair(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    check(!bind(listener, (struct sockaddr *)&address, length) && !listen(listener, 1), "listen");
    check(!getsockname(listener, (struct sockaddr *)&address, &length), "getsockname");
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    check(!connect(ends[0], (struct sockaddr *)&address, length), "connect");
    ends[1] = accept(listener, 0, 0);
    check(ends[1] >= 0, "accept");
    close(listener);
}

int main(void)
{
    static char out[512], in[512];
    char kind[16];
    long times;
    int null = open("/dev/null", O_WRONLY);
    while (scanf("%15s %ld", kind, &times) == 2) {
        int http = !strcmp(kind, "http"), sockets = http || !strcmp(kind, "other"), ends[2] = {-1, -1};
        memset(out, 'x', sizeof out);
        if (http)
            memcpy(out, "POST / HTTP/1.1\r\n", 17);
        if (sockets) {
            open_pair(ends);
            for (int i = 0; i < 8; i++) {
                check(send(ends[0], out, sizeof out, 0) == sizeof out, "send");
                check(recv(ends[1], in, sizeof in, MSG_WAITALL) == sizeof in, "recv");
                memset(out, 'x', sizeof out);
            }
        }
        double start = now_ns();
        for (long i = 0; i < times; i++) {
            if (sockets) {
                check(send(ends[0], out, sizeof out, 0) == sizeof out, "send");
                check(recv(ends[1], in, sizeof in, MSG_WAITALL) == sizeof in, "recv");
            } else if (!strcmp(kind, "write"))
                check(write(null, out, sizeof out) == sizeof out, "write");
            else
                syscall(SYS_getppid);
        }
        printf("%.1f\n", (now_ns() - start) / times);
        fflush(stdout);
        if (sockets) {
            close(ends[0]);
            close(ends[1]);
        }
    }
    return 0;
}
