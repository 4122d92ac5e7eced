// The contract of ../README.md with OpenSSL's own calls.
#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char *HOST = "api.openai.com";

static void fail(const char *what)
{
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

static SSL *dial(SSL_CTX *context)
{
    struct addrinfo *found, wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    if (getaddrinfo(HOST, "443", &wanted, &found))
        fail("getaddrinfo");
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, found->ai_addr, found->ai_addrlen))
        fail("connect");
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    SSL_set_tlsext_host_name(ssl, HOST);
    SSL_set1_host(ssl, HOST);
    if (SSL_connect(ssl) != 1)
        fail("SSL_connect");
    return ssl;
}

static void call(SSL *ssl, int number)
{
    char body[512], request[1024], answer[1 << 20];
    snprintf(body, sizeof body, "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]%s}",
             number % 2 ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : "");
    int size = snprintf(request, sizeof request,
                        "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                        HOST, getenv("OPENAI_API_KEY"), strlen(body), body);
    if (SSL_write(ssl, request, size) != size)
        fail("SSL_write");
    for (long have = 0;;) {
        int got = SSL_read(ssl, answer + have, sizeof answer - 1 - have);
        if (got <= 0)
            fail("SSL_read");
        have += got;
        answer[have] = 0;
        char *end = strstr(answer, "\r\n\r\n"), *length = strcasestr(answer, "content-length:");
        if (!end)
            continue;
        if (length && length < end ? answer + have - end - 4 >= atol(length + 15) : !strcmp(answer + have - 5, "0\r\n\r\n"))
            break;
    }
    if (strncmp(answer, "HTTP/1.1 200", 12))
        fail("the call");
}

int main(int argc, char **argv)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!SSL_CTX_load_verify_locations(context, getenv("SSL_CERT_FILE"), NULL))
        fail("SSL_CTX_load_verify_locations");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (argc > 1 && unlink(argv[1]))  // an upgrade removes the library of a program that runs
        fail("unlink");
    printf("ready\n");
    fflush(stdout);
    char line[32];
    int calls = fgets(line, sizeof line, stdin) ? atoi(line) : 0;
    SSL *ssl = dial(context);
    for (int number = 0; number < calls; number++)
        call(ssl, number);
    printf("done\n");
    fflush(stdout);
    fgets(line, sizeof line, stdin);
    SSL_free(ssl);
    return 0;
}
