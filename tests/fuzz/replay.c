/* SPDX-License-Identifier: MIT
 * main() of a fuzz target that runs as a test: every file of tests/fuzz/corpus/NAME/ (NAME is the
 * program's without "fuzz_"), then a seeded, bounded set of mutations of each, so that every run
 * does the same. Run it from the root of the source. A crash or a hang kills the program, which
 * the test runner counts as a failure. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX (1u << 20)
#define MUTATIONS_PER_FILE 200u
#define MUTATED_BYTES_MAX (24u << 20) /* over all files: keeps the sanitizer runs short */
#define HANG_S 30u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct run {
    unsigned passed;
    uint64_t mutated_bytes;
    uint64_t random;
};

static uint64_t next_random(struct run *run)
{
    /* xorshift64 (Marsaglia 2003) */
    run->random ^= run->random << 13;
    run->random ^= run->random >> 7;
    run->random ^= run->random << 17;
    return run->random;
}

/** Runs one input from a block of exactly its size, so that a sanitizer sees any reach beyond. */
static void run_one(struct run *run, const uint8_t *data, size_t n)
{
    uint8_t *exact = malloc(n > 0 ? n : 1);
    if (exact == NULL)
        abort();
    if (n > 0)
        memcpy(exact, data, n);
    (void)alarm(HANG_S);
    (void)LLVMFuzzerTestOneInput(exact, n);
    (void)alarm(0);
    free(exact);
    run->passed++;
}

/** Changes up to 4 places of the n bytes. @return the new length, never above n */
static size_t mutate(struct run *run, uint8_t *data, size_t n)
{
    unsigned places = 1 + (unsigned)(next_random(run) % 4);
    for (unsigned i = 0; i < places && n > 0; i++) {
        uint64_t dice = next_random(run);
        size_t at = (size_t)(dice >> 16) % n;
        switch (dice % 6) {
        case 0:
            data[at] ^= (uint8_t)(1u << (dice >> 8) % 8);
            break;
        case 1:
            data[at] = (uint8_t)(dice >> 8);
            break;
        case 2:
            data[at] = dice & 256 ? 0xff : 0;
            break;
        case 3:
            n = at;
            break;
        case 4:
            memmove(data + at, data + at + 1, n - at - 1);
            n--;
            break;
        default:
            memmove(data + at, data, n - at < 4 ? n - at : 4);
            break;
        }
    }
    return n;
}

static void run_mutations(struct run *run, const uint8_t *data, size_t n)
{
    static uint8_t work[INPUT_MAX];
    for (unsigned i = 0; i < MUTATIONS_PER_FILE; i++) {
        if (run->mutated_bytes > MUTATED_BYTES_MAX)
            return;
        memcpy(work, data, n);
        run_one(run, work, mutate(run, work, n));
        run->mutated_bytes += n;
    }
}

static bool run_file(struct run *run, const char *dir, const char *name)
{
    static uint8_t data[INPUT_MAX];
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        perror(path);
        return false;
    }
    size_t n = fread(data, 1, sizeof data, f);
    (void)fclose(f);
    (void)fprintf(stderr, "%s: %zu bytes\n", path, n);
    run_one(run, data, n);
    if (n > 0)
        run_mutations(run, data, n);
    return true;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    (void)argc;
    const char *name = strrchr(argv[0], '/');
    name = name != NULL ? name + 1 : argv[0];
    if (strncmp(name, "fuzz_", 5) == 0)
        name += 5;
    char dir[256];
    (void)snprintf(dir, sizeof dir, "tests/fuzz/corpus/%s", name);
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, visible, alphasort);
    unsigned failed = count <= 0;
    if (count <= 0)
        (void)fprintf(stderr, "%s: no corpus (run from the root of the source)\n", dir);
    struct run run = {.random = UINT64_C(0x6f746164)};
    run_one(&run, (const uint8_t *)"", 0);
    for (int i = 0; i < count; i++) {
        failed += !run_file(&run, dir, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    (void)printf("%u passed, %u failed\n", run.passed, failed);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
