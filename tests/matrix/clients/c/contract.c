// The contract of ../README.md; what a TLS library does is in a file of its own.
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

void fail(const char *what)
{
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

static void call(int number)
{
    char body[512], request[1024], answer[1 << 20];
    snprintf(body, sizeof body, "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]%s}",
             number % 2 ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : "");
    int size = snprintf(request, sizeof request,
                        "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                        HOST, getenv("OPENAI_API_KEY"), strlen(body), body);
    if (tls_write(request, size) != size)
        fail("writing");
    for (long have = 0;;) {
        int got = tls_read(answer + have, sizeof answer - 1 - have);
        if (got <= 0)
            fail("reading");
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
    tls_load(getenv("SSL_CERT_FILE"));
    if (argc > 1 && unlink(argv[1]))  // an upgrade removes the library of a program that runs
        fail("unlink");
    printf("ready\n");
    fflush(stdout);
    char line[32];
    int calls = fgets(line, sizeof line, stdin) ? atoi(line) : 0;
    tls_connect();
    for (int number = 0; number < calls; number++)
        call(number);
    printf("done\n");
    fflush(stdout);
    fgets(line, sizeof line, stdin);
    tls_free();
    return 0;
}
