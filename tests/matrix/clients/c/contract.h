// What contract.c wants of a TLS library: one connection to HOST.
#define HOST "api.openai.com"

void fail(const char *what);

void tls_load(const char *authority);
void tls_connect(void);
int tls_write(const char *data, int size);
int tls_read(char *data, int size);
void tls_free(void);
