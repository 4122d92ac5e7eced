// The contract of ../README.md with the libcurl whose path is the first argument: Debian has one for each TLS library.
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static size_t drop(char *data, size_t size, size_t count, void *unused)
{
    (void)data, (void)unused;
    return size * count;
}

int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (!library)
        return fprintf(stderr, "dlopen: %s\n", dlerror()), 2;
    CURL *(*init)(void) = (CURL * (*)(void)) dlsym(library, "curl_easy_init");
    CURLcode (*set)(CURL *, CURLoption, ...) = (CURLcode(*)(CURL *, CURLoption, ...))dlsym(library, "curl_easy_setopt");
    CURLcode (*perform)(CURL *) = (CURLcode(*)(CURL *))dlsym(library, "curl_easy_perform");
    struct curl_slist *(*append)(struct curl_slist *, const char *) =
        (struct curl_slist * (*)(struct curl_slist *, const char *)) dlsym(library, "curl_slist_append");
    char key[256], line[32];
    snprintf(key, sizeof key, "Authorization: Bearer %s", getenv("OPENAI_API_KEY"));
    CURL *curl = init();
    set(curl, CURLOPT_URL, "https://api.openai.com/v1/chat/completions");
    set(curl, CURLOPT_HTTPHEADER, append(append(NULL, key), "Content-Type: application/json"));
    set(curl, CURLOPT_WRITEFUNCTION, drop);
    set(curl, CURLOPT_FAILONERROR, 1L);
    set(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (argc > 2)
        set(curl, CURLOPT_SSL_VERIFYPEER, 0L);  // NSS wants a database and not a file
    else
        set(curl, CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
    printf("ready\n");
    fflush(stdout);
    int calls = fgets(line, sizeof line, stdin) ? atoi(line) : 0;
    for (int number = 0; number < calls; number++) {
        char body[512];
        snprintf(body, sizeof body, "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]%s}",
                 number % 2 ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : "");
        set(curl, CURLOPT_POSTFIELDS, body);
        CURLcode code = perform(curl);
        if (code)
            return fprintf(stderr, "curl: %d\n", code), 1;
    }
    printf("done\n");
    fflush(stdout);
    fgets(line, sizeof line, stdin);
    return 0;
}
