// SPDX-License-Identifier: BSD-3-Clause
// Replays files through a fuzz target where libFuzzer is not at hand: every file as it is, then
// every file cut short at each of its bytes and with single bytes changed, so that a plain build
// looks around the seeds too. Usage: fuzz_NAME [-around N] DIRECTORY...; N: at most so many cuts
// and so many changes of a file. Inputs end at a page that may not be read.
#include <dirent.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#include <string.h>

#define INPUT_MAX (128u << 10)

static unsigned around = 512; // cuts, and changes, of a file at most
static uint8_t *guarded;      // its end is the end of readable memory

static void run(const uint8_t *data, size_t size)
{
	uint8_t *at = guarded + INPUT_MAX - size;

	if (size != 0)
		memcpy(at, data, size);
	(void)LLVMFuzzerTestOneInput(at, size);
}

static void run_around(uint8_t *data, size_t size)
{
	static const uint8_t bytes[] = {0,   '\r', '\n', ' ',  ':', ';', ',',
					'"', '<',  '>',	 '\\', '9', 0xff};
	uint32_t x = 2463534242u;

	run(data, size);
	for (size_t i = 0; i < size; i += 1 + size / around)
		run(data, i);
	for (unsigned i = 0; size != 0 && i < around; i++) {
		size_t at;
		uint8_t was;

		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		at = x % size;
		was = data[at];
		data[at] = bytes[(x >> 20) % sizeof(bytes)];
		run(data, size);
		data[at] = was;
	}
}

static unsigned run_file(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL) {
		perror(path);
		exit(1); // NOLINT(concurrency-mt-unsafe): one thread
	}
	n = fread(data, 1, sizeof(data), f);
	(void)fclose(f);
	run_around(data, n);
	return 1;
}

static unsigned run_directory(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *entry;
	unsigned files = 0;
	char name[4096];

	if (d == NULL)
		return run_file(path);
	// NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		files += run_file(name);
	}
	(void)closedir(d);
	return files;
}

int main(int argc, char **argv)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, INPUT_MAX + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	unsigned files = 0;

	if (p == MAP_FAILED || mprotect((uint8_t *)p + INPUT_MAX, page, PROT_NONE) != 0) {
		perror("mmap");
		return 1;
	}
	guarded = p;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-around") != 0 || i + 1 == argc) {
			files += run_directory(argv[i]);
			continue;
		}
		around = (unsigned)strtoul(argv[++i], NULL, 10);
		if (around == 0) {
			(void)fputs("-around needs a number above 0\n", stderr);
			return 1;
		}
	}
	printf("%u files\n", files);
	return files != 0 ? 0 : 1;
}
