// A fake provider that costs almost nothing: answers every request with prepared bytes, over real TLS, a thread a connection.
// Linked with a static OpenSSL, so that probes on the shared library don't see it: a provider is never on the pod's node.
// Usage: server CERT KEY NAME=FILE …    prints its port.  A request for /NAME gets FILE's writes: [u32 length][bytes] …,
// each in one TLS record.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_ANSWERS 16
struct answer {
    char name[64];
    unsigned char *bytes;
    long size;
};
static struct answer answers[MAX_ANSWERS];
static int answer_count;
static SSL_CTX *context;

static void load(char *argument)
{
    char *file = strchr(argument, '=');
    if (!file || answer_count == MAX_ANSWERS)
        exit(2);
    *file++ = 0;
    struct answer *answer = &answers[answer_count++];
    snprintf(answer->name, sizeof answer->name, "/%s", argument);
    FILE *in = fopen(file, "rb");
    if (!in)
        exit(2);
    fseek(in, 0, SEEK_END);
    answer->size = ftell(in);
    rewind(in);
    answer->bytes = malloc(answer->size);
    if (fread(answer->bytes, 1, answer->size, in) != (size_t)answer->size)
        exit(2);
    fclose(in);
}

// One request: head and body.  Returns its answer, or NULL at the end of the connection.
static const struct answer *request(SSL *ssl, char *buffer, int room)
{
    int have = 0;
    for (;;) {
        int n = SSL_read(ssl, buffer + have, room - 1 - have);
        if (n <= 0)
            return NULL;
        have += n;
        buffer[have] = 0;
        char *end = strstr(buffer, "\r\n\r\n");
        if (!end)
            continue;
        char *length = strcasestr(buffer, "content-length:");
        long body = length && length < end ? atol(length + 15) : 0;
        if (have < end + 4 - buffer + body)
            continue;
        // The name is the last part of the path, so that paths can look like a provider's.
        for (int i = 0; i < answer_count; i++) {
            char *path = strchr(buffer, ' ');
            char *stop = path ? strchr(path + 1, ' ') : NULL;
            size_t size = strlen(answers[i].name);
            char *query = memmem(path, stop - path, "?", 1);
            if (query && (size_t)(stop - query - 1) == size - 1 && !memcmp(query + 1, answers[i].name + 1, size - 1))
                return &answers[i];
        }
        return NULL;
    }
}

static void *serve(void *argument)
{
    int fd = (int)(intptr_t)argument;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    char *buffer = malloc(1 << 17);
    if (SSL_accept(ssl) == 1) {
        const struct answer *answer;
        while ((answer = request(ssl, buffer, 1 << 17))) {
            for (long at = 0; at + 4 <= answer->size;) {
                uint32_t size;
                memcpy(&size, answer->bytes + at, 4);
                if (SSL_write(ssl, answer->bytes + at + 4, size) <= 0)
                    goto done;
                at += 4 + size;
            }
        }
    }
done:
    SSL_free(ssl);
    close(fd);
    free(buffer);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    context = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1 || SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) != 1)
        return 2;
    for (int i = 3; i < argc; i++)
        load(argv[i]);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1024) || getsockname(listener, (struct sockaddr *)&address, &size))
        return 2;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        pthread_t thread;
        pthread_attr_t small;
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 128 * 1024);
        pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
        if (pthread_create(&thread, &small, serve, (void *)(intptr_t)fd))
            close(fd);
    }
}
