/* What the program `dotnet` does: host DOTNET_ROOT PROGRAM.dll [ARGUMENT...] */
#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>

typedef int (*hostfxr_main_startupinfo)(int argc, const char **argv, const char *host, const char *root, const char *program);

int main(int argc, const char **argv) {
    char pattern[4096];
    glob_t found;
    if (argc < 3) return 2;
    snprintf(pattern, sizeof pattern, "%s/host/fxr/*/libhostfxr.so", argv[1]);
    if (glob(pattern, 0, NULL, &found)) return 2;
    void *library = dlopen(found.gl_pathv[0], RTLD_NOW);
    hostfxr_main_startupinfo run = library ? (hostfxr_main_startupinfo)dlsym(library, "hostfxr_main_startupinfo") : NULL;
    if (!run) return fprintf(stderr, "%s\n", dlerror()), 2;
    return run(argc - 1, argv + 1, argv[0], argv[1], argv[2]);
}
