// A TLS client in C: CONNECTIONS threads, each sends the same request again and again and reads the answer to its end.
// Usage: client PORT NAME CONNECTIONS CALLS RATE     RATE: calls a second over all connections, 0 = as fast as it goes.
// Waits for a line on standard input once connected; prints JSON: calls, wall_s, cpu_s; keeps its connections open until a second line.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static int port, calls;
static double rate, began;
static const char *name;
static atomic_int next_call, failed;
static SSL_CTX *context;
static pthread_barrier_t connected, go, done, leave;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void wait_until(double when)
{
    double left = when - now();
    if (left > 0) {
        struct timespec t = {(time_t)left, (long)((left - (time_t)left) * 1e9)};
        nanosleep(&t, NULL);
    }
}

static int one_call(SSL *ssl, char *buffer)
{
    char request[1024];
    const char *body = "{\"model\":\"gpt-4o-mini\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}";
    int size = snprintf(request, sizeof request,
                        "POST /v1/chat/completions?%s HTTP/1.1\r\nhost: api.openai.com\r\ncontent-type: application/json\r\n"
                        "content-length: %zu\r\n\r\n%s", name, strlen(body), body);
    if (SSL_write(ssl, request, size) != size)
        return -1;
    long need = -1, have = 0;  // need: whole answer where content-length says so
    for (;;) {
        int n = SSL_read(ssl, buffer, 16384);
        if (n <= 0)
            return -1;
        if (!have) {
            buffer[n < 16384 ? n : 16383] = 0;
            char *length = strcasestr(buffer, "content-length:"), *end = strstr(buffer, "\r\n\r\n");
            if (length && end && length < end)
                need = end + 4 - buffer + atol(length + 15);
        }
        have += n;
        if (need >= 0 ? have >= need : n >= 5 && !memcmp(buffer + n - 5, "0\r\n\r\n", 5))
            return 0;
    }
}

static void *work(void *unused)
{
    (void)unused;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    SSL *ssl = SSL_new(context);
    char *buffer = malloc(16384);
    int bad = connect(fd, (struct sockaddr *)&address, sizeof address);
    SSL_set_fd(ssl, fd);
    bad = bad || SSL_connect(ssl) != 1;
    pthread_barrier_wait(&connected);
    pthread_barrier_wait(&go);
    int call;
    while (!bad && (call = atomic_fetch_add(&next_call, 1)) < calls) {
        if (rate > 0)
            wait_until(began + call / rate);
        bad = one_call(ssl, buffer);
    }
    if (bad)
        atomic_fetch_add(&failed, 1);
    pthread_barrier_wait(&done);
    pthread_barrier_wait(&leave);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    port = atoi(argv[1]), name = argv[2], calls = atoi(argv[4]), rate = atof(argv[5]);
    int connections = atoi(argv[3]);
    context = SSL_CTX_new(TLS_client_method());
    pthread_barrier_init(&connected, NULL, connections + 1);
    pthread_barrier_init(&go, NULL, connections + 1);
    pthread_barrier_init(&done, NULL, connections + 1);
    pthread_barrier_init(&leave, NULL, connections + 1);
    pthread_t *threads = calloc(connections, sizeof *threads);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 * 1024);
    for (int i = 0; i < connections; i++)
        pthread_create(&threads[i], &small, work, NULL);
    pthread_barrier_wait(&connected);
    printf("ready\n");
    fflush(stdout);
    int sign;
    while ((sign = getchar()) != '\n')
        if (sign == EOF)
            return 1;
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    began = now();
    pthread_barrier_wait(&go);
    pthread_barrier_wait(&done);
    double wall = now() - began;
    getrusage(RUSAGE_SELF, &after);
#define SECONDS(t) ((t).tv_sec + (t).tv_usec / 1e6)
    double cpu = SECONDS(after.ru_utime) + SECONDS(after.ru_stime) - SECONDS(before.ru_utime) - SECONDS(before.ru_stime);
    printf("{\"calls\": %d, \"failed_connections\": %d, \"wall_s\": %.4f, \"cpu_s\": %.4f}\n", calls, failed, wall, cpu);
    fflush(stdout);
    while (getchar() != '\n')
        if (feof(stdin))
            break;
    pthread_barrier_wait(&leave);
    for (int i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
    return failed ? 1 : 0;
}
